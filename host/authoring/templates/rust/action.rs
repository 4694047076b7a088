//! Tells a hook, as chat tools take it, that a rollout was rolled back.

use serde::{Deserialize, Serialize};
use tollgate_plugin::{Action, Event, Failure, Outcome, log, outbound, settings};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notify {
    /// Name of the grant that the operator gave.
    target: String,
    /// Path below the grant's prefix.
    path: String,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

impl Action for Notify {
    fn configure(given: &str) -> Result<Self, Failure> {
        settings::parse(given)
    }

    fn run(&self, event: Event) -> Result<Outcome, Failure> {
        let Event { endpoint, from, to, reason, .. } = &event;
        let text = format!("{endpoint}: {from} was rolled back to {to}: {reason}");
        // The host adds an idempotency key, the same for every try of an event.
        let request = outbound::Request::post(&self.target, &self.path).json(&Message { text })?;
        let response = outbound::send(&request)?.success()?;
        log::info(&format!("{} answered {}", self.target, response.status));
        Ok(Outcome::Done(format!("{} answered {}", self.target, response.status)))
    }
}

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_action!(Notify);

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_plugin::{Cause, fake};

    fn event() -> Event {
        Event {
            id: "1".into(),
            endpoint: "churn".into(),
            from: "churn/7".into(),
            to: "churn/6".into(),
            cause: Cause::Health,
            reason: "errors".into(),
            at: 0,
            attempt: 1,
        }
    }

    #[test]
    fn the_hook_gets_one_request() {
        let gateway = fake::Gateway::new();
        gateway.answer(200, "");
        let notify = Notify::configure(r#"{"target":"hook","path":"/x"}"#).unwrap();
        let outcome = notify.run(event()).unwrap();
        assert!(matches!(outcome, Outcome::Done(text) if text == "hook answered 200"));
        let [request] = gateway.requests().try_into().unwrap();
        assert_eq!((request.target.as_str(), request.path.as_str()), ("hook", "/x"));
    }

    #[test]
    fn a_hook_that_is_down_is_tried_again_later() {
        let gateway = fake::Gateway::new();
        gateway.answer(503, "");
        let notify = Notify::configure(r#"{"target":"hook","path":"/x"}"#).unwrap();
        assert!(notify.run(event()).unwrap_err().retryable);
    }
}
