//! Posts the event's reason to a webhook that the operator granted.

use tollgate_plugin::{Action, Event, Failure, Outcome, outbound};

struct Webhook;

impl Action for Webhook {
    fn configure(_settings: &str) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn run(&self, event: Event) -> Result<Outcome, Failure> {
        let request = outbound::Request {
            target: "webhook".into(),
            method: outbound::Method::Post,
            path: "/".into(),
            headers: vec![],
            body: event.reason.into_bytes(),
        };
        match outbound::send(&request) {
            Ok(response) => Ok(Outcome::Done(format!("answered {}", response.status))),
            Err(refusal) => {
                Err(Failure::upstream("no-answer", format!("{refusal:?}")).retry_later())
            }
        }
    }
}

tollgate_plugin::export_action!(Webhook);
