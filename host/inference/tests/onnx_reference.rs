//! The reference exports of scikit-learn, XGBoost, LightGBM and plain networks
//! give the reference predictions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    reason = "an integration test is test code as a whole"
)]

use domain::{
    ports::engine::{Model, ModelLoader, ModelSource},
    signature::fp32,
    tensor::TensorData,
};
use inference::Engine;
use std::{path::PathBuf, sync::Arc};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/reference")
        .join(name)
}

fn json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

fn load(name: &str) -> Arc<dyn Model> {
    load_from(fixture(name))
}

fn load_from(path: PathBuf) -> Arc<dyn Model> {
    let source = ModelSource {
        path,
        architecture: None,
    };
    Engine::default().load(&source).unwrap()
}

/// Probability of the positive class, row by row.
fn positive(model: &dyn Model, rows: &[Vec<f32>], output: &str) -> Vec<f32> {
    let signature = model.signature();
    let data = rows.concat();
    let input = fp32(
        &signature.inputs[0].name,
        vec![rows.len(), rows[0].len()],
        data,
    );
    let prepared = signature.prepare(vec![input]).unwrap();
    let outputs = model.infer(&prepared).unwrap();
    let tensor = outputs.iter().find(|t| *t.name == *output).unwrap();
    let TensorData::Fp32(values) = &tensor.data else {
        panic!("probabilities of type {}", tensor.datatype())
    };
    let width = tensor.shape.get(1).copied().unwrap_or(1);
    values.chunks(width).map(|row| row[width - 1]).collect()
}

fn agrees(file: &str, reference: &str, output: &str) {
    let rows: Vec<Vec<f32>> = json("X_ref.json");
    let all: serde_json::Value = json("predictions.json");
    let expected: Vec<f32> = serde_json::from_value(all[reference].clone()).unwrap();
    let model = load(file);
    let batch = positive(&*model, &rows, output);
    assert_eq!(batch.len(), expected.len());
    for (row, (got, want)) in batch.iter().zip(&expected).enumerate() {
        assert!(
            (got - want).abs() <= 1e-5,
            "{file} row {row}: {got}, not {want}"
        );
    }
    let first = positive(&*model, &rows[..1], output);
    assert!((first[0] - batch[0]).abs() <= 1e-6);
}

#[test]
fn logistic_regression_agrees() {
    agrees("lr.onnx", "lr", "probabilities");
}

#[test]
fn network_with_labels_agrees() {
    agrees("mlp.onnx", "mlp", "probabilities");
}

#[test]
fn plain_networks_agree() {
    agrees("mlp_plain.onnx", "mlp_plain", "probability");
    agrees("mlp_matmul.onnx", "mlp_plain", "probability");
}

#[test]
fn forests_agree() {
    agrees("xgb.onnx", "xgb", "probabilities");
    agrees("rf.onnx", "rf", "probabilities");
    agrees("gb.onnx", "gb", "probabilities");
    agrees("lgbm.onnx", "lgbm", "probabilities");
}

/// 64 rows of 512 numbers, as `tests/fixtures/make_wide.py` computes them.
fn wide_rows() -> Vec<Vec<f32>> {
    let number = |at: i64| (((at * at * 31 + at * 7919) % 2003) as f64 / 1001.5 - 1.0) as f32;
    let row = |row: i64| (0..512).map(|at| number(row * 512 + at)).collect();
    (0..64).map(row).collect()
}

fn wide_agrees(model: &dyn Model, reference: &str) {
    let all: serde_json::Value = json("wide.json");
    let expected: Vec<f32> = serde_json::from_value(all[reference].clone()).unwrap();
    let rows = wide_rows();
    assert_eq!(rows.len(), expected.len());
    for size in [1, 8, 64] {
        for (rows, expected) in rows.chunks(size).zip(expected.chunks(size)) {
            for (got, want) in positive(model, rows, "probability").iter().zip(expected) {
                let difference = (got - want).abs();
                assert!(
                    difference <= 1e-5,
                    "{reference}, {size} rows: {got}, not {want}"
                );
            }
        }
    }
}

#[test]
fn wide_network_agrees() {
    wide_agrees(&*load("wide.onnx"), "wide");
}

/// `mlp_wide.onnx` has 6 MB of random weights and is kept beside the repository.
#[test]
fn wide_network_beside_the_repository_agrees() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/reference/models/mlp_wide.onnx");
    if !path.is_file() {
        println!("skipped: no {}", path.display());
        return;
    }
    wide_agrees(&*load_from(path), "mlp_wide");
}

#[test]
fn breast_cancer_regression_agrees() {
    #[derive(serde::Deserialize)]
    struct Reference {
        x: Vec<Vec<f32>>,
        proba: Vec<serde_json::Value>,
    }
    let reference: Reference = json("bc_lr_ref.json");
    let got = positive(&*load("bc_lr.onnx"), &reference.x, "probabilities");
    for (got, want) in got.iter().zip(&reference.proba) {
        let want = want.as_f64().or_else(|| want[1].as_f64()).unwrap();
        assert!((f64::from(*got) - want).abs() <= 1e-5, "{got}, not {want}");
    }
}

#[test]
fn labels_are_the_larger_probability() {
    let rows: Vec<Vec<f32>> = json("X_ref.json");
    for file in [
        "lr.onnx",
        "mlp.onnx",
        "xgb.onnx",
        "rf.onnx",
        "gb.onnx",
        "lgbm.onnx",
    ] {
        let model = load(file);
        let signature = model.signature();
        let input = fp32(
            &signature.inputs[0].name,
            vec![rows.len(), 30],
            rows.concat(),
        );
        let outputs = model
            .infer(&signature.prepare(vec![input]).unwrap())
            .unwrap();
        let TensorData::Int64(labels) = &outputs[0].data else {
            panic!("labels of type {}", outputs[0].datatype())
        };
        let positive = positive(&*model, &rows, "probabilities");
        for (label, p) in labels.iter().zip(positive) {
            assert_eq!(*label, i64::from(p > 0.5), "{file}");
        }
    }
}

#[test]
fn signatures_have_a_free_batch_dimension() {
    for file in [
        "lr.onnx",
        "mlp.onnx",
        "xgb.onnx",
        "rf.onnx",
        "gb.onnx",
        "lgbm.onnx",
    ] {
        let signature = load(file).signature().clone();
        assert_eq!(signature.inputs[0].shape, [-1, 30], "{file}");
        assert_eq!(signature.outputs[0].shape, [-1], "{file}");
        assert_eq!(signature.outputs[1].shape, [-1, 2], "{file}");
    }
    let plain = load("mlp_plain.onnx").signature().clone();
    assert_eq!(plain.outputs[0].shape, [-1, 1]);
}
