//! Made-up inputs on which a bundle is rehearsed at admission. What they hold
//! does not matter to admission, only that a policy answers them with a
//! well-formed document: one with everything there, one for a first promotion,
//! one with nothing known.

use domain::{
    digest::Digest,
    evidence::{Difference, Metric, Slice},
    gate::{
        BaselineRole, GateBaseline, GateCandidate, GateEvaluation, GateEvidence, GateInput,
        GateLatency, GateMetric, GateRequest, INPUT_SCHEMA,
    },
    time::Timestamp,
};
use std::collections::BTreeMap;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
/// Name, value and whether larger is better, of the metrics that evaluations seal.
const METRICS: &[(&str, f64, bool)] = &[
    ("accuracy", 0.95, true),
    ("brier", 0.04, false),
    ("ece", 0.03, false),
    ("precision", 0.94, true),
    ("recall", 0.93, true),
    ("f1", 0.95, true),
    ("log_loss", 0.15, false),
    ("mae", 1.5, false),
    ("mape", 0.08, false),
    ("pr_auc", 0.97, true),
    ("r2", 0.8, true),
    ("rmse", 2.0, false),
    ("roc_auc", 0.98, true),
    ("wape", 0.07, false),
];

/// The inputs, each with its name.
pub(crate) fn inputs() -> Vec<(&'static str, GateInput)> {
    let full = full();
    let mut first = full.clone();
    first.baseline = GateBaseline {
        role: BaselineRole::None,
        model: None,
        version: None,
        artifact: None,
    };
    for metric in first.metrics.values_mut() {
        (metric.baseline, metric.diff) = (None, None);
    }
    let mut bare = first.clone();
    (bare.evaluation, bare.latency) = (None, None);
    bare.metrics.clear();
    bare.slices.clear();
    bare.candidate.lineage.clear();
    bare.evidence = GateEvidence {
        complete: false,
        missing: vec!["no evaluation".to_owned()],
    };
    vec![
        ("complete evidence with a champion", full),
        ("a first promotion", first),
        ("no evidence", bare),
    ]
}

fn metric(value: f64, greater_is_better: bool) -> Metric {
    Metric {
        value: Some(value),
        ci_low: Some(value * 0.98),
        ci_high: Some(value * 1.02),
        level: 0.95,
        n: 569,
        method: "bootstrap".to_owned(),
        greater_is_better,
        note: None,
    }
}

fn compared(value: f64, greater_is_better: bool) -> GateMetric {
    GateMetric {
        candidate: metric(value, greater_is_better),
        baseline: Some(metric(value * 0.99, greater_is_better)),
        diff: Some(Difference {
            value: Some(value * 0.01),
            ci_low: Some(0.0),
            ci_high: Some(value * 0.02),
            level: 0.95,
            n: 569,
            method: "bootstrap_paired".to_owned(),
            p_value: Some(0.04),
            greater_is_better,
        }),
    }
}

fn metrics<T>(of: impl Fn(f64, bool) -> T) -> BTreeMap<String, T> {
    let named =
        |(name, value, greater): &(&str, f64, bool)| ((*name).to_owned(), of(*value, *greater));
    METRICS.iter().map(named).collect()
}

/// A complete input with a champion.
pub(crate) fn full() -> GateInput {
    let slice = |value: &str| Slice {
        column: "region".to_owned(),
        value: value.to_owned(),
        n: 280,
        metrics: metrics(metric),
    };
    GateInput {
        schema: INPUT_SCHEMA.to_owned(),
        request: GateRequest {
            action: "promote".to_owned(),
            endpoint: "churn".to_owned(),
            requester: "ada".to_owned(),
            roles: vec!["developer".to_owned()],
            reason: "retrained".to_owned(),
            at: NOW.to_rfc3339(),
            at_ms: NOW.0,
        },
        candidate: GateCandidate {
            model: "churn".to_owned(),
            version: 2,
            artifact: Digest::of(b"candidate"),
            format: "onnx".to_owned(),
            transform: Some(Digest::of(b"transform")),
            lineage: [("training_data", "churn-2026-10"), ("code", "4f2c1a9")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            created_by: "ada".to_owned(),
        },
        baseline: GateBaseline {
            role: BaselineRole::Champion,
            model: Some("churn".to_owned()),
            version: Some(1),
            artifact: Some(Digest::of(b"champion")),
        },
        evaluation: Some(GateEvaluation {
            id: "01JD0000000000000000000000".to_owned(),
            dataset: "churn-holdout".to_owned(),
            dataset_digest: Digest::of(b"data"),
            rows: 569,
            age_s: 60,
            engine: "tollgate 0.1.0".to_owned(),
            paired: true,
        }),
        metrics: metrics(compared),
        slices: vec![slice("north"), slice("south")],
        external_metrics: BTreeMap::new(),
        latency: Some(GateLatency {
            p50_ms: 0.01,
            p95_ms: 0.02,
            p99_ms: 0.05,
            n: 569,
            unit: "ms".to_owned(),
        }),
        evidence: GateEvidence {
            complete: true,
            missing: Vec::new(),
        },
    }
}
