/* Homes for a model: numbers scaled, one column of text hashed into buckets. */
#include "tollgate.h"

typedef struct {
    tg_text name;
    bool log;
    double mean, scale;
} number;

static number *numbers;
static uint32_t count, buckets, width;
static tg_text text;

/* FNV-1a, 32 bits, over UTF-8. */
static uint32_t hash(tg_text value) {
    uint32_t h = 0x811c9dc5;
    for (uint32_t i = 0; i < value.length; i++) h = (h ^ (uint8_t)value.data[i]) * 0x01000193;
    return h;
}

static tg_failure *read_number(tg_text settings, number *out) {
    tg_text value, name;
    if (!tg_json_get(settings, TG("name"), &value) || !tg_json_string(value, &name) ||
        !tg_json_get(settings, TG("mean"), &value) || !tg_json_number(value, &out->mean) ||
        !tg_json_get(settings, TG("scale"), &value) || !tg_json_number(value, &out->scale))
        return tg_fail(TG_INVALID_SETTINGS, TG("bad-settings"), TG("a number has name, mean and scale"));
    out->log = tg_json_get(settings, TG("log"), &value) && tg_json_bool(value, &out->log) && out->log;
    out->name = tg_keep_text(name); /* Settings are gone after this call. */
    if (out->scale > 0) return NULL;
    tg_failure *failure =
        tg_fail(TG_INVALID_SETTINGS, TG("bad-scale"), TG("scale must be greater than 0"));
    return tg_at_field(failure, name);
}

tg_failure *plugin_configure(tg_text settings) {
    tg_text list, value, name;
    double given = 0;
    count = tg_json_get(settings, TG("numbers"), &list) ? tg_json_count(list) : 0;
    numbers = tg_keep(count * sizeof *numbers);
    for (uint32_t i = 0; i < count && tg_json_at(list, i, &value); i++) {
        tg_failure *failure = read_number(value, &numbers[i]);
        if (failure) return failure;
    }
    bool has_text = tg_json_get(settings, TG("text"), &value) && tg_json_string(value, &name);
    if (has_text) {
        text = tg_keep_text(name);
        if (tg_json_get(settings, TG("buckets"), &value)) tg_json_number(value, &given);
    }
    if (count == 0 || (has_text && !(given >= 1 && given <= 1024)))
        return tg_fail(TG_INVALID_SETTINGS, TG("bad-settings"),
                       TG("give numbers, and 1 to 1024 buckets with a text"));
    buckets = (uint32_t)given;
    width = count + buckets;
    return NULL;
}

void plugin_describe(tg_contract *contract) {
    for (uint32_t i = 0; i < count; i++) tg_input(contract, numbers[i].name, TG_F64);
    if (buckets) tg_input(contract, text, TG_UTF8);
    tg_output(contract, TG("input"), TG_F32, width);
}

tg_failure *plugin_apply(const tg_batch *batch, tg_outputs *outputs) {
    float *out = tg_put(outputs, TG_F32, batch->rows, width);
    for (uint32_t field = 0; field < count; field++) {
        const number *n = &numbers[field];
        const double *column = tg_f64s(batch, field);
        for (uint32_t row = 0; row < batch->rows; row++) {
            double x = column[row];
            if (x != x) continue; /* Missing becomes the mean: 0 when scaled. */
            if (n->log && x < 0) {
                tg_string message = {0};
                tg_add(&message, n->name);
                tg_add(&message, TG(" must not be negative"));
                tg_text said = {message.data, message.length};
                tg_failure *failure = tg_fail(TG_INVALID_INPUT, TG("negative"), said);
                return tg_at_row(tg_at_field(failure, n->name), row);
            }
            out[row * width + field] = (float)(((n->log ? tg_log(1 + x) : x) - n->mean) / n->scale);
        }
    }
    for (uint32_t row = 0; buckets && row < batch->rows; row++)
        if (tg_present(batch, count, row))
            out[row * width + count + hash(tg_text_at(batch, count, row)) % buckets] = 1;
    return NULL;
}
