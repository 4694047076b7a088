//! An action's case: an event, the requests that it makes, and what each is
//! answered. No request leaves the machine.

use super::{
    Case, Exchange, Golden, Respond,
    compare::{from_stop, stop, summary},
    report::{CaseReport, Difference},
};
use plugins::trial::{Event, Exchanges, Outcome, Refusal, Request, Response, Subject};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) fn play(subject: &Subject<'_>, golden: &Golden, case: &Case) -> CaseReport {
    let mut report = CaseReport::default();
    let none = Value::Null;
    let expected = case.expect.as_ref().unwrap_or(&none);
    let event = match event(case.event.as_ref()) {
        Ok(event) => event,
        Err(why) => {
            report.differs("event", "a rollback", why);
            return report;
        }
    };
    let script = Script::new(case.exchanges.clone().unwrap_or_default());
    let settings = golden.settings_of(case);
    let started = subject.action(&settings, &golden.limits(), Box::new(script.clone()));
    report.cost.start(&started.spent);
    report.lines.extend(started.spent.lines);
    let mut session = match started.outcome {
        Ok(session) => session,
        Err(stopped) => {
            report.observed.expect = Some(from_stop(&stopped));
            stop(&mut report, "configure", expected, &stopped);
            return report;
        }
    };
    let ran = session.run(&event);
    report.cost.call(&ran.spent);
    report.lines.extend(ran.spent.lines);
    script.end(&mut report);
    match ran.outcome {
        Err(stopped) => {
            report.observed.expect = Some(from_stop(&stopped));
            stop(&mut report, "run", expected, &stopped);
        }
        Ok(outcome) => {
            let (name, text) = match &outcome {
                Outcome::Done(text) => ("done", text),
                Outcome::Skipped(text) => ("skipped", text),
            };
            report.observed.expect = Some(json!({ name: text }));
            let got = json!({ name: text }).to_string();
            match expected.get(name) {
                Some(wanted) if wanted == text => {}
                Some(wanted) => {
                    report.differs(
                        format!("run, {name}"),
                        wanted.to_string(),
                        json!(text).to_string(),
                    );
                }
                None => report.differs("run", summary(expected), got),
            }
        }
    }
    report
}

/// The rollback of a case; what it does not name has a default.
pub(crate) fn event(given: Option<&Map<String, Value>>) -> Result<Event, String> {
    let mut event = Event {
        id: "golden-1".to_owned(),
        endpoint: "churn".to_owned(),
        from: "churn/2".to_owned(),
        to: "churn/1".to_owned(),
        cause: "manual".to_owned(),
        reason: "an operator asked for it".to_owned(),
        at: 0,
        attempt: 1,
    };
    for (key, value) in given.into_iter().flatten() {
        let text = || {
            let text = value.as_str().map(str::to_owned);
            text.ok_or_else(|| format!("{key} is {value}, not text"))
        };
        match key.as_str() {
            "id" => event.id = text()?,
            "endpoint" => event.endpoint = text()?,
            "from" => event.from = text()?,
            "to" => event.to = text()?,
            "reason" => event.reason = text()?,
            "cause" => {
                event.cause = text()?;
                if !["health", "quality", "drift", "manual"].contains(&event.cause.as_str()) {
                    return Err(format!(
                        "cause is {value}: use health, quality, drift or manual"
                    ));
                }
            }
            "at" => {
                event.at = value
                    .as_i64()
                    .ok_or("at is not a whole number of milliseconds")?;
            }
            "attempt" => {
                event.attempt = value
                    .as_u64()
                    .and_then(|attempt| u32::try_from(attempt).ok())
                    .filter(|&attempt| attempt > 0)
                    .ok_or("attempt is not a whole number from 1")?;
            }
            _ => {
                return Err(format!(
                    "{key} is no part of an event: it has id, endpoint, from, to, cause, reason, at, attempt"
                ));
            }
        }
    }
    Ok(event)
}

/// Answers requests as the case says, and notes what is not as expected.
#[derive(Clone)]
pub(crate) struct Script(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    exchanges: Vec<Exchange>,
    /// Every request is answered 200, whatever it is.
    answering: bool,
    requests: Vec<Value>,
    differences: Vec<Difference>,
}

impl Script {
    pub(crate) fn new(exchanges: Vec<Exchange>) -> Self {
        Self(Arc::new(Mutex::new(State {
            exchanges,
            ..State::default()
        })))
    }

    /// Answers every request with 200 and nothing.
    pub(crate) fn answering() -> Self {
        let script = Self::new(Vec::new());
        script.state().answering = true;
        script
    }

    /// Every request so far, in the words of a golden file.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.state().requests.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere leaves the list as it is, which is what is wanted.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing may be left over.
    fn end(&self, report: &mut CaseReport) {
        let mut state = self.state();
        report.differences.append(&mut state.differences);
        report.observed.requests.clone_from(&state.requests);
        for at in state.requests.len()..state.exchanges.len() {
            let wanted = state.exchanges.get(at).and_then(|it| it.expect.clone());
            let wanted = Value::Object(wanted.unwrap_or_default()).to_string();
            report.differs(format!("request {at}"), wanted, "no such request");
        }
    }
}

impl Exchanges for Script {
    fn answer(&mut self, request: Request) -> Result<Response, Refusal> {
        let mut state = self.state();
        let at = state.requests.len();
        let given = from_request(&request);
        let any = state.answering.then(Exchange::default);
        let exchange = any.or_else(|| state.exchanges.get(at).cloned());
        let place = format!("request {at}");
        match &exchange {
            None => state.differences.push(Difference::new(
                place,
                "no more requests",
                format!("{} {}", request.method, request.path),
            )),
            Some(exchange) => {
                for (key, wanted) in exchange.expect.iter().flatten() {
                    compare(&mut state.differences, &place, key, wanted, &given);
                }
            }
        }
        state.requests.push(given);
        drop(state);
        match exchange {
            None => Err(Refusal::NotGranted),
            Some(Exchange {
                refuse: Some(name), ..
            }) => Err(Refusal::named(&name).unwrap_or(Refusal::NotGranted)),
            Some(Exchange { respond, .. }) => Ok(response(respond)),
        }
    }
}

fn from_request(request: &Request) -> Value {
    let headers: Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let text = String::from_utf8_lossy(&request.body);
    let body = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
    let mut given = json!({
        "target": request.target,
        "method": request.method.to_string(),
        "path": request.path,
        "body": body,
    });
    if !headers.is_empty() {
        given["headers"] = Value::Object(headers);
    }
    given
}

/// Compares one key of an expected request.
fn compare(found: &mut Vec<Difference>, place: &str, key: &str, wanted: &Value, given: &Value) {
    let none = Value::Null;
    let got = given.get(key).unwrap_or(&none);
    match key {
        // A subset: the author names the headers that matter.
        "headers" => {
            for (name, wanted) in wanted.as_object().into_iter().flatten() {
                let got = got.get(name).unwrap_or(&none);
                if got != wanted {
                    let place = format!("{place}, header {name}");
                    found.push(Difference::new(place, wanted.to_string(), got.to_string()));
                }
            }
        }
        "body" => body(found, &format!("{place}, body"), wanted, got),
        _ if wanted != got => found.push(Difference::new(
            format!("{place}, {key}"),
            wanted.to_string(),
            got.to_string(),
        )),
        _ => {}
    }
}

/// The places where two JSON values differ.
fn body(found: &mut Vec<Difference>, place: &str, wanted: &Value, got: &Value) {
    match (wanted, got) {
        (Value::Object(a), Value::Object(b)) => {
            let none = Value::Null;
            for (key, wanted) in a {
                body(
                    found,
                    &format!("{place}/{key}"),
                    wanted,
                    b.get(key).unwrap_or(&none),
                );
            }
            for key in b.keys().filter(|key| !a.contains_key(*key)) {
                let got = b.get(key).unwrap_or(&none).to_string();
                found.push(Difference::new(format!("{place}/{key}"), "nothing", got));
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (wanted, got)) in a.iter().zip(b).enumerate() {
                body(found, &format!("{place}/{at}"), wanted, got);
            }
        }
        _ if wanted != got => {
            found.push(Difference::new(place, wanted.to_string(), got.to_string()))
        }
        _ => {}
    }
}

fn response(given: Option<Respond>) -> Response {
    let given = given.unwrap_or(Respond {
        status: 200,
        headers: Map::new(),
        body: Value::Null,
    });
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Response {
        status: given.status,
        headers: given
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        body: text(&given.body).into_bytes(),
    }
}
