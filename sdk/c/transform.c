/* The world `transform` of wit/0.1 over plugin_configure, _describe, _apply. */
#include "internal.h"

#define WORLD "tollgate:plugin/transformer@0.1.0#"

typedef struct { tg_text name; uint8_t element, nullable; } field_spec;
typedef struct { tg_text name; uint8_t element; tg_list shape; } output_spec;
struct tg_contract { tg_list inputs, outputs; uint8_t raw_inputs; };

typedef struct { tg_list shape; tg_buffer values; } tensor;
struct tg_outputs { tg_list tensors; };

_Static_assert(sizeof(field_spec) == 12 && sizeof(output_spec) == 20, "layout");
_Static_assert(sizeof(struct tg_contract) == 20 && sizeof(tensor) == 28, "layout");

static void input(tg_contract *contract, tg_text name, tg_element element, uint8_t nullable) {
    field_spec *spec = tg_push(&contract->inputs, sizeof *spec);
    *spec = (field_spec){name, (uint8_t)element, nullable};
}

void tg_input(tg_contract *contract, tg_text name, tg_element element) {
    input(contract, name, element, 1);
}

void tg_required(tg_contract *contract, tg_text name, tg_element element) {
    input(contract, name, element, 0);
}

void tg_output_shaped(tg_contract *contract, tg_text name, tg_element element,
                      const int64_t *shape, uint32_t rank) {
    output_spec *spec = tg_push(&contract->outputs, sizeof *spec);
    int64_t *dims = tg_alloc(rank * sizeof *dims);
    for (uint32_t i = 0; i < rank; i++) dims[i] = shape[i];
    *spec = (output_spec){name, (uint8_t)element, {dims, rank}};
}

void tg_output(tg_contract *contract, tg_text name, tg_element element, uint32_t columns) {
    tg_output_shaped(contract, name, element, (int64_t[]){-1, columns}, 2);
}

void *tg_put_shaped(tg_outputs *outputs, tg_element element, const uint32_t *shape, uint32_t rank) {
    static const uint8_t width[] = {4, 8, 8, 4, 1};
    if (element > TG_U8) tg_defect(TG("outputs are numbers"));
    uint64_t count = 1;
    uint32_t *dims = tg_alloc(rank * sizeof *dims);
    for (uint32_t i = 0; i < rank; i++) {
        count *= dims[i] = shape[i];
        if (count > 1u << 28) tg_defect(TG("an output has more than 2^28 values"));
    }
    tensor *next = tg_push(&outputs->tensors, sizeof *next);
    next->shape = (tg_list){dims, rank};
    next->values.element = (uint8_t)element;
    next->values.list.data = tg_alloc((size_t)count * width[element]);
    next->values.list.length = (uint32_t)count;
    return (void *)next->values.list.data;
}

void *tg_put(tg_outputs *outputs, tg_element element, uint32_t rows, uint32_t columns) {
    return tg_put_shaped(outputs, element, (uint32_t[]){rows, columns}, 2);
}

EXPORT(WORLD "configure")
tg_result *transform_configure(const char *data, uint32_t length) {
    return tg_result_of(plugin_configure((tg_text){data, length}));
}

EXPORT(WORLD "describe")
tg_contract *transform_describe(void) {
    tg_contract *contract = tg_alloc(sizeof *contract);
    plugin_describe(contract);
    return contract;
}

EXPORT(WORLD "apply")
tg_result *transform_apply(uint32_t rows, const tg_block *blocks, uint32_t count) {
    tg_batch batch = {rows, blocks, count};
    tg_outputs outputs = {0};
    tg_result *result = tg_result_of(plugin_apply(&batch, &outputs));
    if (!result->failed) result->list = outputs.tensors;
    return result;
}

EXPORT("cabi_post_" WORLD "configure") void post_configure(void *result) { (void)result, tg_end_call(); }
EXPORT("cabi_post_" WORLD "describe") void post_describe(void *result) { (void)result, tg_end_call(); }
EXPORT("cabi_post_" WORLD "apply") void post_apply(void *result) { (void)result, tg_end_call(); }
