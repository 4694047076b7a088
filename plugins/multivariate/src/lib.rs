//! A detector over all columns together: maximum mean discrepancy with a
//! Gaussian kernel, and a permutation test.
//!
//! It finds what no test of single columns can: columns that go up and down
//! together in the reference, and no longer do. What is kept of the reference is
//! means of blocks of rows in a space of random frequencies ([`features`]), so
//! there is no row to give away; [`discrepancy`] holds the formulas, [`detector`]
//! runs them, [`settings`] says what can be chosen.

#![forbid(unsafe_code)]

pub mod detector;
pub mod discrepancy;
pub mod features;
pub mod settings;

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_detector!(detector::Multivariate);
