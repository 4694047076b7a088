//! Open Inference Protocol.

use crate::{
    client::{get, post, send, server},
    parts::Fixture,
};
use reqwest::Method;
use serde_json::{Value, json};

fn row() -> Value {
    json!({"inputs": [{"name": "IN", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.5]}]})
}

async fn infer(fixture: &Fixture, model: &str, body: &Value) -> (u16, Value) {
    post(
        fixture,
        &format!("/v2/models/{model}/infer"),
        &[],
        body.to_string(),
    )
    .await
}

#[tokio::test]
async fn an_answer_names_its_model_and_who_gave_it() {
    let fixture = server().await;
    let mut body = row();
    body["id"] = json!("r\"1");
    body["parameters"] = json!({"custom": "x", "priority": 1, "tollgate_variant": "forged"});
    let path = "/v2/models/m/infer";
    let response = send(&fixture, Method::POST, path, &[], body.to_string()).await;
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
async fn a_transform_is_named_by_its_digest() {
    let fixture = server().await;
    let digest = domain::digest::Digest::of(b"doubling").to_string();
    let input =
        |name: &str, x: f64| json!({"name": name, "shape": [1], "datatype": "FP32", "data": [x]});
    let by_field = json!({"inputs": [input("b", 2.0), input("a", 1.0)]});
    let table = json!({"inputs": [
        {"name": "fields", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]}
    ]});
    for body in [by_field, table] {
        let path = "/v2/models/sum2/infer";
        let response = send(&fixture, Method::POST, path, &[], body.to_string()).await;
        assert_eq!(response.headers()["tollgate-transform"], digest.as_str());
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["parameters"]["tollgate_transform"], digest.as_str());
        assert_eq!(answer["outputs"][0]["data"], json!([6.0]));
    }
}

#[tokio::test]
async fn data_may_come_nested_and_before_its_datatype() {
    let fixture = server().await;
    let text = r#"{"inputs":[{"data":[[1,2],[3,4]],"datatype":"FP32","shape":[2,2],"name":"IN"}]}"#;
    let (_, answer) = post(&fixture, "/v2/models/m/infer", &[], text).await;
    assert_eq!(answer["outputs"][0]["data"], json!([1.0, 2.0, 3.0, 4.0]));
}

#[tokio::test]
async fn the_version_in_the_path_answers() {
    let fixture = server().await;
    let at = |version: &str| format!("two/versions/{version}");
    for version in ["1", "2"] {
        let (_, answer) = infer(&fixture, &at(version), &row()).await;
        assert_eq!(answer["model_version"], version);
    }
    for (version, error) in [
        ("3", r#"endpoint "two" does not serve version 3"#),
        (
            "x",
            r#"endpoint "two" does not serve version "x": versions are whole numbers"#,
        ),
    ] {
        let answer = infer(&fixture, &at(version), &row()).await;
        assert_eq!(answer, (404, json!({"error": error})));
    }
}

#[tokio::test]
async fn a_sticky_header_keeps_a_caller_on_one_variant() {
    let fixture = server().await;
    let mut seen = std::collections::HashSet::new();
    for user in 0..20 {
        let user = format!("user-{user}");
        let ask = || async {
            let headers = [("x-user", user.as_str())];
            let (_, answer) = post(
                &fixture,
                "/v2/models/two/infer",
                &headers,
                row().to_string(),
            )
            .await;
            answer["model_version"].to_string()
        };
        let first = ask().await;
        assert_eq!(first, ask().await);
        seen.insert(first);
    }
    assert_eq!(seen.len(), 2, "both variants get users");
}

#[tokio::test]
async fn outputs_can_be_chosen() {
    let fixture = server().await;
    let mut body = json!({"inputs": [
        {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0, 1]}
    ]});
    let (_, all) = infer(&fixture, "clf", &body).await;
    assert_eq!(all["outputs"].as_array().unwrap().len(), 2);
    body["outputs"] = json!([{"name": "probabilities"}]);
    let (_, one) = infer(&fixture, "clf", &body).await;
    assert_eq!(
        one["outputs"],
        json!([{"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 0.0]}])
    );
    body["outputs"] = json!([{"name": "no"}]);
    let error = r#"output "no" is not known: the model gives label, probabilities"#;
    let answer = infer(&fixture, "clf", &body).await;
    assert_eq!(answer, (400, json!({"error": error})));
}

#[tokio::test]
async fn what_json_cannot_say_is_null_and_comes_whole_in_binary() {
    let fixture = server().await;
    let mut body = json!({"inputs": [
        {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0, 1]}
    ]});
    let (_, answer) = infer(&fixture, "strange", &body).await;
    assert_eq!(answer["outputs"][0]["data"], json!([null, null, null]));
    body["parameters"] = json!({"binary_data_output": true});
    let path = "/v2/models/strange/infer";
    let response = send(&fixture, Method::POST, path, &[], body.to_string()).await;
    let bytes = response.bytes().await.unwrap();
    let tail: Vec<f64> = bytes[bytes.len() - 24..]
        .chunks(8)
        .map(|chunk| f64::from_le_bytes(chunk.try_into().unwrap()))
        .collect();
    assert!(tail[0].is_nan() && tail[1] == f64::INFINITY && tail[2] == f64::NEG_INFINITY);
}

#[tokio::test]
async fn a_body_may_be_nothing_but_one_tensor() {
    let fixture = server().await;
    let bare = [("inference-header-content-length", "0")];
    let floats: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let (_, answer) = post(&fixture, "/v2/models/m/infer", &bare, floats.clone()).await;
    assert_eq!(
        answer["outputs"],
        json!([{"name": "OUT", "datatype": "FP32", "shape": [2, 2], "data": [1.0, 2.0, 3.0, 4.0]}])
    );
    let (_, answer) = post(&fixture, "/v2/models/s/infer", &bare, "héllo").await;
    assert_eq!(answer["outputs"][0]["data"], json!(["héllo"]));
    let (status, answer) = post(&fixture, "/v2/models/m/infer", &bare, floats[..12].to_vec()).await;
    let error = r#"input "IN": 12 bytes of binary data, 2 elements of FP32 take 8"#;
    assert_eq!((status, answer), (400, json!({"error": error})));
    let (status, _) = post(&fixture, "/v2/models/all/infer", &bare, "x").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn every_mistake_in_a_request_is_named() {
    let fixture = server().await;
    let input = |change: Value| {
        let mut input = row()["inputs"][0].clone();
        for (key, value) in change.as_object().unwrap() {
            if value.is_null() {
                input.as_object_mut().unwrap().remove(key);
            } else {
                input[key] = value.clone();
            }
        }
        json!({"inputs": [input]}).to_string()
    };
    let cases = [
        (
            "".to_owned(),
            "not an inference request: EOF while parsing a value at line 1 column 0",
        ),
        (
            "{}".to_owned(),
            "not an inference request: missing field `inputs` at line 1 column 2",
        ),
        (
            r#"{"inputs":[],"inputs":[]}"#.to_owned(),
            "not an inference request: duplicate field `inputs` at line 1 column 21",
        ),
        (
            r#"{"inputs":[]}"#.to_owned(),
            r#"input "IN" is missing: the model takes IN FP32 [-1, 2]"#,
        ),
        (r#"{"id":7,"inputs":[]}"#.to_owned(), "id must be a string"),
        (
            r#"{"parameters":{"a":[1]},"inputs":[]}"#.to_owned(),
            r#"parameter "a" must be a string, a number or a boolean"#,
        ),
        (
            input(json!({"datatype": "FP33"})),
            r#"input "IN": datatype "FP33" is not known: use BOOL, UINT8-64, INT8-64, FP16, BF16, FP32, FP64 or BYTES"#,
        ),
        (
            input(json!({"datatype": "FP64"})),
            r#"input "IN" has datatype FP64, expected FP32"#,
        ),
        (
            input(json!({"name": "x"})),
            r#"input "IN" is missing: the model takes IN FP32 [-1, 2]"#,
        ),
        (
            input(json!({"shape": [2, 2]})),
            r#"input "IN": its shape is [2, 2], its data is [2]"#,
        ),
        (
            input(json!({"data": [[1], [2]]})),
            r#"input "IN": its shape is [1, 2], its data is [2, 1]"#,
        ),
        (
            input(json!({"shape": [2]})),
            r#"input "IN" has shape [2], expected [-1, 2] (-1 is any size)"#,
        ),
        (
            input(json!({"shape": [u64::MAX, 2]})),
            r#"input "IN": its shape is too large"#,
        ),
        (
            input(json!({"data": [1, "x"]})),
            r#"input "IN": element 1: "x" is not a value of FP32"#,
        ),
        (
            input(json!({"data": [1, 1e39]})),
            r#"input "IN": element 1: 1e+39 is not a value of FP32"#,
        ),
        (
            input(json!({"data": null})),
            r#"input "IN": it has neither data nor binary_data_size"#,
        ),
        (
            input(json!({"parameters": {"binary_data_size": 8}})),
            r#"input "IN": it has both data and binary_data_size"#,
        ),
        (
            input(json!({"data": null, "parameters": {"binary_data_size": 8}})),
            r#"input "IN": binary_data_size is 8, 0 bytes are left in the body"#,
        ),
        (
            input(json!({"data": null, "parameters": {"shared_memory_region": "r"}})),
            r#"input "IN": shared memory is not supported"#,
        ),
    ];
    for (body, error) in cases {
        let answer = post(&fixture, "/v2/models/m/infer", &[], body.clone()).await;
        assert_eq!(answer, (400, json!({"error": error})), "{body}");
    }
}

#[tokio::test]
async fn lengths_of_binary_requests_are_checked() {
    let fixture = server().await;
    let header = r#"{"inputs":[{"name":"IN","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}"#;
    let length = header.len().to_string();
    let cases: [(&str, usize, &str); 4] = [
        (
            "x",
            8,
            "Inference-Header-Content-Length is not a number of bytes",
        ),
        (
            "9999",
            8,
            "Inference-Header-Content-Length is 9999, the body has 102 bytes",
        ),
        (
            &length,
            7,
            r#"input "IN": binary_data_size is 8, 7 bytes are left in the body"#,
        ),
        (
            &length,
            9,
            "1 bytes follow the binary data that the inputs announce",
        ),
    ];
    for (length, blob, error) in cases {
        let body = [header.as_bytes(), &vec![0; blob]].concat();
        let headers = [("inference-header-content-length", length)];
        let answer = post(&fixture, "/v2/models/m/infer", &headers, body).await;
        assert_eq!(answer, (400, json!({"error": error})));
    }
}

#[tokio::test]
async fn nesting_that_would_overflow_a_stack_is_refused() {
    let fixture = server().await;
    let deep = |n: usize| {
        let data = format!("{}1{}", "[".repeat(n), "]".repeat(n));
        format!(r#"{{"inputs":[{{"name":"IN","shape":[1],"datatype":"FP32","data":{data}}}]}}"#)
    };
    for n in [17, 100_000] {
        let (status, answer) = post(&fixture, "/v2/models/m/infer", &[], deep(n)).await;
        let error = r#"input "IN": data is nested deeper than 16 arrays"#;
        assert_eq!((status, answer), (400, json!({"error": error})));
    }
}

#[tokio::test]
async fn errors_quote_no_more_than_a_page() {
    let fixture = server().await;
    let mut body = row();
    body["inputs"][0]["name"] = json!("é".repeat(100_000));
    body["inputs"][0]["shape"] = json!([7]);
    let (status, answer) = infer(&fixture, "m", &body).await;
    let length = answer["error"].as_str().unwrap().len();
    assert!(
        status == 400 && length <= 4096 + "…".len(),
        "{status} {length}"
    );
    let mut body = row();
    body["outputs"] = (0..2000).map(|i| json!({"name": i.to_string()})).collect();
    let error = "2000 outputs are asked for, at most 1024 can be";
    assert_eq!(
        infer(&fixture, "m", &body).await,
        (400, json!({"error": error}))
    );
}

#[tokio::test]
async fn failures_of_models_and_transforms_keep_their_kind() {
    let fixture = server().await;
    let touch = |x: f64| json!({"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [x]}]});
    let broke = infer(&fixture, "touchy", &touch(-1.0)).await;
    assert_eq!(broke, (500, json!({"error": "the model broke"})));
    let panicked = infer(&fixture, "touchy", &touch(2000.0)).await;
    assert_eq!(panicked, (500, json!({"error": "internal error"})));
    let fine = infer(&fixture, "touchy", &touch(1.0)).await;
    assert_eq!(fine.0, 200, "the server lives on: {fine:?}");
    let unlucky = json!({"inputs": [
        {"name": "fields", "shape": [1, 2], "datatype": "FP32", "data": [13, 1]}
    ]});
    let error = r#"transform refused the input (unlucky): 13 is not accepted (field "a", row 0)"#;
    let refused = infer(&fixture, "sum2", &unlucky).await;
    assert_eq!(refused, (400, json!({"error": error})));
    let empty = infer(&fixture, "empty", &row()).await;
    let error = r#"endpoint "empty" serves no version yet: promote one"#;
    assert_eq!(empty, (503, json!({"error": error})));
    let nothing = infer(&fixture, "nothing", &row()).await;
    assert_eq!(
        nothing,
        (404, json!({"error": r#"there is no endpoint "nothing""#}))
    );
}

#[tokio::test]
async fn metadata_says_what_there_is() {
    let fixture = server().await;
    let (status, server) = get(&fixture, "/v2", &[]).await;
    assert_eq!((status, &server["name"]), (200, &json!("tollgate")));
    assert_eq!(server["extensions"], json!(["binary_tensor_data"]));
    let (_, model) = get(&fixture, "/v2/models/two", &[]).await;
    assert_eq!(
        model,
        json!({
            "name": "two", "versions": ["1", "2"], "platform": "tollgate_onnx",
            "inputs": [{"name": "IN", "datatype": "FP32", "shape": [-1, 2]}],
            "outputs": [{"name": "OUT", "datatype": "FP32", "shape": [-1, 2]}],
        })
    );
    let (_, version) = get(&fixture, "/v2/models/two/versions/2", &[]).await;
    assert_eq!(version["versions"], json!(["2"]));
    let (_, fields) = get(&fixture, "/v2/models/sum2", &[]).await;
    assert_eq!(
        fields["inputs"][1],
        json!({"name": "b", "datatype": "FP32", "shape": [-1]})
    );
    for (path, status) in [
        ("/v2/health/live", 200),
        ("/v2/health/ready", 200),
        ("/v2/models/m/ready", 200),
        ("/v2/models/m/versions/1/ready", 200),
        ("/v2/models/m/versions/9/ready", 404),
        ("/v2/models/empty/ready", 503),
        ("/v2/models/nothing/ready", 404),
        ("/v2/nothing", 404),
    ] {
        assert_eq!(get(&fixture, path, &[]).await.0, status, "{path}");
    }
    fixture.state.set_ready(false);
    assert_eq!(get(&fixture, "/v2/health/ready", &[]).await.0, 503);
    assert_eq!(get(&fixture, "/v2/health/live", &[]).await.0, 200);
    let (status, refused) = post(&fixture, "/v2/repository/models/m/load", &[], "{}").await;
    assert_eq!(status, 501, "{refused}");
    let (status, wrong) = get(&fixture, "/v2/models/m/infer", &[]).await;
    assert_eq!(
        (status, wrong),
        (
            405,
            json!({"error": "/v2/models/m/infer does not take GET"})
        )
    );
}

#[tokio::test]
async fn the_index_lists_what_the_caller_may_use() {
    let fixture = server().await;
    let (_, all) = post(&fixture, "/v2/repository/index", &[], "").await;
    let (_, ready) = post(&fixture, "/v2/repository/index", &[], r#"{"ready":true}"#).await;
    let names = |index: &Value| {
        let entries = index.as_array().unwrap().iter();
        entries
            .map(|e| e["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(names(&all).contains(&"empty".to_owned()));
    assert!(!names(&ready).contains(&"empty".to_owned()));
    assert!(!names(&all).contains(&"closed".to_owned()));
    assert_eq!(
        names(&ready).iter().filter(|name| *name == "two").count(),
        2
    );
}

/// What the real client sent to a stub, sent to us: statuses agree, and so does
/// what the client reads of the answers.
#[tokio::test]
async fn the_recorded_client_gets_what_it_understands() {
    let fixture = server().await;
    let recorded = include_str!("../fixtures/tritonclient_http.jsonl");
    let mut infers = 0;
    for line in recorded.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let path = exchange["path"].as_str().unwrap();
        // Not offered: loading by call, and Triton's config and statistics.
        if ["/load", "/unload", "/config", "/stats"]
            .iter()
            .any(|end| path.ends_with(end))
        {
            continue;
        }
        let json = match &exchange["req_json"] {
            Value::Null => Vec::new(),
            json => json.to_string().into_bytes(),
        };
        let blob = unhex(exchange["req_binary_hex"].as_str().unwrap_or_default());
        let text = exchange["req_json"]["inputs"][0]["datatype"] == "BYTES";
        let path = if text {
            path.replace("/m/", "/s/")
        } else {
            path.to_owned()
        };
        let sent = exchange["req_headers"].as_object().unwrap();
        let length = json.len().to_string();
        let mut headers: Vec<(&str, &str)> = Vec::new();
        if sent.contains_key("Inference-Header-Content-Length") {
            headers.push(("inference-header-content-length", &length));
        }
        let mut body = [json, blob.clone()].concat();
        if sent.contains_key("Content-Encoding") {
            headers.push(("content-encoding", "gzip"));
            body = gzip(&body);
        }
        let method: Method = exchange["method"].as_str().unwrap().parse().unwrap();
        let response = send(&fixture, method, &path, &headers, body).await;
        let expected = exchange["status"].as_u64().unwrap();
        // The stub said 400 where the protocol says 404.
        let expected = if expected == 400 { 404 } else { expected };
        assert_eq!(u64::from(response.status().as_u16()), expected, "{path}");
        if !path.ends_with("/infer") {
            continue;
        }
        infers += 1;
        let at = response
            .headers()
            .get("inference-header-content-length")
            .cloned();
        let body = response.bytes().await.unwrap();
        let at = at.map_or(body.len(), |at| at.to_str().unwrap().parse().unwrap());
        let answer: Value = serde_json::from_slice(&body[..at]).unwrap();
        if exchange["req_json"].get("id").is_some() {
            assert_eq!(answer["id"], exchange["req_json"]["id"]);
            assert_eq!(answer["outputs"][0]["data"], json!([1.0, 2.0]));
        } else if !text {
            assert_eq!(answer["outputs"][0]["parameters"]["binary_data_size"], 8);
            assert_eq!(&body[at..], &blob[..]);
        }
    }
    assert_eq!(infers, 5);
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
