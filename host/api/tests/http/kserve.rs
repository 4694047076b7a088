//! KServe V1.

use crate::client::{get, post, server};
use serde_json::json;

#[tokio::test]
async fn rows_columns_and_records_predict_alike() {
    let fixture = server().await;
    for body in [
        json!({"instances": [[1, 2], [3, 4]]}),
        json!({"inputs": [[1, 2], [3, 4]]}),
        json!({"instances": [{"a": 1, "b": 2}, {"b": 4, "a": 3}]}),
        json!({"inputs": {"b": [2, 4], "a": [1, 3]}}),
    ] {
        let (status, answer) =
            post(&fixture, "/v1/models/sum2:predict", &[], body.to_string()).await;
        assert_eq!(
            (status, answer),
            (200, json!({"predictions": [6.0, 14.0]})),
            "{body}"
        );
    }
}

#[tokio::test]
async fn nested_values_become_tensors() {
    let fixture = server().await;
    for body in [
        json!({"instances": [{"x": [0, 5]}, {"x": [2, 5]}]}),
        json!({"inputs": {"x": [[0, 5], [2, 5]]}}),
        json!({"instances": [[0, 5], [2, 5]]}),
    ] {
        let (_, answer) = post(&fixture, "/v1/models/clf:predict", &[], body.to_string()).await;
        assert_eq!(
            answer,
            json!({"predictions": [
                {"label": 0, "probabilities": [1.0, 0.0]},
                {"label": 1, "probabilities": [0.0, 1.0]},
            ]}),
            "{body}"
        );
    }
}

#[tokio::test]
async fn mistakes_are_named() {
    let fixture = server().await;
    let cases = [
        (
            "sum2:predict",
            "{}",
            400,
            r#"give "instances" (rows) or "inputs" (columns)"#,
        ),
        (
            "sum2:predict",
            r#"{"instances":[],"inputs":[]}"#,
            400,
            r#"give either "instances" or "inputs", not both"#,
        ),
        (
            "sum2:predict",
            r#"{"instances":[{"a":1}]}"#,
            400,
            r#"column "b" is missing"#,
        ),
        (
            "sum2:predict",
            r#"{"instances":[{"a":1,"b":{}}]}"#,
            400,
            r#"column "b", row 0: a cell must be a number, text, boolean or null"#,
        ),
        (
            "sum2:predict",
            r#"{"instances":[[1,2],[3]]}"#,
            400,
            r#"instances: "fields": data is ragged: arrays at depth 2 have 2 and 1 elements"#,
        ),
        (
            "clf:predict",
            r#"{"instances":[{"y":[1,2]}]}"#,
            400,
            r#"instances: "y" is not an input of the model: it takes x"#,
        ),
        ("sum2:explain", "{}", 501, "explanations are not offered"),
        ("sum2", "{}", 404, "ask for /v1/models/{name}:predict"),
        (
            "nothing:predict",
            "{}",
            404,
            r#"there is no endpoint "nothing""#,
        ),
    ];
    for (call, body, status, error) in cases {
        let answer = post(&fixture, &format!("/v1/models/{call}"), &[], body).await;
        assert_eq!(answer, (status, json!({"error": error})), "{call} {body}");
    }
}

#[tokio::test]
async fn models_are_listed() {
    let fixture = server().await;
    let (_, list) = get(&fixture, "/v1/models", &[]).await;
    let names = list["models"].as_array().unwrap();
    assert!(names.contains(&json!("sum2")) && !names.contains(&json!("closed")));
    let one = get(&fixture, "/v1/models/sum2", &[]).await;
    assert_eq!(one, (200, json!({"name": "sum2", "ready": true})));
    assert_eq!(get(&fixture, "/v1/models/empty", &[]).await.0, 503);
    assert_eq!(get(&fixture, "/v1/models/nothing", &[]).await.0, 404);
}
