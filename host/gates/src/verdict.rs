//! From a policy's answer to a verdict: the positive proof.
//!
//! The outcome is allow only if the policy allows, objects to nothing, and
//! reports every check that the manifest requires exactly once and as passed,
//! over evidence that this code itself found complete and young enough.

use crate::{document, text};
use domain::{
    decision::{Check, CheckStatus, Outcome, Reason, Verdict},
    gate::{GateInput, GateManifest},
};

/// How far ahead of the request an evaluation may claim to be, in seconds.
const CLOCK_TOLERANCE_S: i64 = 300;

/// The verdict of an answer.
pub(crate) fn of(manifest: &GateManifest, answer: serde_json::Value) -> Verdict {
    let document = match document::parse(answer) {
        Ok(document) => document,
        Err(wrong) => return Verdict::denied(wrong.code, wrong.message),
    };
    let mut reasons = document.deny;
    let objected = !reasons.is_empty();
    let mut undecided = Vec::new();
    let mut failed = false;
    for id in &manifest.required_checks {
        match document.checks.iter().find(|check| check.id == *id) {
            None => {
                failed = true;
                reasons.push(missing(id));
            }
            Some(check) => match check.status {
                CheckStatus::Pass => {}
                CheckStatus::Fail => {
                    failed = true;
                    reasons.push(reason("check_failed", check));
                }
                CheckStatus::Inconclusive => undecided.push(reason("check_inconclusive", check)),
            },
        }
    }
    let outcome = if objected || failed {
        Outcome::Deny
    } else if !undecided.is_empty() {
        Outcome::Inconclusive
    } else if document.allow && !manifest.required_checks.is_empty() {
        Outcome::Allow
    } else {
        reasons.push(Reason {
            code: "not_allowed".to_owned(),
            check: None,
            message: "every required check passed, but the policy does not allow".to_owned(),
        });
        Outcome::Deny
    };
    reasons.append(&mut undecided);
    let optional = |check: &&Check| !manifest.required_checks.contains(&check.id);
    let mut warnings = document.warn;
    for check in document.checks.iter().filter(optional) {
        match check.status {
            CheckStatus::Pass => {}
            CheckStatus::Fail => warnings.push(reason("check_failed", check)),
            CheckStatus::Inconclusive => warnings.push(reason("check_inconclusive", check)),
        }
    }
    let mut checks = document.checks;
    checks.sort_by(|a, b| a.id.cmp(&b.id));
    sort(&mut warnings);
    sort(&mut reasons);
    Verdict {
        outcome,
        checks,
        reasons,
        warnings,
        obligations: document.obligations,
    }
}

/// The verdict when the policy has no answer.
pub(crate) fn undefined(manifest: &GateManifest) -> Verdict {
    let message = format!(
        "data.{}.decision has no value for this input; give it a default",
        manifest.package
    );
    Verdict::denied("policy_undefined", message)
}

/// Reasons that hold whatever the policy says.
pub(crate) fn evidence_reasons(manifest: &GateManifest, input: &GateInput) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |code: &str, message: String| {
        reasons.push(Reason {
            code: code.to_owned(),
            check: None,
            message,
        });
    };
    if manifest.required_checks.is_empty() {
        add("no_required_checks", "the gate requires no check, so nothing could prove that it holds; name some in its manifest".to_owned());
    }
    if input.schema != domain::gate::INPUT_SCHEMA {
        add(
            "evidence_missing",
            format!(
                "the input is {:?}, not {:?}",
                text::clean(&input.schema),
                domain::gate::INPUT_SCHEMA
            ),
        );
    }
    let missing = input.evidence.missing.join("; ");
    if !input.evidence.complete {
        let what = if missing.is_empty() {
            "the evidence is not complete"
        } else {
            &missing
        };
        add(
            "evidence_missing",
            format!(
                "{}; evaluate the candidate, with the champion as baseline, on the endpoint's data set",
                text::clean(what)
            ),
        );
    }
    match &input.evaluation {
        None if input.evidence.complete => add(
            "evidence_missing",
            "there is no sealed evaluation of the candidate; evaluate it first".to_owned(),
        ),
        Some(evaluation) if evaluation.age_s < -CLOCK_TOLERANCE_S => {
            add(
                "evidence_stale",
                format!(
                    "the evaluation is {} s ahead of the clock; check the clocks, then evaluate again",
                    evaluation.age_s.unsigned_abs()
                ),
            );
        }
        Some(evaluation)
            if evaluation.age_s.max(0).unsigned_abs() > manifest.max_evidence_age_s =>
        {
            add(
                "evidence_stale",
                format!(
                    "the evaluation is {} s old, at most {} s are accepted; evaluate again",
                    evaluation.age_s, manifest.max_evidence_age_s
                ),
            );
        }
        _ => {}
    }
    reasons
}

/// `verdict` denied for `more` reasons, if there are any.
pub(crate) fn with_reasons(mut verdict: Verdict, mut more: Vec<Reason>) -> Verdict {
    if more.is_empty() {
        return verdict;
    }
    verdict.outcome = Outcome::Deny;
    verdict
        .reasons
        .retain(|reason| reason.code != "not_allowed");
    verdict.reasons.append(&mut more);
    sort(&mut verdict.reasons);
    verdict
}

fn sort(reasons: &mut Vec<Reason>) {
    reasons.sort_by(|a, b| (&a.code, &a.check, &a.message).cmp(&(&b.code, &b.check, &b.message)));
    reasons.dedup();
}

fn missing(id: &str) -> Reason {
    Reason {
        code: "check_missing".to_owned(),
        check: Some(id.to_owned()),
        message: format!("{id}: required by the manifest, but the policy did not report it"),
    }
}

/// A check as a reason: what was observed, against what, on how much.
fn reason(code: &str, check: &Check) -> Reason {
    let observed = check.observed.map_or("nothing".to_owned(), text::number);
    let mut message = format!("{}: observed {observed}", check.id);
    if let (Some(low), Some(high)) = (check.ci_low, check.ci_high) {
        message.push_str(&format!(
            " (interval {} to {})",
            text::number(low),
            text::number(high)
        ));
    }
    if let Some(bound) = check.bound {
        message.push_str(&format!(" against {}", text::number(bound)));
    }
    if let Some(n) = check.n {
        message.push_str(&format!(" over n = {n}"));
    }
    if !check.message.is_empty() {
        message.push_str(": ");
        message.push_str(&check.message);
    }
    Reason {
        code: code.to_owned(),
        check: Some(check.id.clone()),
        message,
    }
}
