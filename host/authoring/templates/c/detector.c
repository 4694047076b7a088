/* Watches the mean of each feature: how many standard errors a window's mean is
 * away from the reference's. */
#include "tollgate.h"

typedef struct { double mean, deviation; } moments;

struct plugin_detector {
    tg_text *names;
    uint32_t count;
    double threshold;
    moments *reference;
};

/* Count, mean and deviation of the values that are there. */
static uint32_t measure(const tg_batch *batch, uint32_t field, moments *out) {
    const double *values = tg_f64s(batch, field);
    uint32_t n = 0;
    double sum = 0, squares = 0;
    for (uint32_t row = 0; row < batch->rows; row++)
        if (values[row] == values[row]) sum += values[row], n++;
    out->mean = n ? sum / n : 0;
    for (uint32_t row = 0; row < batch->rows; row++)
        if (values[row] == values[row])
            squares += (values[row] - out->mean) * (values[row] - out->mean);
    out->deviation = n ? __builtin_sqrt(squares / n) : 0;
    return n;
}

/* A detector that has not learned yet. */
static tg_failure *configured(tg_text settings, plugin_detector **out) {
    plugin_detector *made = tg_keep(sizeof *made);
    tg_text list, feature, value, name;
    made->count = tg_json_get(settings, TG("features"), &list) ? tg_json_count(list) : 0;
    if (made->count == 0 || !tg_json_get(settings, TG("threshold"), &value) ||
        !tg_json_number(value, &made->threshold))
        return tg_fail(TG_INVALID_SETTINGS, TG("bad-settings"),
                       TG("give features and a threshold"));
    made->names = tg_keep(made->count * sizeof *made->names);
    made->reference = tg_keep(made->count * sizeof *made->reference);
    for (uint32_t i = 0; i < made->count && tg_json_at(list, i, &feature); i++) {
        if (!tg_json_get(feature, TG("name"), &value) || !tg_json_string(value, &name))
            return tg_fail(TG_INVALID_SETTINGS, TG("bad-settings"), TG("a feature has a name"));
        made->names[i] = tg_keep_text(name);
    }
    *out = made;
    return NULL;
}

tg_failure *plugin_fit(tg_text settings, const tg_batch *reference, plugin_detector **detector) {
    plugin_detector *made;
    tg_failure *failure = configured(settings, &made);
    if (failure) return failure;
    for (uint32_t i = 0; i < made->count; i++) {
        measure(reference, i, &made->reference[i]);
        if (!(made->reference[i].deviation > 0))
            return tg_at_field(
                tg_fail(TG_INVALID_INPUT, TG("no-spread"), TG("its values do not vary")),
                made->names[i]);
    }
    *detector = made;
    return NULL;
}

tg_failure *plugin_observe(plugin_detector *detector, const tg_batch *window, tg_scores *scores) {
    for (uint32_t i = 0; i < detector->count; i++) {
        moments seen, *reference = &detector->reference[i];
        uint32_t n = measure(window, i, &seen);
        if (n == 0)
            return tg_at_field(
                tg_fail(TG_INVALID_INPUT, TG("no-values"), TG("the window has no values")),
                detector->names[i]);
        double statistic = __builtin_fabs(seen.mean - reference->mean) /
                           (reference->deviation / __builtin_sqrt(n));
        tg_score(scores, detector->names[i], statistic, __builtin_nan(""),
                 statistic > detector->threshold);
    }
    return NULL;
}

tg_failure *plugin_snapshot(plugin_detector *detector, tg_bytes *state) {
    state->data = (const uint8_t *)detector->reference;
    state->length = detector->count * sizeof *detector->reference;
    return NULL;
}

tg_failure *plugin_restore(tg_text settings, tg_bytes state, plugin_detector **detector) {
    plugin_detector *made;
    tg_failure *failure = configured(settings, &made);
    if (failure) return failure;
    if (state.length != made->count * sizeof *made->reference)
        return tg_fail(TG_INTERNAL, TG("bad-state"), TG("the state is of other features"));
    __builtin_memcpy(made->reference, state.data, state.length);
    *detector = made;
    return NULL;
}

void plugin_drop(plugin_detector *detector) {
    tg_free(detector->names);
    tg_free(detector->reference);
    tg_free(detector);
}
