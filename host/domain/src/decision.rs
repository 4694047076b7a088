//! What gates said, recorded so that it can be said again.

use crate::{
    digest::Digest,
    gate::Enforcement,
    id::{DecisionId, PromotionId},
    model::VersionRef,
    name::{EndpointName, GateName},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a gate, or all gates together, said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every required check passed and nothing objected.
    Allow,
    /// Something failed, is missing, or went wrong.
    Deny,
    /// Not enough evidence either way; nothing changes, ask again later.
    Inconclusive,
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Holds.
    Pass,
    /// Does not hold.
    Fail,
    /// Too little evidence.
    Inconclusive,
}

/// One check, with what it saw and what it wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Stable id, as in `auc_floor`.
    pub id: String,
    /// How it ended.
    pub status: CheckStatus,
    /// What was observed, as in 0.9931.
    pub observed: Option<f64>,
    /// What it was held against.
    pub bound: Option<f64>,
    /// Rows or events behind the observation.
    pub n: Option<u64>,
    /// Interval of the observation.
    pub ci_low: Option<f64>,
    /// Interval of the observation.
    pub ci_high: Option<f64>,
    /// One sentence for people.
    pub message: String,
}

/// A reason against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Stable code, as in `check_failed`, `policy_error`, `evidence_missing`.
    pub code: String,
    /// Check it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// One sentence for people: what is wrong and what to do.
    pub message: String,
}

/// Something that must be done when the decision is carried out. A kind that
/// the gateway does not know makes the decision a denial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Obligation {
    /// Watch these metrics after the change.
    Monitor {
        /// The metric.
        metric: String,
        /// For how many hours.
        within_h: u32,
    },
}

/// What one gate said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// What the policy came to, before the enforcement level.
    pub outcome: Outcome,
    /// Checks reported, sorted by id.
    pub checks: Vec<Check>,
    /// Reasons against, sorted.
    pub reasons: Vec<Reason>,
    /// Remarks that do not block, sorted.
    pub warnings: Vec<Reason>,
    /// What must be done on the way.
    pub obligations: Vec<Obligation>,
}

impl Verdict {
    /// A denial for one reason, with no checks: how every failure of the gate
    /// itself ends.
    pub fn denied(code: &str, message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Deny,
            checks: Vec::new(),
            reasons: vec![Reason {
                code: code.to_owned(),
                check: None,
                message: message.into(),
            }],
            warnings: Vec::new(),
            obligations: Vec::new(),
        }
    }
}

/// What one gate said in one decision, and which gate exactly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateResult {
    /// The gate.
    pub gate: GateName,
    /// Its revision.
    pub digest: Digest,
    /// Its level at the time.
    pub enforcement: Enforcement,
    /// What it said.
    pub verdict: Verdict,
}

/// An override of soft gates, on the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Override {
    /// Who overrode.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The record of one decision: everything that a replay needs. Append-only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// The promotion it decides.
    pub promotion: PromotionId,
    /// Endpoint whose route would change.
    pub endpoint: EndpointName,
    /// The version that wants traffic.
    pub candidate: VersionRef,
    /// What the gates came to together, by their levels.
    pub computed: Outcome,
    /// What was done: `computed`, unless overridden.
    pub effective: Outcome,
    /// The override, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Override>,
    /// Gate by gate.
    pub results: Vec<GateResult>,
    /// Reasons that are not a gate's, such as an endpoint without gates.
    pub reasons: Vec<Reason>,
    /// Engine and version, as in `regorus 0.14.1`.
    pub engine: String,
    /// Canonical JSON of the input all gates saw.
    pub input: String,
    /// Digest of `input`.
    pub input_digest: Digest,
    /// Digest of the canonical JSON of `results`: what a replay must equal.
    pub results_digest: Digest,
    /// Who asked.
    pub requester: String,
    /// When: the pinned clock of the evaluation.
    pub at: Timestamp,
}

/// Where a promotion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PromotionStatus {
    /// Cleared, and the route was changed in the same transaction.
    Promoted,
    /// Refused.
    Denied,
    /// Not decided; nothing changed.
    Inconclusive,
}

/// The request to make a version champion of an endpoint, and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Promotion {
    /// Its id.
    pub id: PromotionId,
    /// The endpoint.
    pub endpoint: EndpointName,
    /// The version.
    pub candidate: VersionRef,
    /// Where it stands.
    pub status: PromotionStatus,
    /// Its decision.
    pub decision: DecisionId,
    /// Generation of the route it wrote.
    pub generation: Option<u64>,
    /// Why it was asked for.
    pub reason: String,
    /// Who asked.
    pub requester: String,
    /// When.
    pub at: Timestamp,
}

/// How a promotion ended. `promotion.status` says whether anything changed; a
/// refusal is a result, not an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Promoted {
    /// The promotion.
    pub promotion: Promotion,
    /// Its decision.
    pub decision: Decision,
}
