//! The HTTP surface over a real socket: a real server, the real `serving`, and
//! models small enough to read.

#![allow(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::panic,
    reason = "modules of an integration test"
)]

#[path = "http/client.rs"]
mod client;
#[path = "http/edge.rs"]
mod edge;
#[path = "http/kserve.rs"]
mod kserve;
#[path = "http/memory.rs"]
mod memory;
#[path = "http/mlflow.rs"]
mod mlflow;
#[path = "http/oip.rs"]
mod oip;
#[path = "http/parts.rs"]
mod parts;
#[path = "http/roundtrip.rs"]
mod roundtrip;
#[path = "http/trouble.rs"]
mod trouble;
