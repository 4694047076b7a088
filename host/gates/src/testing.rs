//! Runs a bundle's tests: rules named `test_…` in its test modules.
//!
//! A test passes if its value is exactly `true`. Undefined fails, an error
//! fails with its message, `todo_test_…` is not run.

use crate::{
    cache::Prepared,
    contain::{Contained, Containment},
    engine, text,
};
use domain::ports::engine::GateTest;
use std::time::Duration;

pub(crate) fn run(
    prepared: &Prepared,
    containment: &Containment,
    deadline: Duration,
) -> Vec<GateTest> {
    let one = |path: &String| {
        let (engine, rule) = (prepared.engine.clone(), path.clone());
        let failure = match containment.run(deadline, move || engine::ask(engine, rule, None)) {
            Contained::Done(Ok(Some(serde_json::Value::Bool(true)))) => None,
            Contained::Done(Ok(Some(other))) => Some(format!("is {other}, not true")),
            Contained::Done(Ok(None)) => Some("is undefined: a condition does not hold".to_owned()),
            Contained::Done(Err(message)) | Contained::Failed(message) => Some(message),
        };
        GateTest {
            name: path.trim_start_matches("data.").to_owned(),
            passed: failure.is_none(),
            message: failure.map(|message| text::clean(&message)),
        }
    };
    prepared.tests.iter().map(one).collect()
}
