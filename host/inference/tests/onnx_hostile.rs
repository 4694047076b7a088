//! Broken and malicious files are refused, or run to an error: nothing panics,
//! nothing takes memory or time without bound.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    reason = "an integration test is test code as a whole"
)]

use domain::{
    ports::engine::{Model, ModelLoadError, ModelLoader, ModelSource},
    signature::fp32,
    tensor::{DataType, Tensor, TensorData},
};
use inference::Engine;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Protobuf, as far as these tests need it.
#[derive(Default, Clone)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    fn bytes(mut self, field: u64, value: impl AsRef<[u8]>) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.as_ref().len() as u64);
        self.0.extend_from_slice(value.as_ref());
        self
    }

    fn message(self, field: u64, value: Self) -> Self {
        self.bytes(field, value.0)
    }
}

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let mut message = Message::default();
    for input in inputs {
        message = message.bytes(1, input);
    }
    for output in outputs {
        message = message.bytes(2, output);
    }
    message.bytes(4, op)
}

fn ints(name: &str, values: &[i64]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    Message::default()
        .int(1, values.len() as i64)
        .int(2, 7)
        .bytes(8, name)
        .bytes(9, raw)
}

fn value(name: &str, dims: &[i64]) -> Message {
    let mut shape = Message::default();
    for &dim in dims {
        let dim = match dim {
            -1 => Message::default(),
            dim => Message::default().int(1, dim),
        };
        shape = shape.message(1, dim);
    }
    let tensor = Message::default().int(1, 1).message(2, shape);
    Message::default()
        .bytes(1, name)
        .message(2, Message::default().message(1, tensor))
}

fn model(opset: i64, nodes: Vec<Message>, initialisers: Vec<Message>) -> Vec<u8> {
    let mut graph = Message::default();
    for node in nodes {
        graph = graph.message(1, node);
    }
    for tensor in initialisers {
        graph = graph.message(5, tensor);
    }
    graph = graph
        .message(11, value("x", &[-1, 4]))
        .message(12, value("y", &[-1, 4]));
    let opset = Message::default().bytes(1, "").int(2, opset);
    Message::default()
        .int(1, 8)
        .message(7, graph)
        .message(8, opset)
        .0
}

fn load(name: &str, bytes: &[u8]) -> Result<Arc<dyn Model>, ModelLoadError> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.onnx"));
    std::fs::write(&path, bytes).unwrap();
    Engine::default().load(&ModelSource {
        path,
        architecture: None,
    })
}

fn malformed(name: &str, bytes: &[u8]) -> String {
    match load(name, bytes) {
        Err(ModelLoadError::Malformed { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_unsupported_is_named_in_one_error() {
    let scan = node("Scan", &["x"], &["a"]);
    let custom = node("Magic", &["a"], &["b"]).bytes(7, "com.example");
    let strange = Message::default().bytes(1, "colour").int(3, 1).int(20, 2);
    let relu = node("Relu", &["b"], &["y"]).message(5, strange);
    let file = model(18, vec![scan, custom, relu], vec![]);
    let Err(ModelLoadError::Unsupported { what, .. }) = load("unsupported", &file) else {
        panic!("it loaded")
    };
    let wanted = [
        "ai.onnx::Relu attribute \"colour\"",
        "ai.onnx::Scan (opset 18)",
        "com.example::Magic (opset 1)",
    ];
    assert_eq!(what, wanted);
}

#[test]
fn operators_that_no_output_needs_are_not_looked_at() {
    let file = model(
        18,
        vec![node("Scan", &["x"], &["a"]), node("Relu", &["x"], &["y"])],
        vec![],
    );
    assert!(load("dead", &file).is_ok());
}

#[test]
fn old_operator_sets_and_external_data_are_named() {
    let file = model(6, vec![node("Relu", &["x"], &["y"])], vec![]);
    let Err(ModelLoadError::Unsupported { what, .. }) = load("old", &file) else {
        panic!("it loaded")
    };
    assert!(what[0].contains("operator set 6"));
    let external = ints("w", &[1]).int(14, 1);
    let file = model(18, vec![node("Add", &["x", "w"], &["y"])], vec![external]);
    let Err(ModelLoadError::Unsupported { what, .. }) = load("external", &file) else {
        panic!("it loaded")
    };
    assert!(what[0].contains("external data"));
}

#[test]
fn graphs_that_make_no_sense_are_refused() {
    let cycle = vec![
        node("Add", &["x", "b"], &["a"]),
        node("Relu", &["a"], &["b"]),
        node("Relu", &["b"], &["y"]),
    ];
    assert!(malformed("cycle", &model(18, cycle, vec![])).contains("cycle"));
    let twice = vec![node("Relu", &["x"], &["y"]), node("Abs", &["x"], &["y"])];
    assert!(malformed("twice", &model(18, twice, vec![])).contains("twice"));
    let missing = vec![node("Relu", &["z"], &["y"])];
    assert!(malformed("missing", &model(18, missing, vec![])).contains("never made"));
    let raw = Message::default()
        .int(1, 3)
        .int(2, 7)
        .bytes(8, "w")
        .bytes(9, [0; 8]);
    let short = model(18, vec![node("Add", &["x", "w"], &["y"])], vec![raw]);
    assert!(malformed("short", &short).contains("raw data"));
    let huge = Message::default()
        .int(1, i64::MAX)
        .int(1, i64::MAX)
        .int(2, 1)
        .bytes(8, "w");
    let huge = model(18, vec![node("Add", &["x", "w"], &["y"])], vec![huge]);
    assert!(malformed("huge", &huge).contains("limit"));
    let deep = Message::default().bytes(7, [0x0a; 50_000]);
    assert!(load("deep", &deep.int(1, 8).0).is_err());
}

/// `y = Loop(x)` for ever, by a body with these outputs.
fn endless(outputs: &[&str]) -> Vec<u8> {
    let mut body = Message::default().message(1, node("Relu", &["s"], &["t"]));
    for name in ["round", "go", "s"] {
        body = body.message(11, value(name, &[]));
    }
    for name in outputs {
        body = body.message(12, value(name, &[]));
    }
    let body = Message::default()
        .bytes(1, "body")
        .message(6, body)
        .int(20, 5);
    let node = node("Loop", &["", "", "x"], &["y"]).message(5, body);
    model(18, vec![node], vec![])
}

#[test]
fn loops_end() {
    assert!(malformed("endless", &endless(&["go", "t"])).contains("steps"));
    assert!(malformed("stacking", &endless(&["go", "t", "s"])).contains("steps"));
    assert!(malformed("states", &endless(&["go"])).contains("does not fit"));
}

#[test]
fn unsorted_graphs_are_sorted() {
    let nodes = vec![node("Relu", &["a"], &["y"]), node("Neg", &["x"], &["a"])];
    let loaded = load("unsorted", &model(18, nodes, vec![])).unwrap();
    let input = fp32("x", vec![1, 4], vec![-1.0, 2.0, -3.0, 0.0]);
    let outputs = loaded
        .infer(&loaded.signature().prepare(vec![input]).unwrap())
        .unwrap();
    assert_eq!(outputs[0].data, TensorData::Fp32(vec![1.0, 0.0, 3.0, 0.0]));
}

#[test]
fn bombs_are_refused_at_load() {
    let big = [1 << 20, 1 << 20];
    for (name, op) in [("expand", "Expand"), ("tile", "Tile")] {
        let file = model(
            18,
            vec![node(op, &["x", "s"], &["y"])],
            vec![ints("s", &big)],
        );
        assert!(malformed(name, &file).contains("limit"), "{op}");
    }
    let file = model(
        18,
        vec![node("ConstantOfShape", &["s"], &["y"])],
        vec![ints("s", &big)],
    );
    assert!(malformed("constant", &file).contains("limit"));
    let scalar = |name: &str, value: i64| {
        Message::default()
            .int(2, 7)
            .bytes(8, name)
            .bytes(9, value.to_le_bytes())
    };
    let range = vec![scalar("a", 0), scalar("b", i64::MAX), scalar("c", 1)];
    let file = model(18, vec![node("Range", &["a", "b", "c"], &["y"])], range);
    assert!(malformed("range", &file).contains("range"));
    // Each step alone is allowed, all of them together are not.
    let mut nodes = vec![];
    let mut constants = vec![];
    for at in 0..40 {
        let (from, to) = (format!("s{at}"), format!("c{at}"));
        constants.push(ints(&from, &[1 << 13, 1 << 12]));
        nodes.push(node("ConstantOfShape", &[&from], &[&to]));
    }
    let all: Vec<String> = (0..40).map(|at| format!("c{at}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    nodes.push(node("Sum", &all, &["y"]));
    assert!(malformed("many", &model(18, nodes, constants)).contains("elements"));
}

#[test]
fn out_of_range_input_is_an_error_and_the_model_goes_on() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/onnx/transformer.onnx");
    let source = ModelSource {
        path,
        architecture: None,
    };
    let loaded = Engine::default().load(&source).unwrap();
    let run = |token: i64, time: usize| {
        let data = TensorData::Int64(vec![token; time]);
        let input = Tensor::new("tokens", vec![1, time], data).unwrap();
        loaded.infer(&loaded.signature().prepare(vec![input]).unwrap())
    };
    let error = run(1000, 3).unwrap_err();
    assert_eq!(error.kind, domain::error::ErrorKind::Invalid);
    assert!(error.message.contains("Gather"), "{}", error.message);
    assert!(run(1, 17).is_err(), "longer than the position table");
    assert!(run(1, 16).is_ok());
}

/// xorshift64*: the same mutations every time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.next(4) {
        let at = random.next(bytes.len());
        match random.next(6) {
            0 => bytes[at] ^= 1 << random.next(8),
            1 => bytes[at] = random.next(256) as u8,
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.next(5)],
            3 => bytes.truncate(at.max(8)),
            4 => {
                let from = random.next(bytes.len());
                let part = bytes[from..(from + random.next(32)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let end = (at + random.next(8)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
        if bytes.len() < 8 {
            return;
        }
    }
}

/// Runs a model that still loads on ones of its own signature.
fn exercise(model: &dyn Model) {
    let mut inputs = Vec::new();
    for spec in &model.signature().inputs {
        let shape: Vec<usize> = spec
            .shape
            .iter()
            .map(|&dim| dim.clamp(-1, 64))
            .map(|dim| if dim < 0 { 2 } else { dim as usize })
            .collect();
        let n = shape.iter().product();
        let data = match spec.datatype {
            DataType::Fp32 => TensorData::Fp32(vec![1.0; n]),
            DataType::Int64 => TensorData::Int64(vec![1; n]),
            DataType::Bytes => TensorData::Bytes(vec![b"red".to_vec(); n]),
            _ => return,
        };
        inputs.push(Tensor::new(spec.name.as_ref(), shape, data).unwrap());
    }
    if let Ok(prepared) = model.signature().prepare(inputs) {
        drop(model.infer(&prepared));
    }
}

#[test]
fn mutated_files_never_panic() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("onnx"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "onnx"))
        .collect();
    files.push(root.join("reference/mlp.onnx"));
    files.push(root.join("reference/mlp_plain.onnx"));
    files.push(root.join("reference/lr.onnx"));
    // Loops, conditions and bytes are in what the frameworks wrote.
    let written = std::fs::read_dir(root.join("exports")).unwrap();
    let written = written.map(|entry| entry.unwrap().path());
    let small = |path: &PathBuf| std::fs::metadata(path).unwrap().len() < 20_000;
    files.extend(
        written.filter(|path| path.extension().is_some_and(|e| e == "onnx") && small(path)),
    );
    files.sort();
    let cases: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(root.join("onnx/ops.json")).unwrap()).unwrap();
    let mut seeds: Vec<Vec<u8>> = files
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    seeds.extend(cases.iter().map(|case| {
        let digits = case["model"].as_str().unwrap().as_bytes();
        let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut loaded, mut refused, mut slowest) = (0, 0, Duration::ZERO);
    let end = Instant::now() + Duration::from_secs(30);
    'all: for _ in 0..60 {
        for seed in &seeds {
            if Instant::now() > end {
                break 'all;
            }
            let mut bytes = seed.clone();
            mutate(&mut bytes, &mut random);
            let start = Instant::now();
            match load("fuzz", &bytes) {
                Ok(model) => {
                    loaded += 1;
                    exercise(&*model);
                }
                // The loader's net under a panicking parser must stay unused.
                Err(error) => {
                    let text = error.to_string();
                    assert!(!text.contains("defect"), "{text}");
                    refused += 1;
                }
            }
            slowest = slowest.max(start.elapsed());
        }
    }
    assert!(
        loaded > 100 && refused > 100,
        "{loaded} loaded, {refused} refused"
    );
    // Far beyond what any of them takes, whatever else the machine does.
    assert!(slowest < Duration::from_secs(60), "{slowest:?}");
}
