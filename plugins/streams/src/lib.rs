//! A detector of changes in streams of numbers: errors, scores, delays.
//!
//! Every value of a window goes through the column's own stream, in order:
//! ADWIN ([`adwin`]) or the Page-Hinkley test ([`page_hinkley`]), each equal to
//! river's. What is kept is means and sums of stretches of the stream.
//! [`settings`] says what can be chosen; [`detector`] runs it.

#![forbid(unsafe_code)]

pub mod adwin;
pub mod detector;
pub mod page_hinkley;
pub mod settings;

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_detector!(detector::Streams);
