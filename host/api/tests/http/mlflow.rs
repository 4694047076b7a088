//! MLflow's scoring protocol.

use crate::{
    client::{post, send, server},
    parts::{Fixture, endpoint, variant},
};
use api::EdgeConfig;
use domain::route::{Access, FULL_WEIGHT};
use reqwest::Method;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// A server with the one endpoint `clf`, whose model knows columns `a` and `b`
/// and labels rows as the model behind the recordings does.
async fn one() -> Fixture {
    let only = endpoint("clf", vec![variant("clf", 1, FULL_WEIGHT)], Access::Open);
    Fixture::with(EdgeConfig::default(), vec![only], "127.0.0.1:0").await
}

/// What was recorded of MLflow's own server: the same statuses, the same error
/// codes, the same predictions.
#[tokio::test]
async fn recorded_exchanges_come_out_alike() {
    let fixture = one().await;
    let recorded = include_str!("../fixtures/mlflow-scoring.jsonl");
    let mut compared = 0;
    for line in recorded.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let call = exchange["call"].as_str().unwrap();
        let body = match &exchange["req_body"] {
            Value::Null => String::new(),
            body => match body["text"].as_str() {
                Some(text) => text.to_owned(),
                None => body["json"].to_string(),
            },
        };
        let media = exchange["req_headers"]["Content-Type"].as_str();
        let headers: Vec<_> = media
            .map(|media| ("content-type", media))
            .into_iter()
            .collect();
        let method: Method = exchange["method"].as_str().unwrap().parse().unwrap();
        let path = exchange["path"].as_str().unwrap();
        let response = send(&fixture, method, path, &headers, body).await;
        let expected = exchange["status"].as_u64().unwrap();
        // Without a Content-Type MLflow's server breaks; ours says what is missing.
        let expected = if call == "no_ct" { 400 } else { expected };
        assert_eq!(u64::from(response.status().as_u16()), expected, "{call}");
        let text = response.text().await.unwrap();
        let recorded = &exchange["resp_body"];
        match recorded["json"].as_object() {
            Some(answer) if answer.contains_key("predictions") => {
                let ours: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(ours, recorded["json"], "{call}");
            }
            Some(answer) if answer.contains_key("error_code") => {
                let ours: Value = serde_json::from_str(&text).unwrap();
                // A column of text where numbers belong: the schema, not the body.
                if call != "bad_type" {
                    assert_eq!(ours["error_code"], answer["error_code"], "{call}: {ours}");
                }
                assert!(ours["message"].is_string());
            }
            _ if path == "/ping" || path == "/health" => assert_eq!(text, "\n"),
            _ => continue,
        }
        compared += 1;
    }
    assert!(compared >= 19, "{compared}");
}

#[tokio::test]
async fn the_endpoint_is_chosen_by_path_header_or_query() {
    let fixture = server().await;
    let body = r#"{"inputs": {"a": [1], "b": [2]}}"#;
    let expected = (200, json!({"predictions": [6.0]}));
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        let headers = [&JSON[..], headers].concat();
        post(&fixture, path, &headers, body).await
    };
    assert_eq!(ask("/endpoints/sum2/invocations", &[]).await, expected);
    assert_eq!(ask("/invocations?endpoint=sum2", &[]).await, expected);
    assert_eq!(
        ask("/invocations", &[("tollgate-endpoint", "sum2")]).await,
        expected
    );
    let (status, answer) = ask("/invocations", &[]).await;
    assert_eq!(
        (status, &answer["error_code"]),
        (400, &json!("INVALID_PARAMETER_VALUE"))
    );
    let (status, answer) = ask("/endpoints/no/invocations", &[]).await;
    assert_eq!(
        (status, answer),
        (
            404,
            json!({
                "error_code": "RESOURCE_DOES_NOT_EXIST",
                "message": "there is no endpoint \"no\"",
            })
        )
    );
}

#[tokio::test]
async fn the_first_output_answers_unless_another_is_named() {
    let fixture = one().await;
    let ask = async |params: Value| {
        let body = json!({"dataframe_split": {"data": [[0, 1], [3, 0]], "columns": ["a", "b"]},
            "params": params});
        post(&fixture, "/invocations", &JSON, body.to_string()).await
    };
    assert_eq!(ask(json!({})).await.1, json!({"predictions": [0, 1]}));
    assert_eq!(
        ask(json!({"output": "probabilities"})).await.1,
        json!({"predictions": [[1.0, 0.0], [0.0, 1.0]]})
    );
    let (status, answer) = ask(json!({"output": "no"})).await;
    assert_eq!(status, 400);
    assert_eq!(
        answer["message"],
        "params.output: the model gives label, probabilities"
    );
}

#[tokio::test]
async fn frames_reach_a_transform_by_name() {
    let fixture = server().await;
    let path = "/endpoints/sum2/invocations";
    for body in [
        r#"{"dataframe_split":{"columns":["b","x","a"],"data":[[2,"ignored",1]]}}"#,
        r#"{"dataframe_records":[{"b":2,"a":1}]}"#,
        r#"{"instances":[{"a":1,"b":2}]}"#,
        r#"{"inputs":{"a":[1],"b":[2]}}"#,
    ] {
        let answer = post(&fixture, path, &JSON, body).await;
        assert_eq!(answer, (200, json!({"predictions": [6.0]})), "{body}");
    }
    let csv = [("content-type", "text/csv")];
    let answer = post(&fixture, path, &csv, "b,a\n2,1\n4,3\n").await;
    assert_eq!(answer, (200, json!({"predictions": [6.0, 14.0]})));
    let answer = post(&fixture, path, &JSON, r#"{"inputs":{"a":[null],"b":[2]}}"#).await;
    assert_eq!(
        answer,
        (200, json!({"predictions": [null]})),
        "null is a missing value"
    );
}

#[tokio::test]
async fn mistakes_are_told_apart_by_code() {
    let fixture = server().await;
    let path = "/endpoints/sum2/invocations";
    let cases = [
        (r#"{"inputs":{"a":[1]}}"#, "INVALID_PARAMETER_VALUE"),
        (
            r#"{"inputs":{"a":["x"],"b":[1]}}"#,
            "INVALID_PARAMETER_VALUE",
        ),
        (r#"{"inputs":[[1,2]]}"#, "INVALID_PARAMETER_VALUE"),
        (
            r#"{"inputs":{"a":[1,2],"b":[1]}}"#,
            "INVALID_PARAMETER_VALUE",
        ),
        (
            r#"{"dataframe_split":{"columns":["a","b"],"data":[[1]]}}"#,
            "BAD_REQUEST",
        ),
        (
            r#"{"dataframe_split":{"columns":[[]],"data":[[1]]}}"#,
            "BAD_REQUEST",
        ),
        (r#"{"dataframe_records":{"a":1}}"#, "BAD_REQUEST"),
        (r#"{"instances":{"a":[1]}}"#, "BAD_REQUEST"),
        ("", "BAD_REQUEST"),
    ];
    for (body, code) in cases {
        let (status, answer) = post(&fixture, path, &JSON, body).await;
        assert_eq!(
            (status, &answer["error_code"]),
            (400, &json!(code)),
            "{body}: {answer}"
        );
    }
    let csv = [("content-type", "text/csv")];
    for body in ["", "a,b\n1\n", "a,a\n1,2\n"] {
        let (status, answer) = post(&fixture, path, &csv, body).await;
        assert_eq!(
            (status, &answer["error_code"]),
            (400, &json!("BAD_REQUEST")),
            "{body:?}"
        );
    }
}
