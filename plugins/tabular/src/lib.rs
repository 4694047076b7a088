//! A transform for tables, configured by JSON that was fitted on training data.
//!
//! Every column goes through its own ordered steps; what comes out stands side
//! by side in one tensor of 32-bit floats, `[rows, width]`. Arithmetic is in 64
//! bits. The settings are described beside their types in [`settings`]; the
//! arithmetic is in [`steps`], and [`table`] runs a batch.
//!
//! Nothing here learns: fitting happens in training, and what was fitted is
//! written into the settings.

#![forbid(unsafe_code)]

pub mod settings;
pub mod steps;
pub mod table;

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_transform!(table::Table);
