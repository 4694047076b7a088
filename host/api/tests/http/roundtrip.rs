//! Every datatype goes in and comes out unchanged, in JSON and in binary.

use crate::{
    client::{send, server},
    parts::Fixture,
};
use domain::tensor::{DATA_TYPES, DataType};
use proptest::{collection::vec, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

/// One element in both forms.
#[derive(Debug, Clone)]
struct Element {
    json: Value,
    bytes: Vec<u8>,
}

fn element(datatype: DataType) -> BoxedStrategy<Element> {
    macro_rules! number {
        ($type:ty) => {
            any::<$type>()
                .prop_map(|x| Element {
                    json: json!(x),
                    bytes: x.to_le_bytes().to_vec(),
                })
                .boxed()
        };
    }
    match datatype {
        DataType::Bool => any::<bool>()
            .prop_map(|x| Element {
                json: json!(x),
                bytes: vec![u8::from(x)],
            })
            .boxed(),
        DataType::Uint8 => number!(u8),
        DataType::Uint16 => number!(u16),
        DataType::Uint32 => number!(u32),
        DataType::Uint64 => number!(u64),
        DataType::Int8 => number!(i8),
        DataType::Int16 => number!(i16),
        DataType::Int32 => number!(i32),
        DataType::Int64 => number!(i64),
        DataType::Fp16 => any::<u16>()
            .prop_map(half::f16::from_bits)
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(|x| Element {
                json: json!(x.to_f32()),
                bytes: x.to_le_bytes().to_vec(),
            })
            .boxed(),
        DataType::Bf16 => any::<u16>()
            .prop_map(half::bf16::from_bits)
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(|x| Element {
                json: json!(x.to_f32()),
                bytes: x.to_le_bytes().to_vec(),
            })
            .boxed(),
        // Text as the shortest that reads back, so that JSON says the same f32.
        DataType::Fp32 => any::<u32>()
            .prop_map(f32::from_bits)
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(|x| Element {
                json: serde_json::from_str(&serde_json::to_string(&x).unwrap()).unwrap(),
                bytes: x.to_le_bytes().to_vec(),
            })
            .boxed(),
        DataType::Fp64 => any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(|x| Element {
                json: json!(x),
                bytes: x.to_le_bytes().to_vec(),
            })
            .boxed(),
        DataType::Bytes => any::<String>()
            .prop_map(|x| Element {
                bytes: [&(x.len() as u32).to_le_bytes(), x.as_bytes()].concat(),
                json: json!(x),
            })
            .boxed(),
    }
}

/// One tensor of every datatype, each `[rows, columns]`.
#[derive(Debug, Clone)]
struct Case {
    rows: usize,
    columns: usize,
    tensors: Vec<(DataType, Vec<Element>)>,
}

fn cases() -> impl Strategy<Value = Case> {
    (1usize..4, 0usize..4).prop_flat_map(|(rows, columns)| {
        let tensors: Vec<_> = DATA_TYPES
            .into_iter()
            .map(|datatype| (Just(datatype), vec(element(datatype), rows * columns)))
            .collect();
        tensors.prop_map(move |tensors| Case {
            rows,
            columns,
            tensors,
        })
    })
}

impl Case {
    /// The request's JSON, inputs binary where `binary` says so, and its blob.
    fn request(&self, binary: impl Fn(usize) -> bool, binary_output: bool) -> (String, Vec<u8>) {
        let mut blob = Vec::new();
        let inputs = self
            .tensors
            .iter()
            .enumerate()
            .map(|(at, (datatype, elements))| {
                let mut input = json!({
                    "name": datatype.as_str().to_lowercase(),
                    "shape": [self.rows, self.columns],
                    "datatype": datatype.as_str(),
                });
                if binary(at) {
                    let bytes: Vec<u8> = elements.iter().flat_map(|e| e.bytes.clone()).collect();
                    input["parameters"] = json!({"binary_data_size": bytes.len()});
                    blob.extend(bytes);
                } else {
                    input["data"] = elements.iter().map(|e| e.json.clone()).collect();
                }
                input
            });
        let body = json!({
            "inputs": inputs.collect::<Vec<_>>(),
            "parameters": {"binary_data_output": binary_output},
        });
        (body.to_string(), blob)
    }

    fn check(&self, answer: &Value, blob: Option<&[u8]>) {
        let mut at = 0;
        for ((datatype, elements), output) in self
            .tensors
            .iter()
            .zip(answer["outputs"].as_array().unwrap())
        {
            assert_eq!(output["datatype"], datatype.as_str());
            assert_eq!(output["shape"], json!([self.rows, self.columns]));
            if let Some(blob) = blob {
                let size = output["parameters"]["binary_data_size"].as_u64().unwrap() as usize;
                let expected: Vec<u8> = elements.iter().flat_map(|e| e.bytes.clone()).collect();
                assert_eq!(&blob[at..at + size], expected, "{datatype}");
                at += size;
            } else {
                let same = |(is, want): (&Value, &Element)| match (is.as_f64(), want.json.as_f64())
                {
                    // -0 keeps its value, JSON numbers are compared as numbers.
                    (Some(is), Some(want)) if datatype.as_str().contains('F') => {
                        is.to_bits() == want.to_bits()
                            || (*datatype != DataType::Fp64
                                && (is as f32).to_bits() == (want as f32).to_bits())
                    }
                    _ => *is == want.json,
                };
                let data = output["data"].as_array().unwrap();
                assert_eq!(data.len(), elements.len());
                assert!(data.iter().zip(elements).all(same), "{datatype}: {data:?}");
            }
        }
        assert_eq!(at, blob.map_or(0, <[u8]>::len));
    }
}

async fn go(fixture: &Fixture, case: &Case, mix: u16, binary_output: bool) {
    let (json, blob) = case.request(|at| mix >> at & 1 == 1, binary_output);
    let length = json.len().to_string();
    let headers = [("inference-header-content-length", length.as_str())];
    let body = [json.as_bytes(), &blob].concat();
    let response = send(
        fixture,
        Method::POST,
        "/v2/models/all/infer",
        &headers,
        body,
    )
    .await;
    let status = response.status();
    let at = response
        .headers()
        .get("inference-header-content-length")
        .cloned();
    let body = response.bytes().await.unwrap();
    assert_eq!(status, 200, "{body:?}");
    assert_eq!(at.is_some(), binary_output);
    let at = at.map_or(body.len(), |at| at.to_str().unwrap().parse().unwrap());
    let answer: Value = serde_json::from_slice(&body[..at]).unwrap();
    case.check(&answer, binary_output.then_some(&body[at..]));
}

#[tokio::test]
async fn every_datatype_survives_json_and_binary_in_any_mixture() {
    let fixture = server().await;
    let mut runner = TestRunner::default();
    let strategy = (cases(), any::<u16>(), any::<bool>());
    for _ in 0..128 {
        let (case, mix, binary_output) = strategy.new_tree(&mut runner).unwrap().current();
        go(&fixture, &case, mix, binary_output).await;
    }
}
