//! Runs a golden file, or hostile batches, against a plugin's own code, without a
//! gateway.
//!
//! For the tests of this workspace only: `tollgate plugin test` runs the same
//! files in the real engine. Every detector case runs twice, the second time
//! with a snapshot and a restore before each window.

#![cfg(not(target_arch = "wasm32"))]

mod action;
mod columns;
mod compare;
mod detector;
mod hostile;
mod transform;

pub use action::actions;
pub use columns::batch;
pub use detector::detector;
pub use hostile::hostile;
pub use transform::transform;

use serde_json::Value;

/// The settings of one case: its own, or those of the file.
fn settings(file: &Value, case: &Value) -> String {
    let settings = case.get("settings").unwrap_or(&file["settings"]);
    settings.to_string()
}

/// Each case of a file with its name.
fn cases(file: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let cases = file["cases"].as_array().expect("cases is a list");
    cases
        .iter()
        .map(|case| (case["name"].as_str().expect("a case has a name"), case))
}

/// A golden file, whose kind must be `kind`.
fn read(text: &str, kind: &str) -> Value {
    let file: Value = serde_json::from_str(text).expect("the golden file is JSON");
    assert_eq!(file["kind"], kind);
    file
}
