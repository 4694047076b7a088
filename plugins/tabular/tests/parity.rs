//! The steps against scikit-learn and numpy; `fixtures/parity.py` wrote what
//! they answer.

use serde_json::Value;
use tabular::table::Table;
use tollgate_plugin::{Batch, Block, Buffer, Text, Transform};

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/parity.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn run(settings: &str, rows: usize, values: Buffer) -> Vec<f32> {
    let table = Table::configure(settings).unwrap();
    let batch = Batch {
        rows: rows as u32,
        blocks: vec![Block {
            fields: 1,
            values,
            validity: None,
        }],
    };
    match table.apply(batch).unwrap().remove(0).values {
        Buffer::F32s(values) => values,
        _ => panic!("not floats"),
    }
}

#[test]
fn numeric_steps_agree_with_scikit_learn_and_numpy() {
    let fixture = fixture();
    let rows: Vec<f32> = numbers(&fixture["rows"])
        .iter()
        .map(|&x| x as f32)
        .collect();
    let cases = fixture["numbers"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let settings = format!(
            r#"{{"columns":[{{"name":"x","steps":[{}]}}]}}"#,
            case["step"]
        );
        let found = run(&settings, rows.len(), Buffer::F32s(rows.clone()));
        for (found, expected) in found.iter().zip(numbers(&case["expected"])) {
            let error = (f64::from(*found) - expected).abs();
            assert!(
                error <= 1e-6 * expected.abs().max(1.0),
                "{}: {found} {expected}",
                case["step"]
            );
        }
    }
}

#[test]
fn one_hot_agrees_unknown_values_included() {
    let fixture = fixture();
    let text = &fixture["text"];
    let mut offsets = vec![0];
    let mut data = Vec::new();
    for value in text["given"].as_array().unwrap() {
        data.extend_from_slice(value.as_str().unwrap().as_bytes());
        offsets.push(data.len() as u32);
    }
    let rows = offsets.len() - 1;
    let settings = format!(
        r#"{{"columns":[{{"name":"t","type":"text","steps":{}}}]}}"#,
        text["steps"]
    );
    let found = run(&settings, rows, Buffer::Utf8(Text { offsets, data }));
    let found: Vec<f64> = found.into_iter().map(f64::from).collect();
    assert_eq!(found, numbers(&text["expected"]));
}
