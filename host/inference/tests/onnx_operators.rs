//! Operators and whole exports give ONNX Runtime's answers
//! (`tests/fixtures/make_onnx.py` made both).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    reason = "an integration test is test code as a whole"
)]

#[path = "shared/reference.rs"]
mod reference;

use reference::{check, load};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/onnx")
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] * 16 + pair[1])
        .collect()
}

#[test]
fn every_operator_gives_the_reference_answer() {
    let cases: Vec<Value> =
        serde_json::from_slice(&std::fs::read(folder().join("ops.json")).unwrap()).unwrap();
    assert!(cases.len() > 250);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("operator.onnx");
    let mut failures = Vec::new();
    for case in &cases {
        std::fs::write(&file, unhex(case["model"].as_str().unwrap())).unwrap();
        let outcome =
            load(&file).and_then(|model| check(&*model, &case["inputs"], &[&case["outputs"]]));
        if let Err(why) = outcome {
            failures.push(format!("{}: {why}", case["name"].as_str().unwrap()));
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn whole_exports_give_the_reference_answer() {
    let mut failures = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "onnx") {
            continue;
        }
        seen += 1;
        let case: Value =
            serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
        if let Err(why) =
            load(&path).and_then(|model| check(&*model, &case["inputs"], &[&case["outputs"]]))
        {
            failures.push(format!("{}: {why}", path.display()));
        }
    }
    assert!(seen >= 20);
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
