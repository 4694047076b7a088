//! Operators and whole exports give ONNX Runtime's answers
//! (`tests/fixtures/make_onnx.py` made both).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    reason = "an integration test is test code as a whole"
)]

use domain::{
    ports::engine::{Model, ModelLoader, ModelSource},
    tensor::{DataType, Tensor, TensorData},
};
use inference::Engine;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/onnx")
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

fn tensor(value: &Value) -> Tensor {
    let datatype: DataType = value["datatype"].as_str().unwrap().parse().unwrap();
    let all = value["data"].as_array().unwrap();
    macro_rules! ints {
        ($case:ident) => {
            TensorData::$case(
                all.iter()
                    .map(|v| v.as_i64().unwrap().try_into().unwrap())
                    .collect(),
            )
        };
    }
    let data = match datatype {
        DataType::Fp32 => TensorData::Fp32(all.iter().map(|v| number(v) as f32).collect()),
        DataType::Fp64 => TensorData::Fp64(all.iter().map(number).collect()),
        DataType::Fp16 => {
            TensorData::Fp16(all.iter().map(|v| half::f16::from_f64(number(v))).collect())
        }
        DataType::Bool => TensorData::Bool(all.iter().map(|v| v.as_bool().unwrap()).collect()),
        DataType::Bytes => {
            TensorData::Bytes(all.iter().map(|v| v.as_str().unwrap().into()).collect())
        }
        DataType::Int64 => ints!(Int64),
        DataType::Int32 => ints!(Int32),
        DataType::Int8 => ints!(Int8),
        DataType::Uint8 => ints!(Uint8),
        other => panic!("fixture of type {other}"),
    };
    let shape = value["shape"].as_array().unwrap();
    let shape = shape
        .iter()
        .map(|dim| dim.as_u64().unwrap() as usize)
        .collect();
    Tensor::new(value["name"].as_str().unwrap(), shape, data).unwrap()
}

fn load(path: &Path) -> Result<Arc<dyn Model>, String> {
    let source = ModelSource {
        path: path.to_owned(),
        architecture: None,
    };
    Engine::default()
        .load(&source)
        .map_err(|error| error.to_string())
}

fn differs(got: &Tensor, want: &Tensor) -> Option<String> {
    if got.shape != want.shape || got.datatype() != want.datatype() {
        return Some(format!(
            "{} {:?} instead of {} {:?}",
            got.datatype(),
            got.shape,
            want.datatype(),
            want.shape
        ));
    }
    let (Some(a), Some(b)) = (got.data.to_f64(), want.data.to_f64()) else {
        return (got.data != want.data)
            .then(|| format!("{:?} instead of {:?}", got.data, want.data));
    };
    let tolerance = if got.datatype() == DataType::Fp16 {
        2e-3
    } else {
        1e-5
    };
    let far = |a: f64, b: f64| {
        !(a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(1.0))
    };
    a.iter()
        .zip(&b)
        .position(|(&a, &b)| far(a, b))
        .map(|at| format!("element {at} is {} instead of {}", a[at], b[at]))
}

fn check(model: &dyn Model, case: &Value) -> Result<(), String> {
    let inputs = case["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(tensor)
        .collect();
    let prepared = model
        .signature()
        .prepare(inputs)
        .map_err(|e| e.to_string())?;
    let outputs = model.infer(&prepared).map_err(|error| error.to_string())?;
    let expected: Vec<Tensor> = case["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(tensor)
        .collect();
    if outputs.len() != expected.len() {
        return Err(format!("{} outputs", outputs.len()));
    }
    for ((got, want), spec) in outputs
        .iter()
        .zip(&expected)
        .zip(&model.signature().outputs)
    {
        if got.name != want.name || spec.datatype != got.datatype() {
            return Err(format!("signature says {spec:?} for {}", got.name));
        }
        if let Some(difference) = differs(got, want) {
            return Err(format!("{}: {difference}", got.name));
        }
    }
    Ok(())
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
        let outcome = load(&file).and_then(|model| check(&*model, case));
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
        if let Err(why) = load(&path).and_then(|model| check(&*model, &case)) {
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
