//! Settings as a type of the author's, and state as bytes.

use crate::failure::Failure;
use serde::{Serialize, de::DeserializeOwned};

/// Reads the settings into a type that derives `serde::Deserialize`; write
/// `#[serde(deny_unknown_fields)]` on it, so that a misspelt key is an error
/// when the plugin is registered and not a wrong answer later.
///
/// # Errors
/// An `invalid-settings` failure that says what is wrong and near which text.
pub fn parse<T: DeserializeOwned>(settings: &str) -> Result<T, Failure> {
    serde_json::from_str(settings).map_err(|why| {
        let near = near(settings, why.column());
        let why = why.to_string();
        // Canonical JSON is one line, so its number tells nothing.
        let why = why.split(" at line ").next().unwrap_or_default();
        Failure::invalid_settings("bad-settings", format!("settings: {why}, near `{near}`"))
    })
}

/// The text around `column`, from 1.
fn near(settings: &str, column: usize) -> String {
    let before = settings
        .get(..column.min(settings.len()))
        .unwrap_or(settings);
    let skip = before.chars().count().saturating_sub(32);
    before.chars().skip(skip).collect()
}

/// State as bytes, for `snapshot`. Floats come back exactly; NaN and infinity
/// have no JSON form, so keep them out of the state or behind an `Option`.
///
/// # Errors
/// An `internal` failure when the state has no JSON form.
pub fn to_bytes(state: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(state).map_err(|why| Failure::internal("bad-state", why.to_string()))
}

/// State from bytes, for `restore`.
///
/// # Errors
/// An `internal` failure when the bytes are no such state.
pub fn from_bytes<T: DeserializeOwned>(state: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(state).map_err(|why| Failure::internal("bad-state", why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Scale {
        by: f64,
    }

    #[test]
    fn wrong_settings_are_named_with_their_place() {
        assert_eq!(parse::<Scale>(r#"{"by":2.5}"#).unwrap(), Scale { by: 2.5 });
        let failure = parse::<Scale>(r#"{"by":2,"bye":3}"#).unwrap_err();
        assert_eq!(failure.fault, Fault::InvalidSettings);
        assert_eq!(
            failure.message,
            "settings: unknown field `bye`, expected `by`, near `{\"by\":2,\"bye\"`"
        );
    }

    #[test]
    fn state_comes_back_exactly() {
        let state = Scale { by: 0.1 + 0.2 };
        let bytes = to_bytes(&state).unwrap();
        assert_eq!(from_bytes::<Scale>(&bytes).unwrap(), state);
        assert_eq!(from_bytes::<Scale>(b"{}").unwrap_err().code, "bad-state");
    }
}
