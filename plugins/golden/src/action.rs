//! Golden cases of actions, over a scripted outside world.

use crate::{cases, compare, read, settings};
use serde_json::Value;
use std::collections::VecDeque;
use tollgate_plugin::{
    Cause, Event, Failure, Outcome,
    outbound::{Header, Method, Refusal, Request, Response},
};

/// Runs the cases of a file of kind `action`. `run` configures the action and
/// runs it on the event, sending requests through the function it is given.
pub fn actions(
    text: &str,
    run: impl Fn(
        &str,
        Event,
        &mut dyn FnMut(Request) -> Result<Response, Refusal>,
    ) -> Result<Outcome, Failure>,
) {
    let file = read(text, "action");
    for (name, case) in cases(&file) {
        let exchanges = case.get("exchanges").and_then(Value::as_array);
        let mut left: VecDeque<&Value> = exchanges.into_iter().flatten().collect();
        let mut send = |request: Request| {
            let Some(exchange) = left.pop_front() else {
                panic!("{name}: one request too many, to {}", request.path);
            };
            check(name, &exchange["expect"], &request);
            answer(exchange)
        };
        let found = run(&settings(&file, case), event(&case["event"]), &mut send);
        assert!(
            left.is_empty(),
            "{name}: {} requests were not sent",
            left.len()
        );
        let expect = &case["expect"];
        match (&found, expect.get("failure")) {
            (Err(found), Some(expected)) => compare::failure(name, expected, found),
            (Ok(Outcome::Done(text)), None) => assert_eq!(expect["done"], **text, "{name}"),
            (Ok(Outcome::Skipped(text)), None) => assert_eq!(expect["skipped"], **text, "{name}"),
            (found, _) => panic!("{name}: {found:?}, expected {expect}"),
        }
    }
}

fn check(name: &str, expected: &Value, request: &Request) {
    let method = match request.method {
        Method::Get => "get",
        Method::Post => "post",
        Method::Put => "put",
        Method::Patch => "patch",
        Method::Delete => "delete",
    };
    for (key, value) in expected.as_object().into_iter().flatten() {
        match key.as_str() {
            "target" => assert_eq!(*value, *request.target, "{name}"),
            "method" => assert_eq!(*value, *method, "{name}"),
            "path" => assert_eq!(*value, *request.path, "{name}"),
            "headers" => {
                for (header, value) in value.as_object().into_iter().flatten() {
                    let found = request.headers.iter().find(|other| other.name == *header);
                    let found = found.map(|header| header.value.as_str());
                    assert_eq!(found, value.as_str(), "{name}: header {header}");
                }
            }
            "body" => {
                let found = String::from_utf8_lossy(&request.body);
                match value {
                    Value::String(text) => assert_eq!(found, **text, "{name}"),
                    other => {
                        let found: Value = serde_json::from_str(&found).expect("a JSON body");
                        assert_eq!(found, *other, "{name}");
                    }
                }
            }
            other => panic!("{name}: a request has no key {other:?}"),
        }
    }
}

fn answer(exchange: &Value) -> Result<Response, Refusal> {
    if let Some(refusal) = exchange.get("refuse") {
        return Err(match refusal.as_str() {
            Some("not-granted") => Refusal::NotGranted,
            Some("malformed") => Refusal::Malformed,
            Some("unreachable") => Refusal::Unreachable,
            Some("timed-out") => Refusal::TimedOut,
            Some("too-large") => Refusal::TooLarge,
            Some("exhausted") => Refusal::Exhausted,
            other => panic!("no refusal {other:?}"),
        });
    }
    let respond = &exchange["respond"];
    let headers = respond.get("headers").and_then(Value::as_object);
    let header = |(name, value): (&String, &Value)| Header {
        name: name.clone(),
        value: value.as_str().unwrap_or_default().into(),
    };
    Ok(Response {
        status: respond["status"].as_u64().expect("a status") as u16,
        headers: headers.into_iter().flatten().map(header).collect(),
        body: match respond.get("body") {
            None => Vec::new(),
            Some(Value::String(text)) => text.clone().into_bytes(),
            Some(other) => other.to_string().into_bytes(),
        },
    })
}

fn event(given: &Value) -> Event {
    let text = |key: &str, or: &str| given[key].as_str().unwrap_or(or).to_owned();
    Event {
        id: text("id", "event-1"),
        endpoint: text("endpoint", "churn"),
        from: text("from", "churn/2"),
        to: text("to", "churn/1"),
        cause: match given["cause"].as_str() {
            Some("quality") => Cause::Quality,
            Some("drift") => Cause::Drift,
            Some("manual") => Cause::Manual,
            _ => Cause::Health,
        },
        reason: text("reason", "too many errors"),
        at: given["at"].as_i64().unwrap_or(0),
        attempt: given["attempt"].as_u64().unwrap_or(1) as u32,
    }
}
