//! What there is and whether it is ready.

use crate::{
    edge::{
        body,
        error::{Dialect, Failure, Fault},
    },
    inference::target::{self, Target},
    state::ApiState,
};
use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::Response,
};
use domain::{model::Format, signature::TensorSpec};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serving::LiveVariant;
use std::sync::Arc;

type Shared = State<Arc<ApiState>>;

/// JSON with a status.
pub(crate) fn reply(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn worded(outcome: Result<Response, Failure>) -> Response {
    outcome.unwrap_or_else(|failure| failure.respond(Dialect::Oip))
}

pub(crate) async fn server() -> Response {
    let body = json!({
        "name": "tollgate",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data"],
    });
    reply(StatusCode::OK, &body)
}

pub(crate) async fn live() -> Response {
    reply(StatusCode::OK, &json!({"live": true}))
}

pub(crate) async fn ready(State(state): Shared) -> Response {
    let ready = state.is_ready();
    reply(status(ready), &json!({"ready": ready}))
}

fn status(ready: bool) -> StatusCode {
    if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

pub(crate) async fn list(State(state): Shared, headers: HeaderMap) -> Response {
    let visible = target::visible(&state, &headers);
    let names: Vec<&str> = visible.iter().map(|live| live.name.as_str()).collect();
    reply(StatusCode::OK, &json!({"models": names}))
}

pub(crate) async fn model(
    State(state): Shared,
    Path(model): Path<String>,
    headers: HeaderMap,
) -> Response {
    worded(described(&state, &model, None, &headers))
}

pub(crate) async fn model_version(
    State(state): Shared,
    Path((model, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    worded(described(&state, &model, Some(&version), &headers))
}

/// A tensor in metadata.
#[derive(Serialize)]
struct TensorMetadata<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [i64],
}

fn tensors(specs: &[TensorSpec]) -> Vec<TensorMetadata<'_>> {
    let tensors = specs.iter().map(|spec| TensorMetadata {
        name: &spec.name,
        datatype: spec.datatype.as_str(),
        shape: &spec.shape,
    });
    tensors.collect()
}

const fn platform(format: Format) -> &'static str {
    match format {
        Format::Onnx => "tollgate_onnx",
        Format::XgboostJson | Format::XgboostUbjson => "tollgate_xgboost",
        Format::Lightgbm => "tollgate_lightgbm",
        Format::Safetensors => "tollgate_safetensors",
    }
}

fn described(
    state: &ApiState,
    model: &str,
    version: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let target = Target::find(state, model, headers)?;
    let version = version
        .map(|text| target::version(&target.live, text))
        .transpose()?;
    let variant = target.described_by(version)?;
    let versions: Vec<&str> = match version {
        Some(_) => vec![variant.version_text.as_str()],
        None => versions(&target),
    };
    let body = json!({
        "name": target.live.name.as_str(),
        "versions": versions,
        "platform": platform(variant.loaded.version.format),
        "inputs": tensors(&variant.signature.inputs),
        "outputs": tensors(&variant.signature.outputs),
    });
    Ok(reply(StatusCode::OK, &body))
}

fn versions(target: &Target) -> Vec<&str> {
    let variants = target.live.variants.iter();
    variants.map(|live| live.version_text.as_str()).collect()
}

pub(crate) async fn model_ready(
    State(state): Shared,
    Path(model): Path<String>,
    headers: HeaderMap,
) -> Response {
    worded(readiness(&state, &model, None, &headers))
}

pub(crate) async fn version_ready(
    State(state): Shared,
    Path((model, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    worded(readiness(&state, &model, Some(&version), &headers))
}

fn readiness(
    state: &ApiState,
    model: &str,
    version: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let target = Target::find(state, model, headers)?;
    let ready = match version {
        Some(text) => {
            let version = target::version(&target.live, text)?;
            target.described_by(Some(version)).map(|_| true)?
        }
        None => target::champion(&target.live).is_some(),
    };
    let body = json!({"name": target.live.name.as_str(), "ready": ready});
    Ok(reply(status(ready), &body))
}

#[derive(Deserialize, Default)]
struct IndexRequest {
    #[serde(default)]
    ready: bool,
}

/// `POST /v2/repository/index`, with an empty body or `{"ready": bool}`.
pub(crate) async fn index(State(state): Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let outcome = async {
        let body = body::read(&parts.headers, body, &state.config).await?;
        let wanted: IndexRequest = if body.is_empty() {
            IndexRequest::default()
        } else {
            serde_json::from_slice(&body)
                .map_err(|error| Failure::malformed(format!("not an index request: {error}")))?
        };
        let mut entries = Vec::new();
        for live in target::visible(&state, &parts.headers) {
            let name = live.name.as_str();
            let entry = |variant: &Arc<LiveVariant>| json!({"name": name, "version": variant.version_text, "state": "READY", "reason": ""});
            entries.extend(live.variants.iter().map(entry));
            if live.variants.is_empty() && !wanted.ready {
                entries.push(json!({
                    "name": name,
                    "state": "UNAVAILABLE",
                    "reason": live.absence().to_string(),
                }));
            }
        }
        Ok(reply(StatusCode::OK, &entries))
    };
    worded(outcome.await)
}

pub(crate) async fn no_loading() -> Response {
    Failure::new(
        Fault::NotImplemented,
        "models are not loaded by call: register a version and promote it to the endpoint",
    )
    .respond(Dialect::Oip)
}
