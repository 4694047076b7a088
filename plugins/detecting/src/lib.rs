//! What the first-party detectors share: the columns they watch, corrections
//! for many tests, a source of chance that is the same everywhere, and the
//! outer form of a snapshot.
//!
//! No statistics here: each detector has its own.

#![forbid(unsafe_code)]

pub mod chance;
pub mod features;
pub mod multiplicity;
pub mod settings;
pub mod snapshot;

use tollgate_plugin::{Failure, Score};

/// Lets scores out only when every number in them is one.
pub fn finite(scores: Vec<Score>) -> Result<Vec<Score>, Failure> {
    for score in &scores {
        let p = score.p_value.unwrap_or(0.0);
        if !score.statistic.is_finite() || !(0.0..=1.0).contains(&p) {
            let why = "a statistic is not a finite number, or its p-value no probability";
            return Err(Failure::internal("not-finite", why).at_field(&score.feature));
        }
    }
    Ok(scores)
}
