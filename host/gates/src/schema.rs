//! JSON Schemas of what policies read and write, generated from the Rust types.

use crate::document::DecisionDocument;
use domain::gate::{GateInput, INPUT_SCHEMA};
use serde_json::Value;

/// JSON Schema of the input document.
pub fn input_schema() -> Value {
    schemars::schema_for!(GateInput).to_value()
}

/// JSON Schema of the decision document.
pub fn decision_schema() -> Value {
    schemars::schema_for!(DecisionDocument).to_value()
}

/// Reads an input document from JSON; every mistake that was found, with its
/// path. Numbers must be finite, and the schema name must be the known one.
pub fn validate_input(value: &Value) -> Result<GateInput, Vec<String>> {
    let input: GateInput = serde_path_to_error::deserialize(value)
        .map_err(|error| vec![format!("{}: {}", error.path(), error.inner())])?;
    if input.schema == INPUT_SCHEMA {
        return Ok(input);
    }
    Err(vec![format!(
        "schema: found {:?}, expected {INPUT_SCHEMA:?}",
        input.schema
    )])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;
    use domain::json;
    use std::{env, fs, path::PathBuf};

    /// The committed file equals what is generated; `UPDATE_SCHEMAS=1` writes it.
    fn same_as_committed(name: &str, generated: &Value) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies/schema");
        let path = folder.join(name);
        let text = format!("{generated:#}\n");
        if env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "policies/schema/{name} is out of date: run UPDATE_SCHEMAS=1 cargo test -p gates schema"
        );
    }

    #[test]
    fn committed_schemas_and_example_are_the_generated_ones() {
        same_as_committed("input.json", &input_schema());
        same_as_committed("decision.json", &decision_schema());
        let example = serde_json::to_value(synthetic::full()).unwrap();
        same_as_committed("example_input.json", &example);
    }

    #[test]
    fn the_schema_accepts_what_the_types_accept() {
        let schema = jsonschema::validator_for(&input_schema()).unwrap();
        for (case, input) in synthetic::inputs() {
            let value = serde_json::to_value(&input).unwrap();
            assert!(schema.is_valid(&value), "{case}");
            let read = validate_input(&value).unwrap();
            assert_eq!(
                json::canonical(&read).unwrap(),
                json::canonical(&value).unwrap()
            );
        }
    }

    #[test]
    fn schema_and_types_refuse_the_same() {
        let schema = jsonschema::validator_for(&input_schema()).unwrap();
        let good = serde_json::to_value(synthetic::full()).unwrap();
        for (pointer, value) in [
            ("/unknown", Value::from(1)),
            ("/metrics/roc_auc/candidate/value", Value::from("0.99")),
            ("/metrics/roc_auc/candidate/n", Value::from(-1)),
            ("/evidence/complete", Value::from("true")),
            ("/baseline/role", Value::from("challenger")),
            ("/request", Value::Null),
        ] {
            let mut bad = good.clone();
            match bad.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => bad["unknown"] = value,
            }
            assert!(!schema.is_valid(&bad), "{pointer}");
            let errors = validate_input(&bad).unwrap_err();
            let word = pointer.split('/').nth(1).unwrap();
            assert!(errors[0].contains(word), "{pointer}: {errors:?}");
        }
    }

    #[test]
    fn another_schema_name_is_refused() {
        let mut value = serde_json::to_value(synthetic::full()).unwrap();
        value["schema"] = "tollgate.gate.input/v2".into();
        assert!(validate_input(&value).unwrap_err()[0].starts_with("schema"));
    }
}
