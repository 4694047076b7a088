/* Memory, failures, batches: what every kind needs. */
#include "internal.h"

/* ---- the functions that compilers assume ------------------------------ */

/* One instruction each (bulk memory), so none of them calls itself. */
void *memcpy(void *to, const void *from, size_t n) { return __builtin_memcpy(to, from, n); }
void *memmove(void *to, const void *from, size_t n) { return __builtin_memmove(to, from, n); }
void *memset(void *to, int byte, size_t n) { return __builtin_memset(to, byte, n); }

int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i]) return x[i] - y[i];
    return 0;
}

/* ---- kept memory: free lists of powers of two -------------------------- */

extern unsigned char __heap_base;
enum { HEAD = 16, SMALLEST = 5, CLASSES = 32, PAGE = 65536 };

typedef struct hole { struct hole *next; } hole;
static hole *holes[CLASSES];
static uintptr_t unused, limit; /* Memory that was never given out. */

static void *carve(size_t bytes) {
    if (unused == 0) {
        unused = ((uintptr_t)&__heap_base + HEAD - 1) & ~(uintptr_t)(HEAD - 1);
        limit = __builtin_wasm_memory_size(0) * PAGE;
    }
    if (limit - unused < bytes) {
        size_t pages = (bytes - (limit - unused) + PAGE - 1) / PAGE;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) __builtin_trap();
        limit += pages * PAGE;
    }
    void *at = (void *)unused;
    unused += bytes;
    return at;
}

/* Not zeroed. */
static void *take(size_t bytes) {
    if (bytes > (1u << 30)) __builtin_trap();
    uint32_t class = SMALLEST;
    while (((size_t)1 << class) < bytes + HEAD) class++;
    uint8_t *at;
    if (holes[class]) {
        at = (uint8_t *)holes[class];
        holes[class] = holes[class]->next;
    } else {
        at = carve((size_t)1 << class);
    }
    *(uint32_t *)at = class;
    return at + HEAD;
}

void *tg_keep(size_t bytes) { return memset(take(bytes), 0, bytes); }

void tg_free(void *kept) {
    if (!kept) return;
    hole *at = (hole *)((uint8_t *)kept - HEAD);
    uint32_t class = *(uint32_t *)at;
    at->next = holes[class];
    holes[class] = at;
}

/* ---- memory of the call: chunks that are filled from the bottom -------- */

typedef struct chunk { struct chunk *next; size_t used, size; } chunk;
enum { CHUNK = PAGE - HEAD - sizeof(chunk) };
static chunk *chunks;

/* Not zeroed. */
static void *take_for_call(size_t bytes) {
    bytes = (bytes + 15) & ~(size_t)15;
    if (!chunks || chunks->size - chunks->used < bytes) {
        size_t size = bytes > CHUNK ? bytes : CHUNK;
        chunk *new = take(sizeof(chunk) + 16 + size);
        *new = (chunk){chunks, 0, size};
        chunks = new;
    }
    uintptr_t first = ((uintptr_t)(chunks + 1) + 15) & ~(uintptr_t)15;
    void *at = (void *)(first + chunks->used);
    chunks->used += bytes;
    return at;
}

void *tg_alloc(size_t bytes) { return memset(take_for_call(bytes), 0, bytes); }

void tg_end_call(void) {
    while (chunks) {
        chunk *next = chunks->next;
        tg_free(chunks);
        chunks = next;
    }
}

/* The host asks here for room for what it hands in. */
EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_bytes, size_t align, size_t bytes) {
    if (bytes == 0) return (void *)align;
    void *at = take_for_call(bytes);
    if (old_bytes) memcpy(at, old, old_bytes < bytes ? old_bytes : bytes);
    return at;
}

void *tg_push(tg_list *list, size_t size) {
    uint32_t n = list->length;
    /* Room doubles whenever the length reaches a power of two. */
    if ((n & (n - 1)) == 0) {
        void *more = tg_alloc(size * (n ? 2 * n : 1));
        memcpy(more, list->data, size * n);
        list->data = more;
    }
    list->length++;
    return (uint8_t *)list->data + size * n;
}

/* ---- texts, log, failures ---------------------------------------------- */

bool tg_equal(tg_text a, tg_text b) {
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

tg_text tg_keep_text(tg_text text) {
    return (tg_text){memcpy(tg_keep(text.length), text.data, text.length), text.length};
}

IMPORT("tollgate:plugin/log@0.1.0", "emit")
void emit(uint32_t level, const char *data, uint32_t length);

void tg_log_line(tg_level level, tg_text line) { emit(level, line.data, line.length); }

_Noreturn void tg_defect(tg_text what) {
    tg_log_line(TG_ERROR, what);
    __builtin_trap();
}

tg_failure *tg_fail(tg_fault fault, tg_text code, tg_text message) {
    tg_failure *failure = tg_alloc(sizeof *failure);
    failure->fault = (uint8_t)fault;
    failure->code = code;
    failure->message = message;
    return failure;
}

tg_failure *tg_at_field(tg_failure *failure, tg_text field) {
    failure->has_field = 1;
    failure->field = field;
    return failure;
}

tg_failure *tg_at_row(tg_failure *failure, uint32_t row) {
    failure->has_row = 1;
    failure->row = row;
    return failure;
}

tg_failure *tg_retry_later(tg_failure *failure) {
    failure->retryable = 1;
    return failure;
}

tg_result *tg_result_of(const tg_failure *failure) {
    static tg_result result;
    memset(&result, 0, sizeof result);
    result.failed = failure != NULL;
    if (failure) result.failure = *failure;
    return &result;
}

/* ---- batches ----------------------------------------------------------- */

/* The field's block, and the place of the field's first value in it. */
static const tg_block *find(const tg_batch *batch, uint32_t field, uint32_t *first) {
    for (uint32_t i = 0; i < batch->block_count; i++) {
        const tg_block *block = &batch->blocks[i];
        if (field < block->fields) {
            *first = field * batch->rows;
            return block;
        }
        field -= block->fields;
    }
    tg_defect(TG("a field was read that the contract does not have"));
}

static const void *column(const tg_batch *batch, uint32_t field, tg_element element, size_t size) {
    uint32_t first;
    const tg_block *block = find(batch, field, &first);
    if (block->values.element != element)
        tg_defect(TG("a field was read as another element than the contract says"));
    return (const uint8_t *)block->values.list.data + first * size;
}

const float *tg_f32s(const tg_batch *batch, uint32_t field) { return column(batch, field, TG_F32, 4); }
const double *tg_f64s(const tg_batch *batch, uint32_t field) { return column(batch, field, TG_F64, 8); }
const int64_t *tg_s64s(const tg_batch *batch, uint32_t field) { return column(batch, field, TG_S64, 8); }
const int32_t *tg_s32s(const tg_batch *batch, uint32_t field) { return column(batch, field, TG_S32, 4); }
const uint8_t *tg_u8s(const tg_batch *batch, uint32_t field) { return column(batch, field, TG_U8, 1); }

tg_text tg_text_at(const tg_batch *batch, uint32_t field, uint32_t row) {
    uint32_t first;
    const tg_block *block = find(batch, field, &first);
    if (block->values.element != TG_UTF8)
        tg_defect(TG("a field was read as text, which the contract does not say"));
    const uint32_t *offsets = block->values.utf8.offsets + first + row;
    return (tg_text){block->values.utf8.data + offsets[0], offsets[1] - offsets[0]};
}

bool tg_present(const tg_batch *batch, uint32_t field, uint32_t row) {
    uint32_t first;
    const tg_block *block = find(batch, field, &first);
    uint32_t at = first + row;
    if (block->values.element == TG_F32) {
        float x = ((const float *)block->values.list.data)[at];
        return x == x;
    }
    if (block->values.element == TG_F64) {
        double x = ((const double *)block->values.list.data)[at];
        return x == x;
    }
    return !block->has_validity || (block->validity.data[at / 8] >> (at % 8) & 1);
}
