//! Open Inference Protocol V2 over REST, with the binary tensor extension.
//!
//! A model name is an endpoint's name. Answers name the variant, version and
//! transform that gave them, in `parameters` and in headers. Loading and
//! unloading models is not offered: versions reach traffic through promotions.

pub(crate) mod binary;
pub(crate) mod decode;
pub(crate) mod encode;
mod metadata;

pub(crate) use metadata::reply;

use crate::{
    edge::{
        body,
        error::{Dialect, Failure},
    },
    inference::{
        oip::encode::HEADER_LENGTH,
        target::{self, Target},
    },
    state::ApiState,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    response::Response,
    routing::{get, post},
};
use domain::{
    name::VersionNumber,
    tensor::{DataType, Tensor, TensorData, volume},
};
use http::{HeaderMap, Method};
use serving::{Inputs, LiveVariant};
use std::{sync::Arc, time::Instant};

pub(crate) fn router() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v2/models/{model}/infer", post(infer))
        .route(
            "/v2/models/{model}/versions/{version}/infer",
            post(infer_version),
        )
        .route("/v2", get(metadata::server))
        .route("/v2/", get(metadata::server))
        .route("/v2/health/live", get(metadata::live))
        .route("/v2/health/ready", get(metadata::ready))
        .route("/v2/models", get(metadata::list))
        .route("/v2/models/{model}", get(metadata::model))
        .route(
            "/v2/models/{model}/versions/{version}",
            get(metadata::model_version),
        )
        .route("/v2/models/{model}/ready", get(metadata::model_ready))
        .route(
            "/v2/models/{model}/versions/{version}/ready",
            get(metadata::version_ready),
        )
        .route("/v2/repository/index", post(metadata::index))
        .route(
            "/v2/repository/models/{model}/load",
            post(metadata::no_loading),
        )
        .route(
            "/v2/repository/models/{model}/unload",
            post(metadata::no_loading),
        )
}

/// Whether this is a plain inference request, which [`infer_directly`] answers.
pub(crate) fn is_infer(request: &Request) -> bool {
    request.method() == Method::POST && model_in(request.uri().path()).is_some()
}

/// The model's name in the path of an inference request without version. A name
/// with escapes is left to the router.
fn model_in(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/v2/models/")?.strip_suffix("/infer")?;
    (!name.contains(['/', '%'])).then_some(name)
}

/// Answers what [`is_infer`] accepts without going through the router, whose
/// boxes and extensions would be a tenth of the request's cost.
pub(crate) async fn infer_directly(state: &ApiState, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let model = model_in(parts.uri.path()).unwrap_or_default();
    answer(state, model, None, &parts.headers, body).await
}

async fn infer(
    State(state): State<Arc<ApiState>>,
    Path(model): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    answer(&state, &model, None, &parts.headers, body).await
}

async fn infer_version(
    State(state): State<Arc<ApiState>>,
    Path((model, version)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    answer(&state, &model, Some(&version), &parts.headers, body).await
}

async fn answer(
    state: &ApiState,
    model: &str,
    version: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let target = Target::find(state, model, headers);
    let (target, outcome) = match target {
        Ok(target) => {
            let outcome = run(state, &target, version, headers, body).await;
            (Some(target), outcome)
        }
        Err(failure) => (None, Err(failure)),
    };
    target::conclude(state, Dialect::Oip, target.as_ref(), started, outcome)
}

async fn run(
    state: &ApiState,
    target: &Target,
    version: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let version = version
        .map(|text| target::version(&target.live, text))
        .transpose()?;
    let described = target.described_by(version)?;
    let body = body::read(headers, body, &state.config).await?;
    let mut request = body::work_on(body.len(), || decode(headers, &body, described))?;
    let inputs = std::mem::take(&mut request.inputs);
    let answer = predict(state, target, headers, inputs, version).await?;
    let face = target.face_of(&answer)?;
    encode::response(face, &request, &answer.outputs)
}

async fn predict(
    state: &ApiState,
    target: &Target,
    headers: &HeaderMap,
    inputs: Vec<Tensor>,
    version: Option<VersionNumber>,
) -> Result<serving::Answer, Failure> {
    let inputs = Inputs::Tensors(inputs);
    target.predict(state, headers, inputs, version).await
}

fn decode<'a>(
    headers: &HeaderMap,
    body: &'a Bytes,
    described: &LiveVariant,
) -> Result<decode::InferRequest<'a>, Failure> {
    let json_len = match headers.get(&HEADER_LENGTH) {
        None => None,
        Some(value) => {
            let length = value.to_str().ok().and_then(|text| text.parse().ok());
            Some(length.ok_or_else(|| {
                Failure::malformed("Inference-Header-Content-Length is not a number of bytes")
            })?)
        }
    };
    match json_len {
        Some(0) => Ok(decode::InferRequest {
            id: None,
            parameters: Vec::new(),
            inputs: vec![bare(body, described)?],
            outputs: Vec::new(),
            binary_output: false,
        }),
        json_len => decode::request(body, json_len, &described.signature),
    }
}

/// A body that is nothing but the one input's binary data. At most one of its
/// dimensions may be free, and follows from the size. BYTES is one element,
/// without a length before it.
fn bare(body: &[u8], described: &LiveVariant) -> Result<Tensor, Failure> {
    let (name, datatype, spec) = target::only_input(described).ok_or_else(|| {
        Failure::invalid(
            "a body without a JSON part needs a model with one input (or fields of one type)",
        )
    })?;
    let fixed = volume(
        &spec
            .iter()
            .map(|&dim| usize::try_from(dim).unwrap_or(1))
            .collect::<Vec<_>>(),
    )
    .unwrap_or(usize::MAX);
    let fail = |what: String| Failure::invalid(format!("input {name:?}: {what}"));
    let elements = match datatype.width() {
        None => 1,
        Some(width) => body.len() / width,
    };
    let free = spec.iter().filter(|dim| **dim < 0).count();
    if free > 1 || fixed == 0 {
        return Err(fail(format!(
            "its shape {spec:?} does not follow from the size of the body: send a JSON part"
        )));
    }
    let shape = spec
        .iter()
        .map(|&dim| usize::try_from(dim).unwrap_or(elements / fixed))
        .collect::<Vec<_>>();
    let elements = volume(&shape).unwrap_or(usize::MAX);
    let data = if datatype == DataType::Bytes {
        TensorData::Bytes(vec![body.to_vec()])
    } else {
        binary::read(body, datatype, elements).map_err(|error| fail(error.to_string()))?
    };
    Tensor::new(name, shape, data).map_err(|error| Failure::invalid(error.to_string()))
}
