//! The limit: a bare axum server that parses the same JSON with serde, evaluates
//! the same model through the gateway's own engine and answers the same bytes.
//! No authentication, no routing, no limits, no metrics: what is left is what
//! HTTP, JSON and the model cost.
//!
//! `limit <model> <head>`: `head` is the answer up to its outputs. Prints the
//! address it listens on.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "tells the bench where it listens")]

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt as _,
};
use domain::{
    ports::engine::{Model, ModelLoader as _, ModelSource},
    tensor::{Tensor, TensorData},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Limit {
    model: Arc<dyn Model>,
    head: Vec<u8>,
}

#[derive(Deserialize)]
struct Request {
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<usize>,
    #[serde(rename = "datatype")]
    _datatype: String,
    data: Vec<f32>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    datatype: &'a str,
    shape: &'a [usize],
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Float(&'a [f32]),
    Double(&'a [f64]),
    Whole(&'a [i64]),
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("which model?")?;
    let head = arguments.next().context("which head?")?.into_bytes();
    let source = ModelSource {
        path: path.into(),
        architecture: None,
    };
    let model = inference::Engine::default().load(&source)?;
    let app = Router::new()
        .route("/v2/models/{model}/infer", post(infer))
        .with_state(Arc::new(Limit { model, head }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn infer(State(limit): State<Arc<Limit>>, body: Bytes) -> Response {
    match answer(&limit, &body) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

fn answer(limit: &Limit, body: &[u8]) -> Result<Vec<u8>> {
    let request: Request = serde_json::from_slice(body)?;
    let tensors = request
        .inputs
        .into_iter()
        .map(|input| Tensor::new(input.name, input.shape, TensorData::Fp32(input.data)))
        .collect::<Result<Vec<_>, _>>()?;
    let prepared = limit.model.signature().prepare(tensors)?;
    let outputs = limit.model.infer(&prepared)?;
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(&limit.head);
    for (index, output) in outputs.iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        let written = Output {
            name: &output.name,
            datatype: output.datatype().as_str(),
            shape: &output.shape,
            data: match &output.data {
                TensorData::Fp32(values) => Data::Float(values),
                TensorData::Fp64(values) => Data::Double(values),
                TensorData::Int64(values) => Data::Whole(values),
                other => anyhow::bail!("the limit does not write {}", other.datatype()),
            },
        };
        serde_json::to_writer(&mut bytes, &written)?;
    }
    bytes.extend_from_slice(b"]}");
    Ok(bytes)
}
