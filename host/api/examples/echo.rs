//! Serves the endpoints of the tests on 127.0.0.1:8471, for trying clients by
//! hand and for measuring the HTTP path with a model that costs nothing.
//! `echo bare` serves instead what a bare axum server with serde would: the
//! limit to compare with. The listener's port is the second argument.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "an example made of test parts"
)]

#[path = "../tests/http/memory.rs"]
mod memory;
#[path = "../tests/http/parts.rs"]
mod parts;

use axum::{Json, Router, routing::post};
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
struct Input {
    #[expect(dead_code, reason = "parsed as a real server would")]
    name: String,
    #[expect(dead_code, reason = "parsed as a real server would")]
    datatype: String,
    shape: Vec<usize>,
    data: Vec<f32>,
}

#[derive(Deserialize)]
struct Body {
    inputs: Vec<Input>,
}

#[derive(Serialize)]
struct Output {
    name: &'static str,
    datatype: &'static str,
    shape: Vec<usize>,
    data: Vec<f32>,
}

#[derive(Serialize)]
struct Answer {
    model_name: &'static str,
    model_version: &'static str,
    outputs: Vec<Output>,
}

async fn bare(Json(body): Json<Body>) -> Json<Answer> {
    let input = &body.inputs[0];
    Json(Answer {
        model_name: "sum30",
        model_version: "1",
        outputs: vec![Output {
            name: "sum",
            datatype: "FP32",
            shape: vec![input.shape[0]],
            data: vec![input.data.iter().sum()],
        }],
    })
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let address = format!(
        "127.0.0.1:{}",
        arguments.next().unwrap_or("8471".to_owned())
    );
    if mode == "bare" {
        let routes = Router::new().route("/v2/models/sum30/infer", post(bare));
        let listener = tokio::net::TcpListener::bind(&address).await.unwrap();
        println!("bare axum on {address}");
        axum::serve(listener, routes).await.unwrap();
        return;
    }
    let fixture = parts::Fixture::start_on(api::EdgeConfig::default(), &address).await;
    let token = fixture
        .token("example", domain::token::Role::Client, None)
        .await;
    println!("listening on {address}");
    println!("token {token}");
    let drained = fixture.server.await.expect("the server runs");
    println!("stopped: {drained:?}");
}
