//! The only candle: finds out what a model file is from its content, loads it
//! (all the work there is happens here), and runs batches of checked inputs.
//!
//! This crate knows no HTTP and no SQL, starts no threads, and treats every
//! model file as hostile: bounded in size, depth and count, refused with all
//! reasons at once, never a panic.
//!
//! Start at [`Engine`]; `forest` is the tree-ensemble operator that `xgboost`,
//! `lightgbm` and `onnx` share. Unsafe code is in two places: `forest::avx512` (the
//! vector instructions' reads, at indices masked with the arrays' lengths) and
//! one call of gemm in `onnx::ops::linear`, before which every size is compared.

#![deny(unsafe_code)]

mod ensemble;
mod forest;
mod lightgbm;
mod loader;
mod onnx;
mod safetensors;
mod threads;
mod xgboost;

pub use loader::{Engine, MAX_FILE_BYTES};
pub use threads::threads_are_pinned;
