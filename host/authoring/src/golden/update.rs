//! Writes what was observed into the golden file, for its author to read and
//! commit. Only cases that failed change; a trap is never written down.

use super::report::{CaseReport, Report};
use serde_json::Value;
use std::{fmt::Write as _, io, path::Path};

/// A golden file that cannot be updated.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// It cannot be read or written.
    #[error("the golden file cannot be updated")]
    File(#[from] io::Error),
    /// It is not JSON any more.
    #[error("the golden file is not JSON")]
    Json(#[from] serde_json::Error),
}

/// Writes the observed values of failed cases into the file at `path`; gives
/// how many cases were changed.
///
/// # Errors
/// When the file cannot be read, parsed or written.
pub fn update(path: &Path, report: &Report) -> Result<usize, UpdateError> {
    let mut file: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut changed = 0;
    if let Some(cases) = file["cases"].as_array_mut() {
        for (case, report) in cases.iter_mut().zip(&report.cases) {
            if !report.passed() && update_case(case, report) {
                changed += 1;
            }
        }
    }
    if changed > 0 {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut new, pretty(&file).as_bytes())?;
        new.persist(path).map_err(|error| error.error)?;
    }
    Ok(changed)
}

fn update_case(case: &mut Value, report: &CaseReport) -> bool {
    let before = case.clone();
    let observed = &report.observed;
    match &observed.expect {
        Some(expect) if !expect.is_null() => case["expect"] = expect.clone(),
        _ => {}
    }
    if let Some(windows) = case.get_mut("windows").and_then(Value::as_array_mut) {
        for (window, observed) in windows.iter_mut().zip(&observed.windows) {
            if !observed.is_null() {
                window["expect"] = observed.clone();
            }
        }
    }
    if let Some(exchanges) = case.get_mut("exchanges").and_then(Value::as_array_mut) {
        for (exchange, request) in exchanges.iter_mut().zip(&observed.requests) {
            exchange["expect"] = request.clone();
        }
    }
    *case != before
}

/// JSON as people write it: lists of plain values on one line.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out.push('\n');
    out
}

fn write(out: &mut String, value: &Value, depth: usize) {
    let indent = |out: &mut String, depth: usize| out.push_str(&"  ".repeat(depth));
    let flat = value.to_string();
    let short = flat.len() + 2 * depth <= 90;
    let plain = |value: &Value| !value.is_array() && !value.is_object();
    match value {
        Value::Array(items) if !short && !items.iter().all(plain) => {
            out.push_str("[\n");
            for (at, item) in items.iter().enumerate() {
                indent(out, depth + 1);
                write(out, item, depth + 1);
                out.push_str(if at + 1 < items.len() { ",\n" } else { "\n" });
            }
            indent(out, depth);
            out.push(']');
        }
        Value::Object(fields) if !short => {
            out.push_str("{\n");
            for (at, (name, item)) in fields.iter().enumerate() {
                indent(out, depth + 1);
                // Writing to a string does not fail.
                let _done = write!(out, "{}: ", Value::from(name.as_str()));
                write(out, item, depth + 1);
                out.push_str(if at + 1 < fields.len() { ",\n" } else { "\n" });
            }
            indent(out, depth);
            out.push('}');
        }
        _ => out.push_str(&spaced(&flat)),
    }
}

/// Compact JSON with a space after every colon and comma outside of texts.
fn spaced(flat: &str) -> String {
    let mut out = String::with_capacity(flat.len() + 16);
    let (mut in_text, mut escaped) = (false, false);
    for c in flat.chars() {
        out.push(c);
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            ',' | ':' if !in_text => out.push(' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_written_for_people_and_comes_back() {
        let long: Vec<u32> = (0..60).collect();
        let value = json!({
            "kind": "transform", "text": "a,b:\"c", "values": long,
            "cases": [{"name": "one", "columns": {"x": [1, null]}}],
        });
        let text = pretty(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(text.contains(r#"[{"name": "one", "columns": {"x": [1, null]}}]"#));
    }
}
