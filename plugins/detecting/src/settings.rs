//! Reading settings: every mistake becomes one sentence that names its place.

use serde::de::DeserializeOwned;
use tollgate_plugin::Failure;

/// Settings of type `T` from canonical JSON.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| refused(format!("the settings are not valid: {error}")))
}

/// The failure for settings that are wrong.
#[must_use]
pub fn refused(why: impl Into<String>) -> Failure {
    Failure::invalid_settings("invalid-settings", why)
}

/// Refuses `value` unless it lies strictly between 0 and 1.
pub fn share(name: &str, value: f64) -> Result<(), Failure> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(refused(format!(
        "{name} is {value}, and must lie between 0 and 1"
    )))
}

/// Refuses `value` unless it is a finite number of at least 0.
pub fn not_negative(name: &str, value: f64) -> Result<(), Failure> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(refused(format!(
        "{name} is {value}, and must not be negative"
    )))
}

/// Refuses `value` outside `least..=most`.
pub fn within(name: &str, value: usize, least: usize, most: usize) -> Result<(), Failure> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(refused(format!(
        "{name} is {value}, allowed are {least} to {most}"
    )))
}
