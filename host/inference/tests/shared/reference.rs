//! What the tests of ONNX files share: reference answers, and how they are compared.

use domain::{
    ports::engine::{Model, ModelLoader, ModelSource},
    tensor::{DataType, Tensor, TensorData},
};
use inference::Engine;
use serde_json::Value;
use std::{path::Path, sync::Arc};

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

/// Loads a file as a user registers it.
pub(crate) fn load(path: &Path) -> Result<Arc<dyn Model>, String> {
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

/// Runs the model on the inputs and compares with each list of outputs.
pub(crate) fn check(model: &dyn Model, inputs: &Value, answers: &[&Value]) -> Result<(), String> {
    let prepared = model
        .signature()
        .prepare(tensors(inputs))
        .map_err(|e| e.to_string())?;
    let outputs = model.infer(&prepared).map_err(|error| error.to_string())?;
    for expected in answers {
        let expected = tensors(expected);
        if outputs.len() != expected.len() {
            return Err(format!("{} outputs", outputs.len()));
        }
        let specs = &model.signature().outputs;
        for ((got, want), spec) in outputs.iter().zip(&expected).zip(specs) {
            if got.name != want.name || spec.datatype != got.datatype() {
                return Err(format!("signature says {spec:?} for {}", got.name));
            }
            if let Some(difference) = differs(got, want) {
                return Err(format!("{}: {difference}", got.name));
            }
        }
    }
    Ok(())
}

fn tensors(list: &Value) -> Vec<Tensor> {
    list.as_array().unwrap().iter().map(tensor).collect()
}
