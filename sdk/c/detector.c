/* The world `detector` of wit/0.1 over plugin_fit, _observe, _snapshot, _restore, _drop. */
#include "internal.h"

#define WORLD "tollgate:plugin/drift@0.1.0#"

typedef struct {
    tg_text feature;
    double statistic;
    uint8_t has_p_value;
    double p_value;
    uint8_t drifted;
} score;
struct tg_scores { tg_list list; };
_Static_assert(sizeof(score) == 40, "layout");

/* What a handle of the host stands for. */
typedef struct { tg_text settings; plugin_detector *detector; } held;

IMPORT("[export]tollgate:plugin/drift@0.1.0", "[resource-new]detector")
uint32_t new_handle(held *rep);

void tg_score(tg_scores *scores, tg_text feature, double statistic, double p_value, bool drifted) {
    score *next = tg_push(&scores->list, sizeof *next);
    *next = (score){feature, statistic, p_value == p_value, p_value, drifted};
    if (p_value != p_value) next->p_value = 0;
}

static held *hold(tg_text settings, plugin_detector *detector) {
    held *new = tg_keep(sizeof *new);
    *new = (held){tg_keep_text(settings), detector};
    return new;
}

static tg_failure *unfitted(void) {
    return tg_fail(TG_INTERNAL, TG("not-fitted"), TG("the detector was used before fit"));
}

EXPORT(WORLD "[constructor]detector")
uint32_t detector_new(const char *data, uint32_t length) {
    uint32_t handle = new_handle(hold((tg_text){data, length}, NULL));
    tg_end_call();
    return handle;
}

EXPORT(WORLD "[dtor]detector")
void detector_drop(held *self) {
    if (self->detector) plugin_drop(self->detector);
    tg_free((void *)self->settings.data);
    tg_free(self);
}

EXPORT(WORLD "[method]detector.fit")
tg_result *detector_fit(held *self, uint32_t rows, const tg_block *blocks, uint32_t count) {
    tg_batch batch = {rows, blocks, count};
    plugin_detector *fitted = NULL;
    tg_failure *failure = plugin_fit(self->settings, &batch, &fitted);
    if (!failure) {
        if (self->detector) plugin_drop(self->detector);
        self->detector = fitted;
    }
    return tg_result_of(failure);
}

EXPORT(WORLD "[method]detector.observe")
tg_result *detector_observe(held *self, uint32_t rows, const tg_block *blocks, uint32_t count) {
    tg_batch batch = {rows, blocks, count};
    tg_scores scores = {0};
    tg_failure *failure = self->detector ? plugin_observe(self->detector, &batch, &scores) : unfitted();
    tg_result *result = tg_result_of(failure);
    if (!failure) result->list = scores.list;
    return result;
}

EXPORT(WORLD "[method]detector.snapshot")
tg_result *detector_snapshot(held *self) {
    tg_bytes state = {0};
    tg_failure *failure = self->detector ? plugin_snapshot(self->detector, &state) : unfitted();
    tg_result *result = tg_result_of(failure);
    if (!failure) result->bytes = state;
    return result;
}

EXPORT(WORLD "[static]detector.restore")
tg_result *detector_restore(const char *data, uint32_t length, const uint8_t *state, uint32_t bytes) {
    tg_text settings = {data, length};
    plugin_detector *restored = NULL;
    tg_failure *failure = plugin_restore(settings, (tg_bytes){state, bytes}, &restored);
    tg_result *result = tg_result_of(failure);
    if (!failure) result->handle = new_handle(hold(settings, restored));
    return result;
}

EXPORT("cabi_post_" WORLD "[method]detector.fit") void post_fit(void *result) { (void)result, tg_end_call(); }
EXPORT("cabi_post_" WORLD "[method]detector.observe") void post_observe(void *result) { (void)result, tg_end_call(); }
EXPORT("cabi_post_" WORLD "[method]detector.snapshot") void post_snapshot(void *result) { (void)result, tg_end_call(); }
EXPORT("cabi_post_" WORLD "[static]detector.restore") void post_restore(void *result) { (void)result, tg_end_call(); }
