//! A small blocking client: the admin API and predictions, as JSON values.
//! It knows no type of the product, so it sees exactly what a user sees.

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, blocking::Response, header::HeaderMap};
use serde_json::Value;
use std::{path::Path, time::Duration};

/// A caller with one token.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::blocking::Client,
    base: String,
    token: Option<String>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What was asked, for messages.
    pub asked: String,
    /// HTTP status.
    pub status: u16,
    /// Response headers.
    pub headers: HeaderMap,
    /// Response body.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of the gateway at `base`, as in `http://127.0.0.1:8470`.
    pub fn new(base: &str, token: Option<&str>) -> Result<Self> {
        let http = reqwest::blocking::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(120))
            .build()?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            token: token.map(str::to_owned),
        })
    }

    /// The same gateway, called with another token.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self {
            token: token.map(str::to_owned),
            ..self.clone()
        }
    }

    /// Where the gateway listens.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request; `body` is its content and its media type.
    pub fn send(&self, method: Method, path: &str, body: Option<(Vec<u8>, &str)>) -> Result<Reply> {
        self.send_with(method, path, body, &[])
    }

    /// [`Client::send`] with more headers.
    pub fn send_with(
        &self,
        method: Method,
        path: &str,
        body: Option<(Vec<u8>, &str)>,
        headers: &[(&str, &str)],
    ) -> Result<Reply> {
        let asked = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some((body, media)) = body {
            if !media.is_empty() {
                request = request.header("content-type", media);
            }
            request = request.body(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request
            .send()
            .with_context(|| format!("{asked} got no answer"))?;
        Reply::read(asked, response)
    }

    /// Sends JSON to a path of the admin API; the JSON of a good answer.
    pub fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(|value| (value.to_string().into_bytes(), "application/json"));
        self.send(method, &format!("/admin/v1{path}"), body)?.good()
    }

    /// `GET` on the admin API.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.admin(Method::GET, path, None)
    }

    /// `POST` on the admin API.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.admin(Method::POST, path, Some(body))
    }

    /// `PUT` on the admin API.
    pub fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.admin(Method::PUT, path, Some(body))
    }

    /// Uploads a file as an artifact; its digest.
    pub fn upload(&self, file: &Path) -> Result<String> {
        let bytes =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let body = Some((bytes, "application/octet-stream"));
        let answer = self
            .send(Method::POST, "/admin/v1/artifacts", body)?
            .good()?;
        text(&answer, "/digest")
    }

    /// Posts JSON to a prediction path.
    pub fn predict(&self, path: &str, body: &str) -> Result<Reply> {
        let body = Some((body.as_bytes().to_vec(), "application/json"));
        self.send(Method::POST, path, body)
    }
}

impl Reply {
    fn read(asked: String, response: Response) -> Result<Self> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response
            .bytes()
            .with_context(|| format!("{asked}: the answer broke off"))?;
        Ok(Self {
            asked,
            status,
            headers,
            body: body.to_vec(),
        })
    }

    /// The JSON of an answer with a status of the 200s; readable error else.
    pub fn good(&self) -> Result<Value> {
        if !(200..300).contains(&self.status) {
            bail!(
                "{} answered {}: {}",
                self.asked,
                self.status,
                self.problem()
            );
        }
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        self.json()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| {
            let start: String = String::from_utf8_lossy(&self.body)
                .chars()
                .take(200)
                .collect();
            format!("{} answered what is not JSON: {start:?}", self.asked)
        })
    }

    /// A response header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn problem(&self) -> String {
        let parsed: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let field = |name: &str| parsed.get(name).and_then(Value::as_str);
        match (
            field("code"),
            field("detail")
                .or_else(|| field("title"))
                .or_else(|| field("error")),
        ) {
            (Some(code), Some(detail)) => format!("{detail} ({code})"),
            (None, Some(detail)) => detail.to_owned(),
            _ => String::from_utf8_lossy(&self.body)
                .chars()
                .take(400)
                .collect(),
        }
    }
}

/// Text at a JSON pointer.
pub fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .with_context(|| format!("the answer has no text at {pointer}: {value}"))
}

/// Whole number at a JSON pointer.
pub fn number(value: &Value, pointer: &str) -> Result<u64> {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.with_context(|| format!("the answer has no whole number at {pointer}: {value}"))
}

/// List at a JSON pointer; empty if there is none.
pub fn list(value: &Value, pointer: &str) -> Vec<Value> {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.cloned().unwrap_or_default()
}
