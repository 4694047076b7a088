//! Fixtures, and how a model is asked.

use domain::{
    ports::engine::{Model, ModelLoader, ModelSource},
    tensor::{Tensor, TensorData},
};
use inference::Engine;
use serde_json::Value;
use std::{path::PathBuf, sync::Arc};

/// Path of a file under `tests/fixtures` of the repository.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures")).join(name)
}

/// The content of a JSON fixture.
pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

/// Loads a fixture.
pub(crate) fn load(name: &str) -> Arc<dyn Model> {
    let source = ModelSource {
        path: fixture(name),
        architecture: None,
    };
    Engine::default()
        .load(&source)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Numbers of a nested JSON array, flattened; null is NaN.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Null => vec![f64::NAN],
        number => vec![number.as_f64().unwrap()],
    }
}

/// Asks about rows of the model's one input.
pub(crate) fn ask(model: &dyn Model, rows: &[f64]) -> Vec<Tensor> {
    let spec = &model.signature().inputs[0];
    let features = usize::try_from(spec.shape[1]).unwrap();
    let input = Tensor::new(
        Arc::clone(&spec.name),
        vec![rows.len() / features, features],
        TensorData::Fp32(rows.iter().map(|&x| x as f32).collect()),
    );
    let prepared = model.signature().prepare(vec![input.unwrap()]).unwrap();
    let outputs = model.infer(&prepared).unwrap();
    for (spec, tensor) in model.signature().outputs.iter().zip(&outputs) {
        assert_eq!(
            (&spec.name, spec.datatype),
            (&tensor.name, tensor.datatype())
        );
        assert_eq!(tensor.shape.len(), spec.shape.len());
        assert_eq!(tensor.rows(), prepared.rows());
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.data.len());
    }
    outputs
}

/// The values of an output.
pub(crate) fn output(outputs: &[Tensor], name: &str) -> Vec<f64> {
    let tensor = outputs.iter().find(|tensor| &*tensor.name == name).unwrap();
    tensor.data.to_f64().unwrap()
}

/// The largest absolute difference, relative to values above 1.
pub(crate) fn largest_difference(given: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(given.len(), expected.len());
    let differences = given
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
    differences.fold(0.0, |most, difference| {
        assert!(!difference.is_nan());
        f64::max(most, difference)
    })
}
