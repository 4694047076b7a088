//! The fail-closed table, and the positive proof.

use super::fixture::{allowing, answering, bundle, check, empty, evaluate, input, reason_codes};
use domain::{
    decision::{CheckStatus, Obligation, Outcome},
    gate::GateInput,
    json,
    ports::engine::GateEngine,
};
use gates::RegoGates;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn every_required_check_passed_is_an_allow() {
    let verdict = evaluate(&bundle(&allowing("")));
    assert_eq!(verdict.outcome, Outcome::Allow);
    assert!(verdict.reasons.is_empty() && verdict.warnings.is_empty());
    assert_eq!(verdict.checks.len(), 1);
}

#[test]
fn a_document_that_falls_short_does_not_allow() {
    let pass = check("auc", "pass");
    for (document, outcome, codes) in [
        (
            json!({"allow": false, "checks": [pass]}),
            Outcome::Deny,
            vec!["not_allowed"],
        ),
        (
            json!({"allow": true, "checks": []}),
            Outcome::Deny,
            vec!["check_missing"],
        ),
        (
            json!({"allow": true, "checks": [check("auc", "fail")]}),
            Outcome::Deny,
            vec!["check_failed"],
        ),
        (
            json!({"allow": true, "checks": [check("auc", "inconclusive")]}),
            Outcome::Inconclusive,
            vec!["check_inconclusive"],
        ),
        (
            json!({"allow": false, "checks": [check("auc", "inconclusive")]}),
            Outcome::Inconclusive,
            vec!["check_inconclusive"],
        ),
        (
            json!({"allow": true, "checks": [pass, pass]}),
            Outcome::Deny,
            vec!["decision_malformed"],
        ),
        (
            json!({"allow": true, "checks": [pass], "deny": [{"code": "freeze", "message": ""}]}),
            Outcome::Deny,
            vec!["freeze"],
        ),
        (
            json!({"allow": true, "checks": [check("auc", "inconclusive")], "deny": [{"code": "freeze", "message": ""}]}),
            Outcome::Deny,
            vec!["check_inconclusive", "freeze"],
        ),
        (
            json!({"allow": true, "checks": [pass], "obligations": [{"kind": "dance"}]}),
            Outcome::Deny,
            vec!["unknown_obligation"],
        ),
        (
            json!({"allow": true, "checks": [pass], "extra": 1}),
            Outcome::Deny,
            vec!["decision_malformed"],
        ),
        (json!(true), Outcome::Deny, vec!["decision_malformed"]),
        (json!("allow"), Outcome::Deny, vec!["decision_malformed"]),
    ] {
        let verdict = evaluate(&bundle(&answering(&document)));
        assert_eq!(verdict.outcome, outcome, "{document}");
        assert_eq!(reason_codes(&verdict), codes, "{document}");
    }
}

#[test]
fn a_gate_without_required_checks_denies() {
    let mut bundle = bundle(&allowing(""));
    bundle.manifest.required_checks.clear();
    let verdict = evaluate(&bundle);
    assert_eq!(verdict.outcome, Outcome::Deny);
    assert!(reason_codes(&verdict).contains(&"no_required_checks"));
}

#[test]
fn a_bundle_that_cannot_be_loaded_denies() {
    for bundle in [empty(), bundle("x if {"), bundle("decision := true")] {
        assert_eq!(reason_codes(&evaluate(&bundle)), ["policy_error"]);
    }
}

fn with(change: impl FnOnce(&mut GateInput)) -> Vec<String> {
    let mut input = input();
    change(&mut input);
    let verdict = RegoGates::default().evaluate(&bundle(&allowing("")), &input);
    assert_eq!(verdict.outcome, Outcome::Deny);
    reason_codes(&verdict)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn evidence_is_judged_by_the_host_whatever_the_policy_says() {
    assert_eq!(with(|i| i.evidence.complete = false), ["evidence_missing"]);
    assert_eq!(with(|i| i.evaluation = None), ["evidence_missing"]);
    assert_eq!(with(|i| i.schema = "v2".to_owned()), ["evidence_missing"]);
    let age = |age_s| move |i: &mut GateInput| i.evaluation.as_mut().unwrap().age_s = age_s;
    assert_eq!(with(age(3601)), ["evidence_stale"]);
    assert_eq!(with(age(i64::MAX)), ["evidence_stale"]);
    assert_eq!(with(age(-301)), ["evidence_stale"]);
    assert_eq!(with(age(i64::MIN)), ["evidence_stale"]);
}

#[test]
fn a_reason_names_what_was_observed_against_what() {
    let mut failed = check("auc", "fail");
    failed["observed"] = json!(0.91234567);
    failed["bound"] = json!(0.95);
    failed["n"] = json!(569);
    (failed["ci_low"], failed["ci_high"]) = (json!(0.88), json!(0.94));
    failed["message"] = json!("line\nbreak \u{1b}[31m");
    let verdict = evaluate(&bundle(&answering(
        &json!({"allow": false, "checks": [failed]}),
    )));
    assert_eq!(
        verdict.reasons[0].message,
        "auc: observed 0.912346 (interval 0.88 to 0.94) against 0.95 over n = 569: line break [31m"
    );
    assert_eq!(verdict.checks[0].status, CheckStatus::Fail);
    assert_eq!(verdict.checks[0].observed, Some(0.912_345_67));
}

#[test]
fn checks_that_are_not_required_warn() {
    let document = json!({"allow": true, "checks": [check("auc", "pass"), check("extra", "fail")]});
    let verdict = evaluate(&bundle(&answering(&document)));
    assert_eq!(verdict.outcome, Outcome::Allow);
    assert_eq!(verdict.warnings[0].check.as_deref(), Some("extra"));
}

#[test]
fn obligations_are_handed_on() {
    let monitor = json!({"kind": "monitor", "metric": "roc_auc", "within_h": 24});
    let document =
        json!({"allow": true, "checks": [check("auc", "pass")], "obligations": [monitor]});
    let verdict = evaluate(&bundle(&answering(&document)));
    let expected = Obligation::Monitor {
        metric: "roc_auc".to_owned(),
        within_h: 24,
    };
    assert_eq!(
        (verdict.outcome, verdict.obligations),
        (Outcome::Allow, vec![expected])
    );
}

#[test]
fn the_same_question_has_the_same_answer_byte_for_byte() {
    let module = r#"
        default decision := {"allow": false, "checks": []}
        decision := {"allow": true, "checks": checks, "warn": warnings}
        checks contains {"id": "auc", "status": "pass", "message": "m"}
        checks contains {"id": name, "status": "fail", "message": "m", "observed": total} if {
            some name, _ in input.metrics
        }
        total := sum([m.candidate.value | some m in input.metrics])
        warnings contains {"code": "seen", "check": name, "message": "w"} if { some name, _ in input.metrics }
    "#;
    let first = json::canonical(&evaluate(&bundle(module))).unwrap();
    for _ in 0..20 {
        assert_eq!(json::canonical(&evaluate(&bundle(module))).unwrap(), first);
    }
}

#[test]
fn one_engine_answers_many_gates_at_once() {
    let gates = RegoGates::default();
    let input = input();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (gates, input) = (&gates, &input);
            scope.spawn(move || {
                for i in 0..20 {
                    let allow = (worker + i) % 2 == 0;
                    let module =
                        answering(&json!({"allow": allow, "checks": [check("auc", "pass")]}));
                    let verdict = gates.evaluate(&bundle(&module), input);
                    assert_eq!(verdict.outcome == Outcome::Allow, allow);
                }
            });
        }
    });
}

fn any_status() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("pass"), 1 => Just("fail"), 1 => Just("inconclusive"), 1 => Just("skipped")]
}

fn any_document() -> impl Strategy<Value = Value> {
    let id = prop_oneof![Just("auc"), Just("size"), Just("extra")];
    let checks = prop::collection::vec((id, any_status()), 0..5);
    let deny = prop_oneof![
        5 => Just(json!([])),
        1 => Just(json!([{"code": "no", "message": ""}])),
        1 => Just(json!({})),
        1 => Just(Value::Null)
    ];
    (prop::bool::weighted(0.8), checks, deny).prop_map(|(allow, checks, deny)| {
        let checks: Vec<_> = checks
            .iter()
            .map(|(id, status)| check(id, status))
            .collect();
        json!({"allow": allow, "checks": checks, "deny": deny})
    })
}

fn may_allow(document: &Value, complete: bool, age_s: i64) -> bool {
    let checks = document["checks"].as_array().unwrap();
    let known = |c: &Value| c["status"] != "skipped";
    let once = |c: &Value| checks.iter().filter(|other| other["id"] == c["id"]).count() == 1;
    let passed = |id: &str| {
        checks
            .iter()
            .any(|c| c["id"] == id && c["status"] == "pass")
    };
    complete
        && (-300..=3600).contains(&age_s)
        && document["allow"] == true
        && document["deny"] == json!([])
        && checks.iter().all(|c| known(c) && once(c))
        && passed("auc")
        && passed("size")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn allow_exactly_when_everything_required_is_proven(
        document in any_document(),
        complete in prop::bool::weighted(0.9),
        age_s in prop_oneof![8 => 0i64..3600, 1 => 3601i64..10_000, 1 => -10_000i64..-301],
    ) {
        let mut bundle = bundle(&answering(&document));
        bundle.manifest.required_checks.push("size".to_owned());
        let mut input = input();
        input.evidence.complete = complete;
        input.evaluation.as_mut().unwrap().age_s = age_s;
        let verdict = RegoGates::default().evaluate(&bundle, &input);
        let expected = may_allow(&document, complete, age_s);
        prop_assert_eq!(verdict.outcome == Outcome::Allow, expected, "{}", document);
        prop_assert_eq!(verdict.reasons.is_empty(), expected);
    }

    #[test]
    fn text_that_is_not_rego_neither_panics_nor_allows(text in "[ -~\n]{0,200}") {
        let verdict = evaluate(&bundle(&text));
        prop_assert!(verdict.outcome == Outcome::Deny);
    }
}
