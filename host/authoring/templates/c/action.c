/* Tells a hook, as chat tools take it, that a rollout was rolled back. */
#include "tollgate.h"

static tg_text target, path;

tg_failure *plugin_configure(tg_text settings) {
    tg_text value;
    if (!tg_json_get(settings, TG("target"), &value) || !tg_json_string(value, &target) ||
        !tg_json_get(settings, TG("path"), &value) || !tg_json_string(value, &path))
        return tg_fail(TG_INVALID_SETTINGS, TG("bad-settings"), TG("give target and path"));
    target = tg_keep_text(target); /* Settings are gone after this call. */
    path = tg_keep_text(path);
    return NULL;
}

/* `target answered 200`. */
static tg_text answered(uint16_t status) {
    tg_string text = {0};
    tg_add(&text, target);
    tg_add(&text, TG(" answered "));
    tg_add_integer(&text, status);
    return (tg_text){text.data, text.length};
}

tg_failure *plugin_run(const tg_event *event, tg_outcome *outcome) {
    tg_string text = {0}, body = {0};
    tg_add(&text, event->endpoint);
    tg_add(&text, TG(": "));
    tg_add(&text, event->from);
    tg_add(&text, TG(" was rolled back to "));
    tg_add(&text, event->to);
    tg_add(&text, TG(": "));
    tg_add(&text, event->reason);
    tg_add(&body, TG("{\"text\":"));
    tg_add_json(&body, (tg_text){text.data, text.length});
    tg_add(&body, TG("}"));

    tg_header json = {TG("content-type"), TG("application/json")};
    tg_request request = {
        .target = target,
        .method = TG_POST,
        .path = path,
        .headers = &json,
        .header_count = 1,
        .body = {(const uint8_t *)body.data, body.length},
    };
    tg_response response;
    /* The host adds an idempotency key, the same for every try of an event. */
    tg_sent sent = tg_send(&request, &response);
    if (sent != TG_SENT) {
        tg_failure *failure = tg_fail(TG_UPSTREAM, TG("no-answer"), tg_why(sent));
        bool later = sent == TG_UNREACHABLE || sent == TG_TIMED_OUT;
        return later ? tg_retry_later(failure) : failure;
    }
    if (response.status < 200 || response.status > 299) {
        tg_failure *failure = tg_fail(TG_UPSTREAM, TG("bad-status"), answered(response.status));
        return response.status >= 500 ? tg_retry_later(failure) : failure;
    }
    tg_log_line(TG_INFO, answered(response.status));
    outcome->text = answered(response.status);
    return NULL;
}
