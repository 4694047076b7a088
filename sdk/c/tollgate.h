/* Plugins for Tollgate, in C. Freestanding C11: no libc, no system interface.
 *
 * A plugin is one of three kinds. Implement that kind's functions (at the end
 * of this file) and build with `tollgate plugin build`, which compiles core.c
 * and the kind's own file beside your sources. What the host does with it is
 * written in wit/0.1; the structures here have the layout that the canonical
 * ABI gives those types, so that nothing is copied.
 *
 * Two kinds of memory. `tg_alloc` gives memory of the call: zeroed, and gone
 * when the host has read the result; everything that the host hands in lies
 * there too. `tg_keep` gives zeroed memory that stays until `tg_free`; copy
 * into it what a later call needs. When memory is spent the call traps.
 */
#ifndef TOLLGATE_H
#define TOLLGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- texts and bytes -------------------------------------------------- */

/* UTF-8, not ended by a zero. */
typedef struct { const char *data; uint32_t length; } tg_text;
/* Bytes. */
typedef struct { const uint8_t *data; uint32_t length; } tg_bytes;

/* A string literal as a text: TG("area"). */
#define TG(literal) ((tg_text){(literal), sizeof(literal) - 1})

bool tg_equal(tg_text a, tg_text b);
tg_text tg_keep_text(tg_text text); /* A copy in kept memory. */

/* ---- memory ----------------------------------------------------------- */

void *tg_alloc(size_t bytes);
void *tg_keep(size_t bytes);
void tg_free(void *kept); /* NULL is fine. */

/* ---- failures --------------------------------------------------------- */

typedef enum {
    TG_INVALID_INPUT,    /* The rows: the caller reads the message. */
    TG_INVALID_SETTINGS, /* Who installs the plugin reads the message. */
    TG_UNSUPPORTED,
    TG_UPSTREAM, /* Something an action depends on answered badly. */
    TG_INTERNAL, /* A defect of the plugin. */
} tg_fault;

typedef struct {
    uint8_t fault; /* a tg_fault */
    tg_text code;
    tg_text message;
    uint8_t has_field;
    tg_text field;
    uint8_t has_row;
    uint32_t row;
    uint8_t retryable;
} tg_failure;

/* A refusal in call memory: return it. `code` is a stable token of yours, the
 * message one sentence: what is wrong, where, what to do. */
tg_failure *tg_fail(tg_fault fault, tg_text code, tg_text message);
tg_failure *tg_at_field(tg_failure *failure, tg_text field);
tg_failure *tg_at_row(tg_failure *failure, uint32_t row);
tg_failure *tg_retry_later(tg_failure *failure);

/* ---- log -------------------------------------------------------------- */

typedef enum { TG_DEBUG, TG_INFO, TG_WARN, TG_ERROR } tg_level;
/* One line for the gateway's log; 64 lines of 512 bytes a call are kept. */
void tg_log_line(tg_level level, tg_text line);

/* ---- batches ---------------------------------------------------------- */

typedef enum { TG_F32, TG_F64, TG_S64, TG_S32, TG_U8, TG_UTF8, TG_RAW } tg_element;

typedef struct {
    uint8_t element; /* a tg_element */
    union {
        struct { const void *data; uint32_t length; } list;
        struct {
            const uint32_t *offsets;
            uint32_t offset_count;
            const char *data;
            uint32_t data_length;
        } utf8;
    };
} tg_buffer;

/* Consecutive fields of one element, column after column. */
typedef struct {
    uint32_t fields;
    tg_buffer values;
    uint8_t has_validity;
    tg_bytes validity;
} tg_block;

typedef struct {
    uint32_t rows;
    const tg_block *blocks;
    uint32_t block_count;
} tg_batch;

/* Field `field` of the contract, `batch->rows` values. Reading it as another
 * element than the contract says is a defect: logged, then a trap. */
const float *tg_f32s(const tg_batch *batch, uint32_t field);
const double *tg_f64s(const tg_batch *batch, uint32_t field);
const int64_t *tg_s64s(const tg_batch *batch, uint32_t field);
const int32_t *tg_s32s(const tg_batch *batch, uint32_t field);
const uint8_t *tg_u8s(const tg_batch *batch, uint32_t field);
tg_text tg_text_at(const tg_batch *batch, uint32_t field, uint32_t row);
/* Whether there is a value; a float's NaN counts as none. */
bool tg_present(const tg_batch *batch, uint32_t field, uint32_t row);

/* ---- settings: a reader of JSON --------------------------------------- */

/* A JSON value is the text that it is written as. Each answers whether there is
 * such a value of such a type; the result is then in `out`. */
bool tg_json_get(tg_text object, tg_text key, tg_text *out);
bool tg_json_at(tg_text array, uint32_t index, tg_text *out);
uint32_t tg_json_count(tg_text array);
bool tg_json_number(tg_text value, double *out);
bool tg_json_bool(tg_text value, bool *out);
bool tg_json_string(tg_text value, tg_text *out); /* Decoded, in call memory. */

/* ---- texts in the making ---------------------------------------------- */

/* Grows in call memory; start with `tg_string s = {0}`. */
typedef struct { char *data; uint32_t length, room; } tg_string;
void tg_add(tg_string *string, tg_text text);
void tg_add_json(tg_string *string, tg_text text); /* Quoted and escaped. */
void tg_add_integer(tg_string *string, int64_t number);

/* ---- numbers ---------------------------------------------------------- */

/* Natural logarithm and exponential, to the last digit or the one before. */
double tg_log(double x);
double tg_exp(double x);

/* ---- transforms ------------------------------------------------------- */

typedef struct tg_contract tg_contract;
void tg_input(tg_contract *contract, tg_text name, tg_element element);
/* The same; the gateway refuses rows without a value. */
void tg_required(tg_contract *contract, tg_text name, tg_element element);
/* An output of one row for each row of the batch, `columns` wide. Texts must
 * stay: literals or kept memory. */
void tg_output(tg_contract *contract, tg_text name, tg_element element, uint32_t columns);
/* The same with every dimension given; -1 is the row count and stands first. */
void tg_output_shaped(tg_contract *contract, tg_text name, tg_element element,
                      const int64_t *shape, uint32_t rank);

typedef struct tg_outputs tg_outputs;
/* The next output, zeroed, row-major: rows x columns values to be filled in. */
void *tg_put(tg_outputs *outputs, tg_element element, uint32_t rows, uint32_t columns);
void *tg_put_shaped(tg_outputs *outputs, tg_element element, const uint32_t *shape, uint32_t rank);

/* Yours. NULL is success. */
tg_failure *plugin_configure(tg_text settings); /* Actions, too. */
void plugin_describe(tg_contract *contract);
tg_failure *plugin_apply(const tg_batch *batch, tg_outputs *outputs);

/* ---- detectors -------------------------------------------------------- */

typedef struct plugin_detector plugin_detector; /* Yours, in kept memory. */
typedef struct tg_scores tg_scores;
/* One score; `p_value` NaN if the method has none; texts must outlive the call. */
void tg_score(tg_scores *scores, tg_text feature, double statistic, double p_value, bool drifted);

/* Yours. NULL is success. */
tg_failure *plugin_fit(tg_text settings, const tg_batch *reference, plugin_detector **detector);
tg_failure *plugin_observe(plugin_detector *detector, const tg_batch *window, tg_scores *scores);
tg_failure *plugin_snapshot(plugin_detector *detector, tg_bytes *state);
tg_failure *plugin_restore(tg_text settings, tg_bytes state, plugin_detector **detector);
void plugin_drop(plugin_detector *detector);

/* ---- actions ---------------------------------------------------------- */

typedef enum { TG_GET, TG_POST, TG_PUT, TG_PATCH, TG_DELETE } tg_method;
typedef enum { TG_HEALTH, TG_QUALITY, TG_DRIFT, TG_MANUAL } tg_cause;
typedef enum {
    TG_SENT,
    TG_NOT_GRANTED,
    TG_MALFORMED,
    TG_UNREACHABLE,
    TG_TIMED_OUT,
    TG_TOO_LARGE,
    TG_EXHAUSTED,
} tg_sent;

typedef struct { tg_text name, value; } tg_header;
typedef struct {
    tg_text target; /* Name of a grant. */
    tg_method method;
    tg_text path;
    const tg_header *headers;
    uint32_t header_count;
    tg_bytes body;
} tg_request;
typedef struct {
    uint16_t status;
    const tg_header *headers;
    uint32_t header_count;
    tg_bytes body;
} tg_response;
tg_sent tg_send(const tg_request *request, tg_response *response);
/* Why there was no response, in words. */
tg_text tg_why(tg_sent sent);

typedef struct {
    tg_text id, endpoint, from, to;
    tg_cause cause;
    tg_text reason;
    int64_t at; /* Milliseconds since the Unix epoch. */
    uint32_t attempt;
} tg_event;
/* What came of it, for the ledger. */
typedef struct { uint8_t skipped; tg_text text; } tg_outcome;

/* Yours, beside plugin_configure. NULL is success. */
tg_failure *plugin_run(const tg_event *event, tg_outcome *outcome);

#endif
