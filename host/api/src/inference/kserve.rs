//! KServe V1: `POST /v1/models/{endpoint}:predict`.
//!
//! `instances` is a list of rows (lists of values in the order of the model's
//! inputs, or objects by name); `inputs` is an object of columns, or a list of
//! rows. A model with one output answers a list of its values by row; one with
//! several answers a list of objects, one a row, with every output by name.

use crate::{
    edge::{
        body,
        error::{Dialect, Failure, Fault},
    },
    inference::{
        elements, table,
        target::{self, Target},
    },
    state::ApiState,
};
use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
    routing::{get, post},
};
use domain::{
    error::ErrorKind,
    tensor::{Tensor, volume},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use serving::{Answer, Inputs, LiveVariant};
use std::{sync::Arc, time::Instant};

pub(crate) fn router() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/models", get(list))
        .route("/v1/models/{call}", post(call).get(model))
}

async fn list(State(state): State<Arc<ApiState>>, headers: HeaderMap) -> Response {
    let visible = target::visible(&state, &headers);
    let names: Vec<&str> = visible.iter().map(|live| live.name.as_str()).collect();
    super::oip::reply(StatusCode::OK, &json!({"models": names}))
}

async fn model(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    match Target::find(&state, &name, &headers) {
        Ok(target) => {
            let ready = target::champion(&target.live).is_some();
            let body = json!({"name": name, "ready": ready});
            let status = if ready {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            super::oip::reply(status, &body)
        }
        Err(failure) => failure.respond(Dialect::KserveV1),
    }
}

/// `{name}:{verb}` is one segment of the path.
async fn call(
    State(state): State<Arc<ApiState>>,
    Path(call): Path<String>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let (name, verb) = call.rsplit_once(':').unwrap_or((&call, ""));
    let mut target = None;
    let outcome = async {
        if verb != "predict" {
            return Err(other_verb(verb));
        }
        let found = target.insert(Target::find(&state, name, &parts.headers)?);
        predict(&state, found, &parts.headers, body).await
    };
    let outcome = outcome.await;
    target::conclude(&state, Dialect::KserveV1, target.as_ref(), started, outcome)
}

fn other_verb(verb: &str) -> Failure {
    match verb {
        "explain" => Failure::new(Fault::NotImplemented, "explanations are not offered"),
        _ => Failure::missing("ask for /v1/models/{name}:predict"),
    }
}

async fn predict(
    state: &ApiState,
    target: &Target,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let described = target.described_by(None)?;
    let body = body::read(headers, body, &state.config).await?;
    let inputs = body::work_on(body.len(), || decode(&body, described))?;
    let answer = target.predict(state, headers, inputs, None).await?;
    response(target, &answer, &predictions(&answer)?)
}

#[derive(Deserialize)]
struct RequestJson<'a> {
    #[serde(borrow, default)]
    instances: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inputs: Option<&'a RawValue>,
}

fn decode(body: &[u8], described: &LiveVariant) -> Result<Inputs, Failure> {
    let request: RequestJson<'_> = serde_json::from_slice(body)
        .map_err(|error| Failure::malformed(format!("not a prediction request: {error}")))?;
    match (request.instances, request.inputs) {
        (Some(instances), None) => rows_or_columns("instances", instances.get(), described),
        (None, Some(inputs)) => rows_or_columns("inputs", inputs.get(), described),
        (Some(_), Some(_)) => Err(Failure::malformed(
            "give either \"instances\" or \"inputs\", not both",
        )),
        (None, None) => Err(Failure::malformed(
            "give \"instances\" (rows) or \"inputs\" (columns)",
        )),
    }
}

/// Records, columns or rows, told apart by their brackets.
fn rows_or_columns(what: &str, json: &str, described: &LiveVariant) -> Result<Inputs, Failure> {
    match shape_of(json) {
        Form::Records => table::records(what, json, &described.signature),
        Form::Columns => table::columns(what, json, &described.signature),
        Form::Rows => table::positional(what, json, described),
    }
}

/// How a JSON value lays its cells out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A list of objects.
    Records,
    /// An object of columns.
    Columns,
    /// A list of anything else.
    Rows,
}

pub(crate) fn shape_of(json: &str) -> Form {
    let mut marks = json.bytes().filter(|byte| !byte.is_ascii_whitespace());
    match (marks.next(), marks.next()) {
        (Some(b'{'), _) => Form::Columns,
        (Some(b'['), Some(b'{')) => Form::Records,
        _ => Form::Rows,
    }
}

/// A JSON answer with the headers that say who gave it.
pub(crate) fn response(
    target: &Target,
    answer: &Answer,
    predictions: &[u8],
) -> Result<Response, Failure> {
    let face = target.face_of(answer)?;
    let body = [b"{\"predictions\":", predictions, b"}"].concat();
    let mut response = Response::new(Body::from(body));
    *response.headers_mut() = face.headers.clone();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(response)
}

/// One output, written as JSON nested by its shape.
pub(crate) fn write_output(out: &mut Vec<u8>, tensor: &Tensor) -> Result<(), Failure> {
    elements::write_nested(out, &tensor.data, &tensor.shape, 0)
        .map(drop)
        .map_err(|error| Failure::invalid(format!("output {:?}: {error}", tensor.name)))
}

fn predictions(answer: &Answer) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(64);
    if let [only] = answer.outputs.as_slice() {
        write_output(&mut out, only)?;
        return Ok(out);
    }
    let rows = answer.rows;
    let by_row = |tensor: &Tensor| tensor.shape.first() == Some(&rows);
    if !answer.outputs.iter().all(by_row) {
        return Err(Failure::kind(
            ErrorKind::Invalid,
            "the model's outputs are not by row: use the Open Inference Protocol",
        ));
    }
    out.push(b'[');
    for row in 0..rows {
        out.extend_from_slice(if row == 0 { b"{" } else { b",{" });
        for (at, tensor) in answer.outputs.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            // Writing a name to a vector cannot fail.
            let _ok = serde_json::to_writer(&mut out, &*tensor.name);
            out.push(b':');
            let inner = tensor.shape.get(1..).unwrap_or_default();
            let start = volume(inner).unwrap_or(0).saturating_mul(row);
            elements::write_nested(&mut out, &tensor.data, inner, start)
                .map_err(|error| Failure::invalid(format!("output {:?}: {error}", tensor.name)))?;
        }
        out.push(b'}');
    }
    out.push(b']');
    Ok(out)
}
