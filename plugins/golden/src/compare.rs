//! What was expected, against what came.

use crate::columns::float;
use serde_json::Value;
use tollgate_plugin::{Failure, Fault};

/// Only the keys that the file gives are compared.
pub(crate) fn failure(name: &str, expected: &Value, found: &Failure) {
    let fault = match found.fault {
        Fault::InvalidInput => "invalid-input",
        Fault::InvalidSettings => "invalid-settings",
        Fault::Unsupported => "unsupported",
        Fault::Upstream => "upstream",
        Fault::Internal => "internal",
    };
    for (key, value) in expected.as_object().expect("a failure is an object") {
        let found = match key.as_str() {
            "fault" => Value::from(fault),
            "code" => Value::from(found.code.as_str()),
            "message" => Value::from(found.message.as_str()),
            "field" => Value::from(found.field.as_deref()),
            "row" => Value::from(found.row),
            "retryable" => Value::from(found.retryable),
            other => panic!("{name}: a failure has no key {other:?}"),
        };
        assert_eq!(&found, value, "{name}: {key}");
    }
}

/// Within the file's tolerance, relative above 1.
pub(crate) fn number(name: &str, tolerance: f64, expected: &Value, found: f64) {
    let expected = float(expected);
    let equal = found == expected || (found.is_nan() && expected.is_nan());
    let near = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
    assert!(equal || near, "{name}: {found} is not {expected}");
}

/// The file's tolerance.
pub(crate) fn tolerance(file: &Value) -> f64 {
    file.get("tolerance").map_or(1e-6, float)
}
