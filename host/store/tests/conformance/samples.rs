//! Records to write, told apart by a number or a name.

use domain::{
    batch::{Contract, Element, FieldSpec, OutputSpec},
    decision::{
        Check, CheckStatus, Decision, GateResult, Outcome, Promotion, PromotionStatus, Verdict,
    },
    digest::Digest,
    evidence::{Dataset, Evaluation, ExternalMetric, Latency, Metric, Slice, Task},
    gate::{Enforcement, GateBundle, GateManifest, GateRevision},
    id::{DecisionId, EvaluationId, PromotionId, TokenId},
    ledger::NewEntry,
    model::{Format, Model, ModelVersion, VersionRef},
    name::VersionNumber,
    plugin::{PluginKind, PluginLimits, PluginRevision},
    ports::store::PromotionCommit,
    route::{Access, Batching, Endpoint, EndpointSettings, Route},
    signature::{Signature, TensorSpec},
    tensor::DataType,
    time::Timestamp,
    token::{Role, Token},
};
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_123);

pub(crate) fn entry(event: &'static str, subject: &str) -> NewEntry {
    NewEntry {
        event,
        subject: subject.to_owned(),
        actor: "token/ada ☃".into(),
        at: NOW,
        body: r#"{"why":"it is a test"}"#.to_owned(),
    }
}

pub(crate) fn ulid(number: u32) -> String {
    format!("{number:026}")
}

pub(crate) fn version_ref(model: &str, version: u32) -> VersionRef {
    VersionRef {
        model: model.parse().unwrap(),
        version: VersionNumber(version),
    }
}

pub(crate) fn model(name: &str) -> Model {
    Model {
        name: name.parse().unwrap(),
        description: "says \"yes\" or 'no'\nin two lines; ☃".to_owned(),
        created_at: NOW,
    }
}

pub(crate) fn version(model: &str, transform: Option<Digest>) -> ModelVersion {
    let spec = |name: &str| TensorSpec::new(name, DataType::Fp32, vec![-1, 30]);
    ModelVersion {
        model: model.parse().unwrap(),
        version: VersionNumber(777), // ignored by the store
        artifact: Digest::of(model.as_bytes()),
        size: u64::from(u32::MAX) + 1,
        format: Format::XgboostJson,
        signature: Signature {
            inputs: vec![spec("x")],
            outputs: vec![spec("y")],
        },
        architecture: Some(json!({"layers": [30, 1.5e-7, null, true]})),
        transform,
        lineage: BTreeMap::from([("run".to_owned(), "42".to_owned())]),
        created_by: "token/ada".to_owned(),
        created_at: NOW,
    }
}

pub(crate) fn revision(plugin: &str, component: &[u8]) -> PluginRevision {
    let settings = json!({"scale": {"mean": 0.1, "std": 1e-300}});
    let (limits, component) = (PluginLimits::default(), Digest::of(component));
    PluginRevision {
        plugin: plugin.parse().unwrap(),
        digest: PluginRevision::digest_of(&component, &settings.to_string(), &limits),
        component,
        size: 7,
        kind: PluginKind::Transform,
        wit_version: "0.1.0".to_owned(),
        settings,
        limits,
        contract: Some(Contract {
            inputs: vec![FieldSpec {
                name: "age".into(),
                element: Element::F64,
                nullable: true,
            }],
            outputs: vec![OutputSpec {
                name: "x".into(),
                element: Element::F32,
                shape: vec![-1, 30],
            }],
        }),
        created_by: "token/ada".to_owned(),
        created_at: NOW,
    }
}

pub(crate) fn gate(name: &str, rego: &str) -> GateRevision {
    let bundle = GateBundle {
        manifest: GateManifest {
            package: "tollgate.gates.quality".to_owned(),
            required_checks: vec!["auc_floor".to_owned()],
            enforcement: Enforcement::Hard,
            parameters: serde_json::Map::from_iter([("floor".to_owned(), json!(0.97))]),
            max_evidence_age_s: 3600,
            owners: Vec::new(),
        },
        modules: BTreeMap::from([("quality.rego".to_owned(), rego.to_owned())]),
    };
    GateRevision {
        name: name.parse().unwrap(),
        digest: domain::json::canonical_digest(&bundle).unwrap(),
        bundle,
        created_by: "token/ada".to_owned(),
        created_at: NOW,
    }
}

pub(crate) fn dataset(name: &str, content: &str, label: &str) -> Dataset {
    Dataset {
        name: name.parse().unwrap(),
        digest: Digest::of(content.as_bytes()),
        size: content.len() as u64,
        format: "csv".to_owned(),
        rows: 3,
        columns: vec!["age".to_owned(), label.to_owned()],
        label: label.to_owned(),
        task: Task::Binary,
        created_by: "token/ada".to_owned(),
        created_at: NOW,
    }
}

pub(crate) fn metric(value: f64) -> Metric {
    Metric {
        value: Some(value),
        ci_low: Some(value - 0.1),
        ci_high: None,
        level: 0.95,
        n: 569,
        method: "delong".to_owned(),
        greater_is_better: true,
        note: None,
    }
}

pub(crate) fn evaluation(number: u32, version: VersionRef) -> Evaluation {
    let metrics = BTreeMap::from([("roc_auc".to_owned(), metric(0.993_127_455_1))]);
    Evaluation {
        id: EvaluationId::from_ulid(&ulid(number)),
        version,
        artifact: Digest::of(b"model"),
        transform: None,
        dataset: "held-out".parse().unwrap(),
        dataset_digest: Digest::of(b"rows"),
        task: Task::Binary,
        rows: 569,
        engine: "tollgate 0.1.0".to_owned(),
        seed: u64::MAX,
        metrics: metrics.clone(),
        slices: vec![Slice {
            column: "sex".to_owned(),
            value: "f".to_owned(),
            n: 5,
            metrics,
        }],
        latency: Latency {
            p50_ms: 0.004,
            p95_ms: 0.1 + 0.2,
            p99_ms: 1e-9,
            n: 100,
        },
        baseline: None,
        created_by: "token/ada".to_owned(),
        started_at: NOW,
        finished_at: NOW,
        seal: Some(Digest::of(b"seal")),
    }
}

pub(crate) fn external(version: &VersionRef, name: &str, value: f64) -> ExternalMetric {
    ExternalMetric {
        model: version.model.clone(),
        version: version.version,
        name: name.to_owned(),
        metric: metric(value),
        source: "notebook".to_owned(),
        logged_by: "token/ada".to_owned(),
        logged_at: NOW,
    }
}

pub(crate) fn settings(timeout_ms: u32) -> EndpointSettings {
    EndpointSettings {
        gates: vec!["quality".parse().unwrap()],
        dataset: Some("held-out".parse().unwrap()),
        access: Access::Open,
        sticky_header: Some("x-user".to_owned()),
        timeout_ms,
        batching: Batching::default(),
    }
}

pub(crate) fn endpoint(name: &str) -> Endpoint {
    Endpoint {
        name: name.parse().unwrap(),
        settings: settings(1000),
        route: Route::default(),
        created_at: NOW,
        updated_at: NOW,
    }
}

/// A promotion that ends as `outcome`; an allowed one writes the generation
/// after `route`'s.
pub(crate) fn commit(
    number: u32,
    endpoint: &str,
    outcome: Outcome,
    route: &Route,
) -> PromotionCommit {
    let candidate = version_ref("churn", 1);
    let (id, decision) = (
        PromotionId::from_ulid(&ulid(number)),
        DecisionId::from_ulid(&ulid(number)),
    );
    let route = (outcome == Outcome::Allow)
        .then(|| route.promoted(candidate.clone(), Digest::of(b"churn"), None));
    let results = vec![GateResult {
        gate: "quality".parse().unwrap(),
        digest: Digest::of(b"bundle"),
        enforcement: Enforcement::Hard,
        verdict: verdict(outcome),
    }];
    let input = r#"{"schema":"tollgate.gate.input/v1","text":"\u0000 ☃"}"#.to_owned();
    PromotionCommit {
        promotion: Promotion {
            id: id.clone(),
            endpoint: endpoint.parse().unwrap(),
            candidate: candidate.clone(),
            status: match outcome {
                Outcome::Allow => PromotionStatus::Promoted,
                Outcome::Deny => PromotionStatus::Denied,
                Outcome::Inconclusive => PromotionStatus::Inconclusive,
            },
            decision: decision.clone(),
            generation: route.as_ref().map(|route| route.generation),
            reason: "better".to_owned(),
            requester: "token/ada".to_owned(),
            at: Timestamp(NOW.0 + i64::from(number)),
        },
        decision: Decision {
            id: decision,
            promotion: id,
            endpoint: endpoint.parse().unwrap(),
            candidate,
            computed: outcome,
            effective: outcome,
            overridden: None,
            results_digest: domain::json::canonical_digest(&results).unwrap(),
            results,
            reasons: Vec::new(),
            engine: "regorus 0.14.1".to_owned(),
            input_digest: Digest::of(input.as_bytes()),
            input,
            requester: "token/ada".to_owned(),
            at: NOW,
        },
        route,
        entries: vec![
            entry("decision.made", endpoint),
            entry("promotion.ended", endpoint),
        ],
    }
}

fn verdict(outcome: Outcome) -> Verdict {
    Verdict {
        outcome,
        checks: vec![Check {
            id: "auc_floor".to_owned(),
            status: CheckStatus::Pass,
            observed: Some(0.1 + 0.2),
            bound: None,
            n: Some(569),
            ci_low: None,
            ci_high: None,
            message: "0.99 is at least 0.97".to_owned(),
        }],
        reasons: Vec::new(),
        warnings: Vec::new(),
        obligations: Vec::new(),
    }
}

pub(crate) fn token(number: u32, name: &str) -> Token {
    Token {
        id: TokenId::from_ulid(&ulid(number)),
        name: name.parse().unwrap(),
        role: Role::Approver,
        secret: Digest::of(name.as_bytes()),
        created_at: NOW,
        expires_at: number.is_multiple_of(2).then_some(Timestamp(NOW.0 + 1000)),
    }
}
