//! A detector of two-sample tests, one per column, chosen by the settings.
//!
//! What it keeps of the reference is a summary of each column by itself: counts
//! in cells ([`cells`]), or the sorted values of the column, thinned to a fixed
//! number ([`sample`]). No two values of one row can be put together again.
//!
//! [`settings`] says what can be chosen, [`statistics`] and [`ks`] hold the
//! formulas, [`detector`] runs them and gives the verdicts.

#![forbid(unsafe_code)]

pub mod cells;
pub mod detector;
pub mod kolmogorov;
pub mod ks;
pub mod sample;
pub mod settings;
pub mod statistics;

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_detector!(detector::DriftTests);
