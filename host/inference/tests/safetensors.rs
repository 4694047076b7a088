//! safetensors files with an architecture description.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    reason = "an integration test is test code as a whole"
)]

use domain::{
    ports::engine::{Model, ModelLoadError, ModelLoader, ModelSource},
    signature::fp32,
    tensor::TensorData,
};
use inference::Engine;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/reference")
        .join(name)
}

fn load(name: &str, architecture: Option<Value>) -> Result<Arc<dyn Model>, ModelLoadError> {
    Engine::default().load(&ModelSource {
        path: fixture(name),
        architecture,
    })
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

fn mlp() -> Value {
    json!({
        "input": 30,
        "layers": [
            {"linear": {"weight": "fc0.weight", "bias": "fc0.bias"}},
            {"activation": "relu"},
            {"linear": {"weight": "fc1.weight", "bias": "fc1.bias"}},
            {"activation": "relu"},
            {"linear": {"weight": "fc2.weight", "bias": "fc2.bias"}},
            {"activation": "sigmoid"}
        ],
        "output": "probability"
    })
}

fn agrees(file: &str, architecture: Value, reference: &str) {
    let rows: Vec<Vec<f32>> = read("X_ref.json");
    let all: Value = read("predictions.json");
    let expected: Vec<f32> = serde_json::from_value(all[reference].clone()).unwrap();
    let model = load(file, Some(architecture)).unwrap();
    assert_eq!(model.signature().outputs[0].shape, [-1, 1]);
    let input = fp32("input", vec![rows.len(), 30], rows.concat());
    let prepared = model.signature().prepare(vec![input]).unwrap();
    let outputs = model.infer(&prepared).unwrap();
    let TensorData::Fp32(got) = &outputs[0].data else {
        panic!("type {}", outputs[0].datatype())
    };
    for (got, want) in got.iter().zip(&expected) {
        assert!((got - want).abs() <= 1e-5, "{got}, not {want}");
    }
}

#[test]
fn the_reference_files_agree() {
    agrees("mlp.safetensors", mlp(), "mlp_plain");
    let lr = json!({
        "input": 30,
        "layers": [{"linear": {"weight": "weight", "bias": "bias"}}, {"activation": "sigmoid"}]
    });
    agrees("lr.safetensors", lr, "lr");
}

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let mut architecture = mlp();
    change(&mut architecture);
    match load("mlp.safetensors", Some(architecture)) {
        Err(ModelLoadError::Architecture(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_mistake_names_its_layer() {
    assert!(refusal(|a| a["input"] = json!(29)).contains("layer 0 (linear)"));
    let missing = refusal(|a| a["layers"][2]["linear"]["weight"] = json!("fc9"));
    assert!(
        missing.contains("layer 2 (linear)") && missing.contains("fc9"),
        "{missing}"
    );
    let bias = refusal(|a| a["layers"][4]["linear"]["bias"] = json!("fc0.bias"));
    assert!(
        bias.contains("layer 4 (linear)") && bias.contains("[1]"),
        "{bias}"
    );
    let vector = refusal(|a| a["layers"][0]["linear"]["weight"] = json!("fc0.bias"));
    assert!(vector.contains("layer 0"), "{vector}");
}

#[test]
fn unknown_keys_and_layers_are_refused() {
    assert!(refusal(|a| a["size"] = json!(1)).contains("size"));
    assert!(refusal(|a| a["layers"][1] = json!({"conv": {}})).contains("conv"));
    assert!(refusal(|a| a["layers"][1] = json!({"activation": "swoosh"})).contains("swoosh"));
    assert!(refusal(|a| a["layers"] = json!([])).contains("layers"));
    assert!(refusal(|a| a["input"] = json!(0)).contains("input"));
    assert!(refusal(|a| a["fields"] = json!(["one"])).contains("fields"));
}

#[test]
fn weights_alone_ask_for_a_description() {
    let Err(ModelLoadError::Architecture(message)) = load("mlp.safetensors", None) else {
        panic!("it loaded")
    };
    assert!(
        message.contains("fc0.weight") && message.contains("layers"),
        "{message}"
    );
}

#[test]
fn normalisation_scale_and_softmax_do_what_they_say() {
    let tensors = [("m", vec![1f32, 2.0]), ("s", vec![2f32, 4.0])];
    let views = tensors.iter().map(|(name, values)| {
        let bytes: &'static [u8] = values
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect::<Vec<_>>()
            .leak();
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], bytes);
        (*name, view.unwrap())
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("small.safetensors");
    std::fs::write(&path, bytes).unwrap();
    let run = |layers: Value, x: [f32; 2]| {
        let source = ModelSource {
            path: path.clone(),
            architecture: Some(json!({"input": 2, "layers": layers, "fields": ["a", "b"]})),
        };
        let model = Engine::default().load(&source).unwrap();
        let input = fp32("input", vec![1, 2], x.to_vec());
        let outputs = model
            .infer(&model.signature().prepare(vec![input]).unwrap())
            .unwrap();
        outputs[0].data.to_f64().unwrap()
    };
    let scaled = run(json!([{"scale": {"mean": "m", "scale": "s"}}]), [3.0, 4.0]);
    assert_eq!(scaled, [1.0, 0.5]);
    let norm = run(
        json!([{"layer_norm": {"weight": "s", "epsilon": 0.0}}]),
        [1.0, 3.0],
    );
    assert_eq!(norm, [-2.0, 4.0]);
    let soft = run(json!([{"activation": "softmax"}]), [0.0, 3f32.ln()]);
    assert!((soft[0] - 0.25).abs() < 1e-6 && (soft[1] - 0.75).abs() < 1e-6);
}
