//! The hashes against scikit-learn; `fixtures/parity.py` wrote what it answers.

use serde_json::{Value, json};
use text_hash::hasher::TextHash;
use tollgate_plugin::{Buffer, Transform};

fn check(column: &Value, texts: &Value, expected: &Value) {
    let mut column = column.clone();
    column["name"] = json!("t");
    let settings = json!({ "columns": [column] }).to_string();
    let transform = TextHash::configure(&settings).unwrap();
    let batch = golden::batch(&transform.describe().inputs, &json!({ "t": texts }));
    let answer = transform.apply(batch).unwrap().remove(0);
    let Buffer::F32s(found) = answer.values else {
        panic!("not floats");
    };
    let width = answer.shape[1] as usize;
    let rows = expected.as_array().unwrap();
    assert_eq!(found.len(), rows.len() * width);
    for (row, (found, expected)) in found.chunks(width).zip(rows).enumerate() {
        for (found, expected) in found.iter().zip(expected.as_array().unwrap()) {
            // The difference of a 64-bit answer from its 32-bit form.
            assert_eq!(
                *found,
                expected.as_f64().unwrap() as f32,
                "{settings}, row {row}"
            );
        }
    }
}

#[test]
fn equal_to_scikit_learn() {
    let file: Value = serde_json::from_str(include_str!("fixtures/parity.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 20);
    for case in cases {
        check(&case["column"], &file["texts"], &case["expected"]);
    }
    let split = &file["split"];
    check(&split["column"], &split["texts"], &split["expected"]);
}

#[test]
fn columns_stand_side_by_side_and_missing_text_is_all_zero() {
    let settings = json!({"columns": [
        {"name": "a", "buckets": 4, "tokens": "whole", "norm": "none"},
        {"name": "b", "buckets": 3, "norm": "none"},
    ]})
    .to_string();
    let transform = TextHash::configure(&settings).unwrap();
    let contract = transform.describe();
    assert_eq!(contract.outputs[0].shape, [-1, 7]);
    let columns = json!({"a": ["x", null], "b": [null, "word"]});
    let answer = transform
        .apply(golden::batch(&contract.inputs, &columns))
        .unwrap();
    let Buffer::F32s(found) = &answer[0].values else {
        panic!("not floats");
    };
    let filled = |range: std::ops::Range<usize>| found[range].iter().any(|x| *x != 0.0);
    assert!(filled(0..4) && !filled(4..7) && !filled(7..11) && filled(11..14));
}

#[test]
fn too_many_rows_are_refused_before_memory_is_taken() {
    let settings = r#"{"columns":[{"name":"t","buckets":65536}]}"#;
    let transform = TextHash::configure(settings).unwrap();
    let column: Vec<&str> = vec!["x"; 200];
    let batch = golden::batch(&transform.describe().inputs, &json!({ "t": column }));
    assert_eq!(transform.apply(batch).unwrap_err().code, "too-many-rows");
}
