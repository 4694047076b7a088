//! Canonical JSON (RFC 8785), the form in which documents are digested,
//! recorded and compared byte for byte.

use crate::digest::Digest;
use serde::Serialize;

/// A value that has no canonical form: a NaN, an infinity, or a map with keys
/// that are not text.
#[derive(Debug, thiserror::Error)]
#[error("value has no canonical JSON form")]
pub struct CanonicalError(#[source] serde_json::Error);

/// Canonical JSON text of `value`.
pub fn canonical(value: &impl Serialize) -> Result<String, CanonicalError> {
    serde_json_canonicalizer::to_string(value).map_err(CanonicalError)
}

/// Digest of the canonical JSON of `value`.
pub fn canonical_digest(value: &impl Serialize) -> Result<Digest, CanonicalError> {
    canonical(value).map(|text| Digest::of(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_numbers_are_plain() {
        let text = canonical(&json!({"b": 1.0, "a": [1e21, 0.1]})).unwrap();
        assert_eq!(text, r#"{"a":[1e+21,0.1],"b":1}"#);
    }
}
