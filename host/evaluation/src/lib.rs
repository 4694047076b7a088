//! Evaluation: runs a version over labelled data, through the transform that
//! serves it, and measures how good it is, each number with its sample size and
//! interval.
//!
//! Reading order: [`runner`] is the story of one evaluation; [`dataset`] reads
//! the labelled table, [`scores`] finds the predictions among a model's
//! outputs, [`metrics`] judges them, [`slices`] cuts the rows.
//!
//! Given the same data, models, options and seed, every number but the latency
//! is the same to the last bit. Nothing here knows HTTP, SQL, the sandbox or the
//! inference engine: models and transforms are the domain's ports. Calls take as
//! long as the model does, so run them off the async runtime's threads.

#![forbid(unsafe_code)]

pub mod dataset;
pub mod latency;
pub mod metrics;
pub mod runner;
pub mod scores;
pub mod service;
pub mod slices;

pub use service::{Evaluations, EvaluationsError, NewDataset, NewEvaluation};
