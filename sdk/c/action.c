/* The world `action` of wit/0.1 over plugin_configure and plugin_run. */
#include "internal.h"

#define WORLD "tollgate:plugin/rollback@0.1.0#"

IMPORT("tollgate:plugin/outbound@0.1.0", "send")
void send(const char *target, uint32_t target_length, uint32_t method, const char *path,
          uint32_t path_length, const tg_header *headers, uint32_t header_count,
          const uint8_t *body, uint32_t body_length, void *result);

tg_sent tg_send(const tg_request *request, tg_response *response) {
    struct { uint8_t refused; union { tg_response response; uint8_t refusal; }; } result;
    _Static_assert(sizeof result == 24, "layout");
    send(request->target.data, request->target.length, request->method, request->path.data,
         request->path.length, request->headers, request->header_count, request->body.data,
         request->body.length, &result);
    if (result.refused) return (tg_sent)(TG_NOT_GRANTED + result.refusal);
    *response = result.response;
    return TG_SENT;
}

tg_text tg_why(tg_sent sent) {
    switch (sent) {
    case TG_SENT: return TG("it was sent");
    case TG_NOT_GRANTED: return TG("the operator granted no such target, method or path");
    case TG_MALFORMED: return TG("the request breaks a rule of the interface");
    case TG_UNREACHABLE: return TG("the target cannot be reached");
    case TG_TIMED_OUT: return TG("the target did not answer in time");
    case TG_TOO_LARGE: return TG("request or response are over the grant's limit");
    case TG_EXHAUSTED: return TG("the grant's number of requests is spent");
    }
    return TG("it was refused");
}

EXPORT(WORLD "configure")
tg_result *action_configure(const char *data, uint32_t length) {
    return tg_result_of(plugin_configure((tg_text){data, length}));
}

EXPORT(WORLD "run")
tg_result *action_run(const char *id, uint32_t id_length, const char *endpoint, uint32_t endpoint_length,
                      const char *from, uint32_t from_length, const char *to, uint32_t to_length,
                      uint32_t cause, const char *reason, uint32_t reason_length, int64_t at,
                      uint32_t attempt) {
    tg_event event = {
        .id = {id, id_length}, .endpoint = {endpoint, endpoint_length}, .from = {from, from_length},
        .to = {to, to_length}, .cause = (tg_cause)cause, .reason = {reason, reason_length},
        .at = at, .attempt = attempt,
    };
    tg_outcome outcome = {0};
    tg_result *result = tg_result_of(plugin_run(&event, &outcome));
    if (!result->failed) result->outcome = outcome;
    return result;
}

EXPORT("cabi_post_" WORLD "configure") void post_configure(void *result) { (void)result, tg_end_call(); }
EXPORT("cabi_post_" WORLD "run") void post_run(void *result) { (void)result, tg_end_call(); }
