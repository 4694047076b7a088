//! Checks of the manifest alone.

use super::finding;
use domain::{gate::GateManifest, json, ports::engine::Finding};
use std::collections::BTreeSet;

const MAX_CHECKS: usize = 128;
const MAX_PARAMETER_BYTES: usize = 64 << 10;
const MAX_COMPONENTS: usize = 8;
/// Root of the data document, which holds nothing else.
const DATA_ROOT: &str = "params";
const KEYWORDS: &[&str] = &[
    "as", "contains", "data", "default", "else", "every", "false", "if", "import", "in", "input",
    "not", "null", "package", "rego", "set", "some", "true", "with",
];

pub(super) fn check(manifest: &GateManifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |code: &str, message: String| {
        findings.push(finding(code, "manifest", None, message));
    };
    let package = &manifest.package;
    let components: Vec<&str> = package.split('.').collect();
    if components.len() > MAX_COMPONENTS || !components.iter().all(|c| is_component(c)) {
        add(
            "bad_package",
            format!(
                "package {package:?}: write up to {MAX_COMPONENTS} lower-case words joined by dots, as in tollgate.gates.quality"
            ),
        );
    }
    if overlaps(&components) {
        add(
            "data_overlap",
            format!(
                "package {package:?} overlaps data.{DATA_ROOT}, where parameters are: data would replace rules; choose another package"
            ),
        );
    }
    if manifest.required_checks.is_empty() {
        add(
            "no_required_checks",
            "required_checks is empty: name the checks that must pass".to_owned(),
        );
    }
    if manifest.required_checks.len() > MAX_CHECKS {
        add(
            "too_large",
            format!("more than {MAX_CHECKS} required checks"),
        );
    }
    let mut seen = BTreeSet::new();
    for id in &manifest.required_checks {
        if !is_id(id) {
            add(
                "bad_check_id",
                format!(
                    "required check {id:?}: use lower-case letters, digits, '_', '.', '-', at most 64"
                ),
            );
        }
        if !seen.insert(id) {
            add(
                "duplicate_check",
                format!("required check {id:?} is named twice"),
            );
        }
    }
    if manifest.max_evidence_age_s == 0 {
        add(
            "bad_age",
            "max_evidence_age_s is 0, so that no evidence is ever young enough".to_owned(),
        );
    }
    match json::canonical(&manifest.parameters) {
        Ok(text) if text.len() > MAX_PARAMETER_BYTES => {
            add(
                "too_large",
                format!("parameters take more than {MAX_PARAMETER_BYTES} bytes"),
            );
        }
        Ok(_) => {}
        Err(error) => add("bad_parameters", error.to_string()),
    }
    findings
}

/// Whether the only data key is a prefix of, equal to or under the package:
/// regorus would silently let data win over rules.
fn overlaps(package: &[&str]) -> bool {
    package.first().is_some_and(|first| *first == DATA_ROOT)
}

/// Whether `id` can name a check or a reason.
pub(crate) fn is_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    id.len() <= 64
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b))
}

fn is_component(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 64
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !KEYWORDS.contains(&text)
}
