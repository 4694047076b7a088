//! Open Inference Protocol over a real socket.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test helpers outside of test functions"
)]

#[path = "support/memory.rs"]
mod memory;
#[path = "support/parts.rs"]
mod parts;

use api::EdgeConfig;
use parts::Fixture;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

async fn server() -> Fixture {
    Fixture::start(EdgeConfig::default()).await
}

async fn infer(fixture: &Fixture, path: &str, body: &Value) -> (StatusCode, Value) {
    let url = format!("http://{}/v2/models/{path}", fixture.address);
    let response = Client::new()
        .post(url)
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    (response.status(), response.json().await.unwrap())
}

fn row() -> Value {
    json!({"inputs": [{"name": "IN", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.5]}]})
}

#[tokio::test]
async fn an_answer_names_its_model_and_who_gave_it() {
    let fixture = server().await;
    let mut body = row();
    body["id"] = json!("r\"1");
    body["parameters"] = json!({"custom": "x", "priority": 1, "tollgate_variant": "forged"});
    let url = format!("http://{}/v2/models/m/infer", fixture.address);
    let response = Client::new()
        .post(url)
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(response.status(), 200);
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("tollgate-variant"), "champion");
    assert_eq!(header("tollgate-model"), "m");
    assert_eq!(header("tollgate-version"), "1");
    assert!(!response.headers().contains_key("tollgate-transform"));
    assert_eq!(header("x-request-id").len(), 32);
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        json!({
            "model_name": "m",
            "model_version": "1",
            "id": "r\"1",
            "parameters": {
                "tollgate_variant": "champion",
                "tollgate_model": "m",
                "tollgate_version": "1",
                "custom": "x",
                "priority": 1,
            },
            "outputs": [{"name": "OUT", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.5]}],
        })
    );
}

#[tokio::test]
async fn data_may_come_nested_and_before_its_datatype() {
    let fixture = server().await;
    let text = r#"{"inputs":[{"data":[[1,2],[3,4]],"datatype":"FP32","shape":[2,2],"name":"IN"}]}"#;
    let url = format!("http://{}/v2/models/m/infer", fixture.address);
    let response = Client::new().post(url).body(text).send().await.unwrap();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["outputs"][0]["data"], json!([1.0, 2.0, 3.0, 4.0]));
}

#[tokio::test]
async fn the_version_in_the_path_answers() {
    let fixture = server().await;
    for version in ["1", "2"] {
        let (_, answer) = infer(&fixture, &format!("two/versions/{version}/infer"), &row()).await;
        assert_eq!(answer["model_version"], version);
    }
    for (version, error) in [
        ("3", r#"endpoint "two" does not serve version 3"#),
        (
            "x",
            r#"endpoint "two" does not serve version "x": versions are whole numbers"#,
        ),
    ] {
        let (status, answer) =
            infer(&fixture, &format!("two/versions/{version}/infer"), &row()).await;
        assert_eq!((status.as_u16(), &answer), (404, &json!({"error": error})));
    }
}
