//! Requests, spelled short.

use crate::parts::Fixture;
use api::EdgeConfig;
use reqwest::{Client, Method, Response};
use serde_json::Value;

pub(crate) async fn server() -> Fixture {
    Fixture::start(EdgeConfig::default()).await
}

/// Sends a request with these headers and this body.
pub(crate) async fn send(
    fixture: &Fixture,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Response {
    let url = format!("http://{}{path}", fixture.address);
    let mut request = Client::new().request(method, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// Posts and gives status and JSON.
pub(crate) async fn post(
    fixture: &Fixture,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> (u16, Value) {
    json(send(fixture, Method::POST, path, headers, body).await).await
}

pub(crate) async fn get(fixture: &Fixture, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    json(send(fixture, Method::GET, path, headers, "").await).await
}

async fn json(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}
