//! Gates: the policies that stand between a version and traffic, and the
//! document they are shown.

use crate::{
    digest::Digest,
    evidence::{Difference, Evaluation, Metric, Slice},
    name::GateName,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How binding a gate is. Stands in the manifest, not in Rego, so that one
/// policy can advise in one place and bind in another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// A failure is recorded as a warning.
    Advisory,
    /// A failure blocks; a person with the right may override it on the record.
    Soft,
    /// A failure blocks.
    Hard,
}

/// What stands beside the Rego modules of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateManifest {
    /// Package whose `decision` is asked for, as in `tollgate.gates.quality`.
    pub package: String,
    /// Checks that must each be reported as passed. Kept outside Rego so that a
    /// policy cannot shorten the list; must not be empty.
    pub required_checks: Vec<String>,
    /// How binding a failure is.
    pub enforcement: Enforcement,
    /// Handed to the policy as `data.params`.
    #[serde(default)]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// Evidence older than this is missing, in seconds.
    #[serde(default = "default_max_evidence_age")]
    pub max_evidence_age_s: u64,
    /// Who to ask about it.
    #[serde(default)]
    pub owners: Vec<String>,
}

const fn default_max_evidence_age() -> u64 {
    30 * 24 * 3600
}

/// A gate as it is uploaded and kept: manifest and modules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateBundle {
    /// Its manifest.
    pub manifest: GateManifest,
    /// Rego v1 modules by path; paths ending in `_test.rego` are tests.
    pub modules: BTreeMap<String, String>,
}

/// An admitted gate revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateRevision {
    /// Its name.
    pub name: GateName,
    /// Digest of the bundle's canonical JSON.
    pub digest: Digest,
    /// The bundle.
    pub bundle: GateBundle,
    /// Who uploaded it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// The document a gate is evaluated over, `input` in Rego. Everything a policy
/// may depend on is in it, time included, so that a decision can be replayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateInput {
    /// Always `tollgate.gate.input/v1`.
    pub schema: String,
    /// What is asked for.
    pub request: GateRequest,
    /// The version that wants traffic.
    pub candidate: GateCandidate,
    /// What it would replace.
    pub baseline: GateBaseline,
    /// Sealed evaluation of the candidate; `null` when there is none that
    /// matches the candidate's artifact and transform.
    pub evaluation: Option<GateEvaluation>,
    /// Metrics by name, sealed ones from the evaluation.
    pub metrics: BTreeMap<String, GateMetric>,
    /// Metrics over slices, from the evaluation.
    pub slices: Vec<Slice>,
    /// Metrics logged from outside, marked by living here.
    pub external_metrics: BTreeMap<String, GateExternalMetric>,
    /// Time per row, from the evaluation.
    pub latency: Option<GateLatency>,
    /// What is known to be missing.
    pub evidence: GateEvidence,
}

/// Value of [`GateInput::schema`].
pub const INPUT_SCHEMA: &str = "tollgate.gate.input/v1";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateRequest {
    /// Always `promote` in this version.
    pub action: String,
    /// Endpoint whose route would change.
    pub endpoint: String,
    /// Who asks.
    pub requester: String,
    /// Roles of who asks.
    pub roles: Vec<String>,
    /// Why.
    pub reason: String,
    /// When, RFC 3339. The only clock a policy has.
    pub at: String,
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
}

/// The version that wants traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateCandidate {
    /// Model name.
    pub model: String,
    /// Version number.
    pub version: u32,
    /// Digest of the model file.
    pub artifact: Digest,
    /// Model format.
    pub format: String,
    /// Transform revision.
    pub transform: Option<Digest>,
    /// Lineage as registered.
    pub lineage: BTreeMap<String, String>,
    /// Who registered it.
    pub created_by: String,
}

/// Role of the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BaselineRole {
    /// The endpoint serves this version now.
    Champion,
    /// The endpoint serves nothing yet.
    None,
}

/// What the candidate would replace. Absence is a role, never a missing key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateBaseline {
    /// Whether there is one.
    pub role: BaselineRole,
    /// Model name.
    pub model: Option<String>,
    /// Version number.
    pub version: Option<u32>,
    /// Digest of the model file.
    pub artifact: Option<Digest>,
}

/// Where the metrics come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateEvaluation {
    /// Id of the evaluation.
    pub id: String,
    /// Name of the data set.
    pub dataset: String,
    /// Digest of the data.
    pub dataset_digest: Digest,
    /// Rows evaluated.
    pub rows: u64,
    /// Age at the time of the request, in seconds.
    pub age_s: i64,
    /// Engine that computed it.
    pub engine: String,
    /// Whether the baseline of this input was run on the same rows.
    pub paired: bool,
}

/// A sealed metric of candidate and baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateMetric {
    /// The candidate's.
    pub candidate: Metric,
    /// The baseline's on the same rows.
    pub baseline: Option<Metric>,
    /// Candidate minus baseline on the same rows.
    pub diff: Option<Difference>,
}

/// A metric logged from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateExternalMetric {
    /// The number.
    pub metric: Metric,
    /// Who or what computed it.
    pub source: String,
    /// Who logged it.
    pub logged_by: String,
    /// Age at the time of the request, in seconds.
    pub age_s: i64,
}

/// Time per row, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateLatency {
    /// Median.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Calls measured.
    pub n: u64,
    /// Baseline's 99th percentile is not kept: only its own evaluation has it.
    pub unit: String,
}

/// What is known to be missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateEvidence {
    /// Whether a matching sealed evaluation, young enough, was found.
    pub complete: bool,
    /// What was not found, in words.
    pub missing: Vec<String>,
}

/// Metrics of `evaluation` in the shape that policies read.
pub fn gate_metrics(evaluation: &Evaluation, paired: bool) -> BTreeMap<String, GateMetric> {
    let baseline = evaluation.baseline.as_ref().filter(|_| paired);
    let of = |name: &String, metric: &Metric| {
        let view = GateMetric {
            candidate: metric.clone(),
            baseline: baseline.and_then(|b| b.metrics.get(name).cloned()),
            diff: baseline.and_then(|b| b.differences.get(name).cloned()),
        };
        (name.clone(), view)
    };
    evaluation
        .metrics
        .iter()
        .map(|(name, metric)| of(name, metric))
        .collect()
}
