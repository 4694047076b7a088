/* What the C SDK computes itself: logarithm, exponential, numbers of JSON. */
#include "tollgate.h"

static double *given;
static uint32_t count;

tg_failure *plugin_configure(tg_text settings) {
    tg_text list, value;
    if (!tg_json_get(settings, TG("gi\tven"), &list))
        return tg_fail(TG_INVALID_SETTINGS, TG("bad-settings"), TG("give numbers"));
    count = tg_json_count(list);
    given = tg_keep(count * sizeof *given);
    for (uint32_t i = 0; i < count; i++)
        if (!tg_json_at(list, i, &value) || !tg_json_number(value, &given[i]))
            return tg_fail(TG_INVALID_SETTINGS, TG("no-number"), value);
    return NULL;
}

void plugin_describe(tg_contract *contract) {
    tg_input(contract, TG("x"), TG_F64);
    tg_output(contract, TG("log"), TG_F64, 1);
    tg_output(contract, TG("exp"), TG_F64, 1);
    tg_output(contract, TG("given"), TG_F64, count);
}

tg_failure *plugin_apply(const tg_batch *batch, tg_outputs *outputs) {
    const double *x = tg_f64s(batch, 0);
    double *log = tg_put(outputs, TG_F64, batch->rows, 1);
    double *exp = tg_put(outputs, TG_F64, batch->rows, 1);
    double *numbers = tg_put(outputs, TG_F64, batch->rows, count);
    for (uint32_t row = 0; row < batch->rows; row++) {
        log[row] = tg_log(x[row]);
        exp[row] = tg_exp(x[row] < 0x1p-200 ? -1000 * x[row] : x[row] - 700);
        for (uint32_t i = 0; i < count; i++) numbers[row * count + i] = given[i];
    }
    return NULL;
}
