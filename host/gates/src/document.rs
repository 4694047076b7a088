//! The decision document: what a policy's `decision` must look like.

use crate::{admission, text};
use domain::decision::{Check, Obligation, Reason};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Most checks, reasons, warnings or obligations of each in one document.
const MAX_ITEMS: usize = 256;

/// What a policy answers, `data.<package>.decision`.
///
/// `allow` is necessary for an allow, never sufficient: the gateway itself
/// compares `checks` with the manifest's required checks.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionDocument {
    /// Whether the policy would allow.
    pub allow: bool,
    /// Every check, each id once. Numbers are finite.
    pub checks: Vec<Check>,
    /// Objections; any of them denies.
    #[serde(default)]
    pub deny: Vec<Reason>,
    /// Remarks that do not block.
    #[serde(default)]
    pub warn: Vec<Reason>,
    /// What must be done when the decision is carried out. A kind that the
    /// gateway does not know denies.
    #[serde(default)]
    pub obligations: Vec<Obligation>,
}

/// What is wrong with a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// The document, strictly read, its messages made safe to show.
pub(crate) fn parse(mut value: serde_json::Value) -> Result<DecisionDocument, Wrong> {
    let obligations = obligations(&mut value)?;
    let mut document: DecisionDocument =
        serde_path_to_error::deserialize(value).map_err(|error| malformed(&error.to_string()))?;
    document.obligations = obligations;
    validate(&document)?;
    for check in &mut document.checks {
        check.message = text::clean(&check.message);
    }
    for reason in document.deny.iter_mut().chain(&mut document.warn) {
        reason.message = text::clean(&reason.message);
    }
    Ok(document)
}

/// Reads the obligations apart, so that an unknown one has its own reason.
fn obligations(value: &mut serde_json::Value) -> Result<Vec<Obligation>, Wrong> {
    let found = value
        .as_object_mut()
        .and_then(|document| document.remove("obligations"));
    let Some(found) = found else {
        return Ok(Vec::new());
    };
    let serde_json::Value::Array(items) = found else {
        return Err(malformed("obligations is not a list"));
    };
    if items.len() > MAX_ITEMS {
        return Err(malformed(&format!("more than {MAX_ITEMS} obligations")));
    }
    let known = |item: serde_json::Value| {
        let kind = item["kind"].as_str().unwrap_or("without a kind").to_owned();
        serde_json::from_value(item).map_err(|error| Wrong {
            code: "unknown_obligation",
            message: text::clean(&format!("obligation {kind:?} cannot be met: {error}")),
        })
    };
    items.into_iter().map(known).collect()
}

fn validate(document: &DecisionDocument) -> Result<(), Wrong> {
    for (what, count) in [
        ("checks", document.checks.len()),
        ("reasons in deny", document.deny.len()),
        ("reasons in warn", document.warn.len()),
    ] {
        if count > MAX_ITEMS {
            return Err(malformed(&format!("more than {MAX_ITEMS} {what}")));
        }
    }
    let mut seen = BTreeSet::new();
    for check in &document.checks {
        let id = &check.id;
        if !admission::is_id(id) {
            return Err(malformed(&format!(
                "check id {id:?} is not lower-case letters, digits, '_', '.', '-'"
            )));
        }
        if !seen.insert(id) {
            return Err(malformed(&format!(
                "check {id:?} is reported more than once"
            )));
        }
        let numbers = [check.observed, check.bound, check.ci_low, check.ci_high];
        if numbers
            .into_iter()
            .flatten()
            .any(|number| !number.is_finite())
        {
            return Err(malformed(&format!(
                "check {id:?} holds a number that is not finite"
            )));
        }
    }
    for reason in document.deny.iter().chain(&document.warn) {
        if !admission::is_id(&reason.code) {
            return Err(malformed(&format!(
                "reason code {:?} is not lower-case letters, digits, '_', '.', '-'",
                reason.code
            )));
        }
    }
    Ok(())
}

fn malformed(message: &str) -> Wrong {
    Wrong {
        code: "decision_malformed",
        message: text::clean(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(document: serde_json::Value) -> &'static str {
        parse(document).map_or_else(|wrong| wrong.code, |_| "accepted")
    }

    #[test]
    fn the_smallest_document_is_read() {
        let document = parse(json!({"allow": false, "checks": []})).unwrap();
        assert!(!document.allow && document.deny.is_empty());
    }

    #[test]
    fn anything_else_than_the_shape_is_malformed() {
        let check = json!({"id": "a", "status": "pass", "message": ""});
        for document in [
            json!(null),
            json!(true),
            json!([]),
            json!({}),
            json!({"allow": true}),
            json!({"allow": "true", "checks": []}),
            json!({"allow": true, "checks": {}}),
            json!({"allow": true, "checks": [], "denny": []}),
            json!({"allow": true, "checks": [], "deny": [{"code": "x"}]}),
            json!({"allow": true, "checks": [], "deny": [{"code": "X y", "message": ""}]}),
            json!({"allow": true, "checks": [], "obligations": {}}),
            json!({"allow": true, "checks": [check, check]}),
            json!({"allow": true, "checks": [{"id": "a", "status": "passed", "message": ""}]}),
            json!({"allow": true, "checks": [{"id": "A", "status": "pass", "message": ""}]}),
            json!({"allow": true, "checks": [{"id": "a", "status": "pass", "message": "", "observed": "1"}]}),
            json!({"allow": true, "checks": [{"id": "a", "status": "pass", "message": "", "n": -1}]}),
            json!({"allow": true, "checks": [{"id": "a", "status": "pass", "message": "", "extra": 1}]}),
        ] {
            assert_eq!(code(document.clone()), "decision_malformed", "{document}");
        }
    }

    #[test]
    fn an_obligation_that_cannot_be_met_is_named() {
        let document = json!({"allow": true, "checks": [], "obligations": [{"kind": "dance"}]});
        let wrong = parse(document).unwrap_err();
        assert_eq!(wrong.code, "unknown_obligation");
        assert!(wrong.message.contains("dance"), "{}", wrong.message);
        let short = json!({"allow": true, "checks": [], "obligations": [{"kind": "monitor"}]});
        assert_eq!(code(short), "unknown_obligation");
    }

    #[test]
    fn too_many_checks_are_malformed() {
        let check = |i| json!({"id": format!("c{i}"), "status": "pass", "message": ""});
        let checks: Vec<_> = (0..=MAX_ITEMS).map(check).collect();
        assert_eq!(
            code(json!({"allow": true, "checks": checks})),
            "decision_malformed"
        );
    }
}
