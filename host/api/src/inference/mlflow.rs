//! MLflow's scoring protocol: `POST /endpoints/{endpoint}/invocations`, and
//! `POST /invocations` for clients that know no endpoints.
//!
//! `/invocations` takes the endpoint from the header `Tollgate-Endpoint` or the
//! query `?endpoint=`, and needs neither when the caller may use exactly one.
//!
//! `predictions` is one output: the one that `params.output` names, else the
//! model's first. For classifiers exported from scikit-learn that is the label,
//! as MLflow itself answers; ask for the probabilities by name. Other `params`
//! are passed over, as is `signature_name`.
//!
//! A model with named columns refuses rows without names (`instances` or
//! `inputs` as lists of lists), as MLflow does: a silent guess at the order of
//! columns is how wrong predictions are made.

use crate::{
    edge::{
        body,
        error::{Dialect, Failure, Fault},
    },
    inference::{
        kserve::{Form, response, shape_of, write_output},
        table,
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
use evaluation::dataset::{self, ReadLimits};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use serving::{Answer, Inputs, LiveVariant};
use std::{borrow::Cow, sync::Arc, time::Instant};

static ENDPOINT: HeaderName = HeaderName::from_static("tollgate-endpoint");

pub(crate) fn router() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/invocations", post(only))
        .route("/endpoints/{endpoint}/invocations", post(named))
        .route("/ping", get(ping))
        .route("/health", get(ping))
        .route("/version", get(version))
}

/// Healthy when this server wants requests.
async fn ping(State(state): State<Arc<ApiState>>) -> Response {
    let status = if state.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    plain(status, "\n")
}

async fn version() -> Response {
    plain(StatusCode::OK, env!("CARGO_PKG_VERSION"))
}

/// MLflow's own server sends these texts as JSON.
fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

async fn named(
    State(state): State<Arc<ApiState>>,
    Path(endpoint): Path<String>,
    request: Request,
) -> Response {
    answer(&state, Some(endpoint), request).await
}

async fn only(State(state): State<Arc<ApiState>>, request: Request) -> Response {
    let chosen = chosen(request.headers(), request.uri());
    answer(&state, chosen, request).await
}

fn chosen(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let header = headers.get(&ENDPOINT).and_then(|value| value.to_str().ok());
    let query = || {
        let mut pairs = uri.query().unwrap_or_default().split('&');
        pairs.find_map(|pair| pair.strip_prefix("endpoint="))
    };
    // Names need no escapes, so an escaped one is simply not found.
    header.or_else(query).map(str::to_owned)
}

async fn answer(state: &ApiState, endpoint: Option<String>, request: Request) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let mut target = None;
    let outcome = async {
        let name = match endpoint {
            Some(name) => name,
            None => single(state, &parts.headers)?,
        };
        let found = target.insert(Target::find(state, &name, &parts.headers)?);
        score(state, found, &parts.headers, body).await
    };
    let outcome = outcome.await;
    target::conclude(state, Dialect::Mlflow, target.as_ref(), started, outcome)
}

/// The one endpoint that the caller may use.
fn single(state: &ApiState, headers: &HeaderMap) -> Result<String, Failure> {
    let visible = target::visible(state, headers);
    match visible.as_slice() {
        [one] => Ok(one.name.to_string()),
        [] => Err(Failure::missing("there is no endpoint that you may use")),
        _ => Err(Failure::invalid(
            "there are several endpoints: use /endpoints/{endpoint}/invocations, or name one in \
             the header Tollgate-Endpoint or the query ?endpoint=",
        )),
    }
}

async fn score(
    state: &ApiState,
    target: &Target,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let described = target.described_by(None)?;
    let media = media(headers)?;
    let body = body::read(headers, body, &state.config).await?;
    let (inputs, output) = body::work_on(body.len(), || match media {
        Media::Json => json(&body, described),
        Media::Table => file(&body).map(|inputs| (inputs, None)),
    })?;
    let answer = target.predict(state, headers, inputs, None).await?;
    response(target, &answer, &prediction(&answer, output.as_deref())?)
}

fn prediction(answer: &Answer, wanted: Option<&str>) -> Result<Vec<u8>, Failure> {
    let outputs = &answer.outputs;
    let found = match wanted {
        None => outputs.first(),
        Some(name) => outputs.iter().find(|tensor| *tensor.name == *name),
    };
    let tensor = found.ok_or_else(|| {
        let names: Vec<&str> = outputs.iter().map(|tensor| &*tensor.name).collect();
        Failure::invalid(format!(
            "params.output: the model gives {}",
            names.join(", ")
        ))
    })?;
    let mut out = Vec::with_capacity(64);
    write_output(&mut out, tensor)?;
    Ok(out)
}

enum Media {
    Json,
    /// CSV or Parquet.
    Table,
}

fn media(headers: &HeaderMap) -> Result<Media, Failure> {
    const TYPES: &str = "'text/csv', 'application/json', 'application/vnd.apache.parquet'";
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Err(Failure::malformed(format!(
            "the Content-Type header is missing: send one of {TYPES}"
        )));
    };
    let value = String::from_utf8_lossy(value.as_bytes());
    let kind = value.split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "application/json" => Ok(Media::Json),
        "text/csv" | "application/vnd.apache.parquet" => Ok(Media::Table),
        _ => Err(Failure::new(
            Fault::UnsupportedMedia,
            format!(
                "This predictor only supports the following content types: Types: [{TYPES}]. \
                 Got '{}'.",
                kind.chars().take(80).collect::<String>()
            ),
        )),
    }
}

/// A CSV or Parquet file, read as data sets are.
fn file(body: &Bytes) -> Result<Inputs, Failure> {
    let limits = ReadLimits {
        bytes: body.len() as u64,
        decompressed: 64 << 20,
        rows: 1_000_000,
        columns: 4_096,
        cells: 8_000_000,
    };
    let table = dataset::read_bytes(body.to_vec(), &limits)
        .map_err(|error| Failure::malformed(error.to_string()))?;
    Ok(Inputs::Frame(table.frame))
}

#[derive(Deserialize)]
struct RequestJson<'a> {
    #[serde(borrow, default)]
    dataframe_split: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dataframe_records: Option<&'a RawValue>,
    #[serde(borrow, default)]
    instances: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inputs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    output: Option<Cow<'a, str>>,
}

const FIELDS: &str = "{'dataframe_split', 'dataframe_records', 'instances', 'inputs'}";

/// The inputs, and the output that `params` asks for.
fn json(body: &[u8], described: &LiveVariant) -> Result<(Inputs, Option<String>), Failure> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'[')) {
        return Err(Failure::malformed(format!(
            "Invalid input. The input must be a JSON dictionary with exactly one of the input \
             fields {FIELDS}. Received a list."
        )));
    }
    let request: RequestJson<'_> = serde_json::from_slice(body).map_err(|error| {
        Failure::malformed(format!(
            "Invalid input. Ensure that input is a valid JSON formatted string. Error: {error}"
        ))
    })?;
    let given = [
        ("dataframe_split", request.dataframe_split),
        ("dataframe_records", request.dataframe_records),
        ("instances", request.instances),
        ("inputs", request.inputs),
    ];
    let mut present = given
        .into_iter()
        .filter_map(|(name, raw)| raw.map(|raw| (name, raw.get())));
    let (Some((name, raw)), None) = (present.next(), present.next()) else {
        let names: Vec<&str> = given
            .iter()
            .filter_map(|(name, raw)| raw.map(|_| *name))
            .collect();
        return Err(Failure::malformed(format!(
            "The input must be a JSON dictionary with exactly one of the input fields {FIELDS}. \
             Received dictionary with input fields: {names:?}."
        )));
    };
    let signature = &described.signature;
    let inputs = match (name, shape_of(raw)) {
        ("dataframe_split", _) => table::split(raw)?,
        ("dataframe_records", _) | (_, Form::Records) => table::records(name, raw, signature)?,
        ("inputs", Form::Columns) => table::columns(name, raw, signature)?,
        (_, Form::Columns) => {
            return Err(Failure::malformed("instances: it must be a list"));
        }
        (_, Form::Rows) => {
            named_columns(described)?;
            table::positional(name, raw, described)?
        }
    };
    let output = request.params.and_then(|params| params.output);
    Ok((inputs, output.map(Cow::into_owned)))
}

/// Refuses rows without names where the model knows the names of its columns.
fn named_columns(described: &LiveVariant) -> Result<(), Failure> {
    let names: Vec<&str> = match described.signature.inputs.as_slice() {
        [spec] if spec.fields.is_empty() && described.loaded.transform.is_none() => return Ok(()),
        [spec] if !spec.fields.is_empty() => spec.fields.iter().map(String::as_str).collect(),
        specs => specs.iter().map(|spec| &*spec.name).collect(),
    };
    Err(Failure::invalid(format!(
        "Model is missing inputs {names:?}: rows without column names were given"
    )))
}
