//! One prediction: pick a variant, transform, infer, count.
//!
//! [`Serving`] holds the routes in memory and swaps them whole; [`mod@predict`]
//! is the story of one request. [`lane`] decides where work runs, [`batcher`]
//! puts requests together, [`live`] is what a route looks like when loaded,
//! [`trouble`] what happens to one that does not load.
//!
//! Nothing here reads a database while it answers, and nothing here knows HTTP,
//! wasmtime or candle: models and transforms arrive as `domain` ports.

#![forbid(unsafe_code)]

pub mod batcher;
pub mod lane;
pub mod live;
pub mod predict;
pub mod stats;
pub mod table;
pub mod trouble;

pub use live::{LiveEndpoint, LiveVariant};
pub use predict::{Answer, Inputs, PredictError, PredictRequest, predict};
pub use table::Serving;
