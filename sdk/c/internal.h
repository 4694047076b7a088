/* What core.c and the three kinds share; not for plugins. */
#ifndef TOLLGATE_INTERNAL_H
#define TOLLGATE_INTERNAL_H

#include "tollgate.h"

/* The layout of the canonical ABI for a 32-bit memory. */
_Static_assert(sizeof(tg_text) == 8 && sizeof(tg_buffer) == 20, "layout");
_Static_assert(sizeof(tg_block) == 36 && sizeof(tg_failure) == 44, "layout");

#define EXPORT(name) __attribute__((export_name(name), used))
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

typedef struct { void *data; uint32_t length; } tg_list;

/* Every result that our worlds give: ok or a failure. */
typedef struct {
    uint8_t failed;
    union {
        tg_failure failure;
        tg_list list;
        tg_bytes bytes;
        tg_outcome outcome;
        uint32_t handle;
    };
} tg_result;

/* The result to return for a failure or, if that is NULL, for success. It is
 * one static place: the host reads it before it calls again. */
tg_result *tg_result_of(const tg_failure *failure);

/* A list that grows by one zeroed item of `size` bytes, in call memory. */
void *tg_push(tg_list *list, size_t size);

/* Takes back all memory of the call. */
void tg_end_call(void);

/* Logs a defect of the plugin and traps. */
_Noreturn void tg_defect(tg_text what);

#endif
