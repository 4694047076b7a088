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

/// Refuses a target that names no grant.
pub fn target(target: &str) -> Result<(), Failure> {
    if target.is_empty() {
        return Err(refused("target is empty; write the name of the grant"));
    }
    Ok(())
}

/// Refuses a path that is none: below the grant's prefix, from `/` on.
pub fn path(path: &str) -> Result<(), Failure> {
    let complain = |why: &str| Err(refused(format!("path {path:?}: {why}")));
    if !path.starts_with('/') {
        return complain("it must start with /");
    }
    if path.len() > 2048 || !path.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return complain("it must be at most 2,048 visible ASCII characters without #");
    }
    let route = path.split('?').next().unwrap_or_default();
    if route.split('/').any(|part| matches!(part, "." | "..")) {
        return complain("it must not go up with . or ..");
    }
    Ok(())
}

/// Headers that are the host's own.
const HOST_OWN: [&str; 12] = [
    "host",
    "content-length",
    "authorization",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "idempotency-key",
];

/// Refuses a header that an action may not set.
pub fn header(name: &str, value: &str) -> Result<(), Failure> {
    let complain = |why: &str| Err(refused(format!("header {name:?}: {why}")));
    let token =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return complain("names are lower-case tokens");
    }
    if HOST_OWN.contains(&name) {
        return complain("it is the host's own; secrets belong into the grant");
    }
    if !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') || value.len() > 4096 {
        return complain("its value must be at most 4,096 visible ASCII characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_headers_are_checked() {
        assert!(path("/a/b?c=..").is_ok());
        for bad in ["", "a", "/a b", "/a#b", "/a/../b", "/.", "/ä", "/a\r\nb"] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
        assert!(header("x-team", "a b").is_ok());
        for (name, value) in [
            ("", "a"),
            ("X-Team", "a"),
            ("authorization", "a"),
            ("idempotency-key", "a"),
            ("x team", "a"),
            ("x-team", "a\nb"),
        ] {
            assert!(header(name, value).is_err(), "{name:?} {value:?}");
        }
        assert!(target("").is_err() && target("hook").is_ok());
    }
}
