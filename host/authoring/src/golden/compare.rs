//! Whether two values are the same, and if not, where they differ.

use super::{
    report::CaseReport,
    values::{from_number, from_tensor, number},
};
use domain::tensor::Tensor;
use plugins::trial::{Failure, Stop};
use serde_json::{Value, json};

/// Differences that are shown of one tensor; the rest is counted.
const SHOWN: usize = 10;

/// Compares two floats as golden files mean it.
pub(super) fn same(expected: f64, got: f64, tolerance: f64) -> bool {
    if expected.is_nan() || got.is_nan() {
        return expected.is_nan() && got.is_nan();
    }
    // An infinity is the same as nothing else, and a tolerance of it would be infinite too.
    if expected.is_infinite() || got.is_infinite() {
        return expected.is_infinite()
            && got.is_infinite()
            && expected.is_sign_positive() == got.is_sign_positive();
    }
    (expected - got).abs() <= tolerance * expected.abs().max(1.0)
}

/// A float as people read it.
pub(super) fn shown(x: f64) -> String {
    match from_number(x) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Compares the outputs of a transform.
pub(super) fn tensors(report: &mut CaseReport, expected: &Value, got: &[Tensor], tolerance: f64) {
    let Some(expected) = expected.as_array() else {
        report.differs("expect.tensors", "a list", expected.to_string());
        return;
    };
    let names = |found: Vec<String>| format!("{} ({})", found.len(), found.join(", "));
    if expected.len() != got.len() {
        let wanted = expected
            .iter()
            .map(|tensor| tensor["name"].as_str().unwrap_or("?").to_owned());
        let given = got.iter().map(|tensor| tensor.name.to_string());
        report.differs("tensors", names(wanted.collect()), names(given.collect()));
        return;
    }
    for (expected, got) in expected.iter().zip(got) {
        tensor(report, expected, got, tolerance);
    }
}

fn tensor(report: &mut CaseReport, expected: &Value, got: &Tensor, tolerance: f64) {
    let place = format!("tensor {:?}", &*got.name);
    if expected.get("name").is_some_and(|name| *name != *got.name) {
        report.differs(
            format!("{place}, name"),
            expected["name"].to_string(),
            format!("{:?}", &*got.name),
        );
    }
    let given = from_tensor(got);
    if expected
        .get("shape")
        .is_some_and(|shape| *shape != given["shape"])
    {
        report.differs(
            format!("{place}, shape"),
            expected["shape"].to_string(),
            given["shape"].to_string(),
        );
        return;
    }
    let none = Vec::new();
    let wanted = expected["values"].as_array().unwrap_or(&none);
    let given = given["values"].as_array().unwrap_or(&none);
    if wanted.len() != given.len() {
        report.differs(
            format!("{place}, number of values"),
            wanted.len().to_string(),
            given.len().to_string(),
        );
        return;
    }
    let is_text = matches!(got.data, domain::tensor::TensorData::Bytes(_));
    let differ: Vec<usize> = (0..wanted.len())
        .filter(|&at| match (wanted.get(at), given.get(at)) {
            (Some(wanted), Some(given)) if is_text => wanted != given,
            (Some(wanted), Some(given)) => match (number(wanted), number(given)) {
                // Integers beyond 2^53 must not meet as floats.
                (Some(_), Some(_)) if wanted.is_i64() && given.is_i64() => wanted != given,
                (Some(wanted), Some(given)) => !same(wanted, given, tolerance),
                _ => true,
            },
            _ => true,
        })
        .collect();
    let text = |values: &[Value], at: usize| values.get(at).map_or("?".to_owned(), plain);
    for &at in differ.iter().take(SHOWN) {
        report.differs(
            format!("{place} {:?}", index(at, &got.shape)),
            text(wanted, at),
            text(given, at),
        );
    }
    if differ.len() > SHOWN {
        report.differs(
            place,
            format!("{} values", wanted.len()),
            format!("{} more that differ", differ.len() - SHOWN),
        );
    }
}

/// A value of a tensor: numbers bare, the three words for floats too.
fn plain(value: &Value) -> String {
    match value.as_str() {
        Some(text @ ("NaN" | "inf" | "-inf")) => text.to_owned(),
        _ => value.to_string(),
    }
}

/// Indices of value `at` in a row-major tensor.
fn index(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut out: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let index = at % size.max(1);
            at /= size.max(1);
            index
        })
        .collect();
    out.reverse();
    out
}

/// A stop in the words of a golden file.
pub(super) fn from_stop(stop: &Stop) -> Value {
    match stop {
        Stop::Failure(failure) => {
            let mut given = json!({ "fault": failure.fault, "code": failure.code });
            if let Some(field) = &failure.field {
                given["field"] = json!(field);
            }
            if let Some(row) = failure.row {
                given["row"] = json!(row);
            }
            json!({ "failure": given })
        }
        // A trap is nothing to expect: it is not updated into a file.
        Stop::Broken(_) => Value::Null,
    }
}

/// Compares a stop with what was expected.
pub(super) fn stop(report: &mut CaseReport, place: &str, expected: &Value, got: &Stop) {
    let Some(wanted) = expected.get("failure").and_then(Value::as_object) else {
        report.differs(place, summary(expected), got.to_string());
        return;
    };
    let Stop::Failure(failure) = got else {
        let wanted = Value::Object(wanted.clone()).to_string();
        report.differs(place, format!("failure {wanted}"), got.to_string());
        return;
    };
    for (key, wanted) in wanted {
        let given = part(failure, key);
        if given.as_ref() != Some(wanted) {
            let given = given.map_or_else(|| "no such key".to_owned(), |given| given.to_string());
            report.differs(format!("{place}, failure.{key}"), wanted.to_string(), given);
        }
    }
}

fn part(failure: &Failure, key: &str) -> Option<Value> {
    Some(match key {
        "fault" => json!(failure.fault),
        "code" => json!(failure.code),
        "message" => json!(failure.message),
        "field" => json!(failure.field),
        "row" => json!(failure.row),
        "retryable" => json!(failure.retryable),
        _ => return None,
    })
}

/// What an expectation is about, on one line.
pub(super) fn summary(expected: &Value) -> String {
    let keys: Vec<&str> = expected
        .as_object()
        .map(|object| object.keys().map(String::as_str).collect())
        .unwrap_or_default();
    match keys.as_slice() {
        [] => "an `expect` (write one, or run `plugin test --update`)".to_owned(),
        ["tensors"] => "tensors".to_owned(),
        _ => expected.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_compared_by_tolerance_and_kind() {
        assert!(same(1.0, 1.0 + 1e-7, 1e-6) && !same(1.0, 1.0 + 1e-5, 1e-6));
        assert!(same(1e9, 1e9 + 100.0, 1e-6));
        assert!(same(f64::NAN, f64::NAN, 0.0) && !same(f64::NAN, 0.0, 1.0));
        assert!(same(f64::INFINITY, f64::INFINITY, 0.0));
        assert!(!same(f64::INFINITY, 5.0, 1e-6) && !same(5.0, f64::INFINITY, 1e-6));
        assert!(!same(f64::INFINITY, f64::NEG_INFINITY, 1e-6));
    }

    #[test]
    fn indices_count_row_by_row() {
        assert_eq!(index(7, &[2, 2, 3]), [1, 0, 1]);
        assert_eq!(index(0, &[]), Vec::<usize>::new());
    }
}
