//! Bundles and inputs that the tests start from.

use domain::{
    decision::Verdict,
    gate::{Enforcement, GateBundle, GateInput, GateManifest},
    ports::engine::GateEngine,
};
use gates::RegoGates;
use serde_json::{Value, json};

/// The committed example: complete evidence with a champion.
pub(crate) fn input() -> GateInput {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../policies/schema/example_input.json"
    );
    let text = std::fs::read_to_string(path).unwrap();
    gates::validate_input(&serde_json::from_str(&text).unwrap()).unwrap()
}

/// A bundle of one module in package `team.gate`, requiring the check `auc`.
pub(crate) fn bundle(module: &str) -> GateBundle {
    let mut bundle = empty();
    let text = format!("package team.gate\n{module}");
    bundle.modules.insert("gate.rego".to_owned(), text);
    bundle
}

/// [`bundle`] with a test module in package `team.gate_test`.
pub(crate) fn with_tests(module: &str, tests: &str) -> GateBundle {
    let mut bundle = bundle(module);
    let text = format!("package team.gate_test\nimport data.team.gate\n{tests}");
    bundle.modules.insert("gate_test.rego".to_owned(), text);
    bundle
}

/// No modules.
pub(crate) fn empty() -> GateBundle {
    GateBundle {
        manifest: GateManifest {
            package: "team.gate".to_owned(),
            required_checks: vec!["auc".to_owned()],
            enforcement: Enforcement::Hard,
            parameters: serde_json::Map::from_iter([("min_auc".to_owned(), json!(0.9))]),
            max_evidence_age_s: 3600,
            owners: Vec::new(),
        },
        modules: std::collections::BTreeMap::new(),
    }
}

/// A module that passes its one check, with `extra` rules after it.
pub(crate) fn allowing(extra: &str) -> String {
    let document = json!({"allow": true, "checks": [check("auc", "pass")]});
    format!("{}\n{extra}", answering(&document))
}

/// A module whose decision is `document`, whatever the input.
pub(crate) fn answering(document: &Value) -> String {
    format!(
        "default decision := {{\"allow\": false, \"checks\": []}}\ndecision := {document} if true"
    )
}

pub(crate) fn check(id: &str, status: &str) -> Value {
    json!({"id": id, "status": status, "message": "m"})
}

/// Evaluates on the example input with a fresh engine.
pub(crate) fn evaluate(bundle: &GateBundle) -> Verdict {
    RegoGates::default().evaluate(bundle, &input())
}

pub(crate) fn reason_codes(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons.iter().map(|r| r.code.as_str()).collect()
}

/// Codes that admission finds.
pub(crate) fn found(bundle: &GateBundle) -> Vec<String> {
    match RegoGates::default().admit(bundle) {
        Ok(()) => Vec::new(),
        Err(error) => error.findings.into_iter().map(|f| f.code).collect(),
    }
}
