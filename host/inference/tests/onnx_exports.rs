//! What PyTorch's, Keras' and scikit-learn's own exporters write gives the answers
//! of ONNX Runtime and of the framework itself (`tests/fixtures/make_torch.py`,
//! `make_keras.py`, `make_quantised.py`).

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

/// The fixtures, or what one of the scripts wrote to another folder.
fn folder() -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/exports");
    std::env::var_os("XTASK_EXPORTS").map_or(fixtures, PathBuf::from)
}

/// Every call of one export, against both references.
fn agrees(path: &Path) -> Result<(), String> {
    let model = load(path)?;
    let calls: Vec<Value> =
        serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
    calls.iter().try_for_each(|call| {
        let answers = [&call["outputs"], &call["framework"]];
        check(&*model, &call["inputs"], &answers)
    })
}

#[test]
fn exports_give_the_answers_of_their_frameworks() {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "onnx"));
    paths.sort();
    assert!(!paths.is_empty());
    let failures: Vec<String> = paths
        .iter()
        .filter_map(|path| Some((path, agrees(path).err()?)))
        .map(|(path, why)| format!("{}: {why}", path.file_stem().unwrap().to_string_lossy()))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} fail:\n{}",
        failures.len(),
        paths.len(),
        failures.join("\n")
    );
}
