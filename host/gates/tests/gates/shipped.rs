//! The policies that are shipped: admitted, their own tests pass, and none of
//! them can be talked into an allow by damaged evidence.

use super::fixture::{input, reason_codes};
use domain::{
    decision::{CheckStatus, Outcome},
    gate::{BaselineRole, GateBundle, GateInput},
    ports::engine::GateEngine,
};
use gates::RegoGates;
use serde_json::{Value, json};
use std::{fs, path::PathBuf, time::Instant};

fn shipped(name: &str) -> GateBundle {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../policies")
        .join(name);
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    let files = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let modules = files.filter(|path| path.extension().is_some_and(|end| end == "rego"));
    let name_of = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    GateBundle {
        manifest: serde_json::from_str(&manifest).unwrap(),
        modules: modules
            .map(|path| (name_of(&path), fs::read_to_string(&path).unwrap()))
            .collect(),
    }
}

fn folders() -> Vec<String> {
    let policies = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let folders = fs::read_dir(policies).unwrap().map(|entry| entry.unwrap());
    let gates = folders.filter(|folder| folder.path().join("manifest.json").is_file());
    gates
        .map(|folder| folder.file_name().into_string().unwrap())
        .collect()
}

/// The example input with the metric names and numbers that `name` reads.
fn evidence(name: &str) -> GateInput {
    let mut input = input();
    if name == "regression" {
        let lower = |m: &mut domain::evidence::Metric, v: f64| {
            (m.value, m.ci_low, m.ci_high) = (Some(v), Some(v * 0.9), Some(v * 1.1));
        };
        lower(&mut input.metrics.get_mut("wape").unwrap().candidate, 0.1);
        let diff = input
            .metrics
            .get_mut("rmse")
            .unwrap()
            .diff
            .as_mut()
            .unwrap();
        (diff.value, diff.ci_low, diff.ci_high) = (Some(-0.1), Some(-0.2), Some(0.0));
    }
    input
}

#[test]
fn shipped_policies_are_admitted_and_their_tests_pass() {
    let gates = RegoGates::default();
    let folders = folders();
    assert!(folders.len() >= 3, "{folders:?}");
    for name in folders {
        let bundle = shipped(&name);
        gates
            .admit(&bundle)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let tests = gates.test(&bundle).unwrap();
        let failed: Vec<_> = tests.iter().filter(|test| !test.passed).collect();
        assert!(tests.len() >= 4 && failed.is_empty(), "{name}: {failed:#?}");
    }
}

#[test]
fn shipped_policies_allow_good_evidence_and_a_first_promotion() {
    let gates = RegoGates::default();
    for name in folders() {
        let mut input = evidence(&name);
        let verdict = gates.evaluate(&shipped(&name), &input);
        assert_eq!(
            verdict.outcome,
            Outcome::Allow,
            "{name}: {:#?}",
            verdict.reasons
        );
        input.baseline.role = BaselineRole::None;
        input.evaluation.as_mut().unwrap().paired = false;
        for metric in input.metrics.values_mut() {
            (metric.baseline, metric.diff) = (None, None);
        }
        let verdict = gates.evaluate(&shipped(&name), &input);
        assert_eq!(
            verdict.outcome,
            Outcome::Allow,
            "{name}: {:#?}",
            verdict.reasons
        );
    }
}

/// Where the proofs of each gate stand in the input.
const PROOFS: &[(&str, &[&str])] = &[
    (
        "quality",
        &[
            "/metrics/roc_auc/candidate",
            "/metrics/log_loss/candidate",
            "/metrics/ece/candidate",
            "/metrics/roc_auc/diff",
            "/slices/0/metrics/accuracy",
        ],
    ),
    (
        "regression",
        &[
            "/metrics/r2/candidate",
            "/metrics/wape/candidate",
            "/metrics/rmse/diff",
        ],
    ),
];

#[test]
fn damaged_evidence_never_allows() {
    let gates = RegoGates::default();
    for (name, proofs) in PROOFS {
        let bundle = shipped(name);
        for proof in *proofs {
            let good = serde_json::to_value(evidence(name)).unwrap();
            let mut cases = Vec::new();
            let mut damage = |what: &str, change: &dyn Fn(&mut Value)| {
                let mut bad = good.clone();
                change(&mut bad);
                cases.push((format!("{name} {proof} {what}"), bad));
            };
            damage("dropped", &|input| drop(remove(input, proof)));
            damage("null", &|input| {
                *input.pointer_mut(proof).unwrap() = Value::Null
            });
            damage("text", &|input| {
                *input.pointer_mut(proof).unwrap() = json!("0.99")
            });
            for field in ["value", "ci_low", "ci_high"] {
                damage(field, &|input| {
                    input.pointer_mut(proof).unwrap()[field] = Value::Null
                });
                damage(field, &|input| {
                    input.pointer_mut(proof).unwrap()[field] = json!("0.99")
                });
            }
            damage("n = 1", &|input| {
                input.pointer_mut(proof).unwrap()["n"] = json!(1)
            });
            damage("n = 0", &|input| {
                input.pointer_mut(proof).unwrap()["n"] = json!(0)
            });
            damage("bad", &|input| {
                let place = input.pointer_mut(proof).unwrap();
                let worse = if place["greater_is_better"] == true {
                    -9.0
                } else {
                    9.0
                };
                for field in ["value", "ci_low", "ci_high"] {
                    place[field] = json!(worse);
                }
            });
            for (case, bad) in cases {
                // What the types refuse never reaches a policy.
                let Ok(input) = gates::validate_input(&bad) else {
                    continue;
                };
                let verdict = gates.evaluate(&bundle, &input);
                assert_ne!(verdict.outcome, Outcome::Allow, "{case}: {verdict:#?}");
            }
        }
    }
}

fn remove(input: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, key) = pointer.rsplit_once('/')?;
    let parent = input.pointer_mut(parent)?.as_object_mut()?;
    // `diff` is nullable and may be absent; a metric goes with its name.
    match key {
        "candidate" => {
            let (metrics, name) = pointer.strip_suffix("/candidate")?.rsplit_once('/')?;
            input.pointer_mut(metrics)?.as_object_mut()?.remove(name)
        }
        key => parent.remove(key),
    }
}

#[test]
fn old_or_missing_evaluations_never_allow() {
    let gates = RegoGates::default();
    for name in folders() {
        let bundle = shipped(&name);
        let denied = |change: fn(&mut GateInput)| {
            let mut input = evidence(&name);
            change(&mut input);
            let verdict = gates.evaluate(&bundle, &input);
            assert_eq!(verdict.outcome, Outcome::Deny, "{name}");
            reason_codes(&verdict).join(" ")
        };
        let age = |i: &mut GateInput| i.evaluation.as_mut().unwrap().age_s = 10_000_000;
        assert!(denied(age).contains("evidence_stale"));
        assert!(denied(|i| i.evaluation = None).contains("evidence_missing"));
        assert!(denied(|i| i.evidence.complete = false).contains("evidence_missing"));
    }
}

#[test]
fn a_champion_that_was_not_compared_with_denies() {
    let gates = RegoGates::default();
    for name in ["quality", "regression"] {
        let mut input = evidence(name);
        input.evaluation.as_mut().unwrap().paired = false;
        let verdict = gates.evaluate(&shipped(name), &input);
        assert_eq!(reason_codes(&verdict), ["check_failed"]);
        assert_eq!(verdict.reasons[0].check.as_deref(), Some("no_regression"));
    }
}

#[test]
fn every_check_says_what_it_saw() {
    let verdict = RegoGates::default().evaluate(&shipped("quality"), &evidence("quality"));
    for check in &verdict.checks {
        assert_eq!(check.status, CheckStatus::Pass, "{check:?}");
        assert!(!check.message.is_empty());
        if check.id != "lineage" {
            assert!(
                check.observed.is_some()
                    && (check.bound.is_some() || check.id == "evidence_sealed"),
                "{check:?}"
            );
        }
    }
}

#[test]
fn a_missing_lineage_is_asked_for_in_words() {
    let gates = RegoGates::default();
    let mut input = evidence("quality");
    input.candidate.lineage.clear();
    let asked = |bundle: &GateBundle| {
        let verdict = gates.evaluate(bundle, &input);
        let mut checks = verdict.checks.into_iter();
        let check = checks.find(|check| check.id == "lineage").unwrap();
        assert_eq!(check.status, CheckStatus::Fail);
        check.message
    };
    let mut bundle = shipped("quality");
    assert_eq!(
        asked(&bundle),
        "register the version with its lineage, as in --lineage git=1a2b3c"
    );
    let keys = serde_json::json!(["git", "data"]);
    bundle
        .manifest
        .parameters
        .insert("lineage_keys".to_owned(), keys);
    assert_eq!(
        asked(&bundle),
        "register the version with this lineage: git, data"
    );
}

/// Prints what one evaluation costs (`--nocapture`), and fails only if that is
/// out of all proportion.
#[test]
fn an_evaluation_takes_milliseconds_at_most() {
    let gates = RegoGates::default();
    let (bundle, input) = (shipped("quality"), evidence("quality"));
    gates.evaluate(&bundle, &input);
    let mut times: Vec<_> = (0..300)
        .map(|_| {
            let start = Instant::now();
            let verdict = gates.evaluate(&bundle, &input);
            assert_eq!(verdict.outcome, Outcome::Allow);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "quality gate: median {:?}, p99 {:?}",
        times[150], times[297]
    );
    assert!(times[150].as_millis() < 500, "{:?}", times[150]);
}
