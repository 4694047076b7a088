/* Columns scaled to mean 0 and deviation 1, as the model was trained on them. */
#include "tollgate.h"

typedef struct {
    tg_text name;
    double mean, scale;
} column;

static column *columns;
static uint32_t width;

static tg_failure *read_column(tg_text given, column *out) {
    tg_text value, name;
    if (!tg_json_get(given, TG("name"), &value) || !tg_json_string(value, &name) ||
        !tg_json_get(given, TG("mean"), &value) || !tg_json_number(value, &out->mean) ||
        !tg_json_get(given, TG("scale"), &value) || !tg_json_number(value, &out->scale))
        return tg_fail(TG_INVALID_SETTINGS, TG("bad-settings"),
                       TG("a column has name, mean and scale"));
    out->name = tg_keep_text(name); /* Settings are gone after this call. */
    if (out->scale > 0) return NULL;
    return tg_at_field(
        tg_fail(TG_INVALID_SETTINGS, TG("bad-scale"), TG("scale must be greater than 0")), name);
}

tg_failure *plugin_configure(tg_text settings) {
    tg_text list, value;
    width = tg_json_get(settings, TG("columns"), &list) ? tg_json_count(list) : 0;
    if (width == 0) return tg_fail(TG_INVALID_SETTINGS, TG("bad-settings"), TG("give columns"));
    columns = tg_keep(width * sizeof *columns);
    for (uint32_t i = 0; i < width && tg_json_at(list, i, &value); i++) {
        tg_failure *failure = read_column(value, &columns[i]);
        if (failure) return failure;
    }
    return NULL;
}

void plugin_describe(tg_contract *contract) {
    for (uint32_t i = 0; i < width; i++) tg_input(contract, columns[i].name, TG_F64);
    tg_output(contract, TG("input"), TG_F32, width);
}

tg_failure *plugin_apply(const tg_batch *batch, tg_outputs *outputs) {
    float *out = tg_put(outputs, TG_F32, batch->rows, width); /* row-major, zeroed */
    for (uint32_t field = 0; field < width; field++) {
        const column *c = &columns[field];
        const double *values = tg_f64s(batch, field);
        for (uint32_t row = 0; row < batch->rows; row++) {
            double x = values[row];
            if (x != x) continue; /* Missing becomes the mean: 0 when scaled. */
            if (x - x != 0) {
                tg_failure *failure = tg_fail(TG_INVALID_INPUT, TG("not-finite"),
                                              TG("the value is infinite"));
                return tg_at_row(tg_at_field(failure, c->name), row);
            }
            out[row * width + field] = (float)((x - c->mean) / c->scale);
        }
    }
    return NULL;
}
