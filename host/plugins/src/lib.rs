//! The only wasmtime: admits plugins, and runs transforms in sandboxes that
//! grant nothing by default.
//!
//! A component passes `structure` (what the bytes are), `world` (what they
//! import and export), `compile` (in a process of its own) and, for a transform,
//! one `configure` and `describe` under production limits. Then it is a
//! `transform` with a `breaker`, whose calls run in an `instance` inside a
//! `sandbox`: fresh for each call, or warm and used again. `snapshot` makes fresh calls cheap.
//!
//! [`trial`] runs a component for its author: the same engine and limits, with
//! every cost counted and every log line kept.
//!
//! This crate knows neither HTTP nor SQL, and hands out no type of wasmtime.
//! Start at [`PluginHost`]; the contract with guests is `wit/0.1`, and `convert`
//! is where what comes from a guest is checked.
//!
//! Unsafe code is allowed in `artifact` only, which loads compiled code.

mod artifact;
mod bindings;
mod breaker;
mod compile;
mod config;
mod convert;
mod engine;
mod host;
mod instance;
mod sandbox;
mod snapshot;
mod structure;
mod transform;
pub mod trial;
mod world;

pub use compile::compile_worker;
pub use config::{PluginConfig, Tuning};
pub use host::{PluginHost, PluginHostError};
