//! Whether a path into `input` can exist, by the input's JSON Schema. A misspelt
//! one is undefined for ever, which denies for ever without saying why.

use crate::schema::input_schema;
use serde_json::Value;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Value> = LazyLock::new(input_schema);

/// The first word of `path` that leads nowhere. A word is `None` where the path
/// goes on with a variable.
pub(super) fn unknown<'p>(path: &[Option<&'p str>]) -> Option<&'p str> {
    let mut at = vec![&*SCHEMA];
    for word in path {
        let next: Vec<&Value> = at
            .into_iter()
            .flat_map(alternatives)
            .flat_map(|schema| below(schema, *word))
            .collect();
        if next.is_empty() {
            return *word;
        }
        at = next;
    }
    None
}

/// The schema itself, behind a reference, or each of several.
fn alternatives(schema: &Value) -> Vec<&Value> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = SCHEMA.pointer(name.trim_start_matches('#'));
        return target.into_iter().collect();
    }
    match schema["anyOf"].as_array() {
        Some(several) => several.iter().flat_map(alternatives).collect(),
        None => vec![schema],
    }
}

/// What can stand under `schema` at `word`, or at any word.
fn below<'s>(schema: &'s Value, word: Option<&str>) -> Vec<&'s Value> {
    let any = ["additionalProperties", "items"];
    let any = any.into_iter().filter_map(|key| schema.get(key));
    let any = any.filter(|schema| **schema != Value::Bool(false));
    let named = schema["properties"].as_object();
    let named = named.into_iter().flatten();
    let named = named.filter(|(name, _)| word.is_none_or(|word| word == *name));
    named.map(|(_, schema)| schema).chain(any).collect()
}

#[cfg(test)]
mod tests {
    use super::unknown;

    fn path(text: &str) -> Option<&str> {
        let words: Vec<_> = text.split('.').map(|w| (w != "_").then_some(w)).collect();
        unknown(&words)
    }

    #[test]
    fn paths_of_the_input_are_known() {
        for known in [
            "metrics.anything.candidate.ci_low",
            "metrics._.diff.value",
            "metrics._._.n",
            "slices._.metrics.accuracy.n",
            "evaluation.paired",
            "candidate.lineage.anything",
            "latency.p99_ms",
            "baseline.role",
        ] {
            assert_eq!(path(known), None, "{known}");
        }
    }

    #[test]
    fn misspelt_paths_are_not() {
        for (misspelt, word) in [
            ("metric.roc_auc", "metric"),
            ("metrics.roc_auc.value", "value"),
            ("metrics._.candidate.ci_lo", "ci_lo"),
            ("evaluation.age", "age"),
            ("latency.p99_ms.value", "value"),
        ] {
            assert_eq!(path(misspelt), Some(word));
        }
    }
}
