//! The story of one promotion.

use crate::{
    combine::{Cleared, combine, effective},
    evidence::{Asked, gather},
};
use domain::{
    decision::{
        Decision, GateResult, Outcome, Override, Promoted, Promotion, PromotionStatus, Verdict,
    },
    digest::Digest,
    error::{ErrorKind, PortError},
    gate::{Enforcement, GateInput},
    id::{DecisionId, PromotionId},
    json::canonical,
    ledger::{Actor, NewEntry},
    model::{ModelVersion, VersionRef},
    name::{EndpointName, GateName},
    ports::{
        Clock, Ids,
        engine::{GateEngine, Publisher},
        store::{PromotionCommit, Store},
    },
    route::Endpoint,
    token::Role,
};
use serde_json::json;
use std::sync::Arc;

/// Longest reason, in characters.
pub const MAX_REASON: usize = 2000;

/// The request to make a version champion of an endpoint.
#[derive(Debug, Clone)]
pub struct PromoteRequest {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// The version.
    pub candidate: VersionRef,
    /// Why.
    pub reason: String,
    /// The token that asks.
    pub requester: Actor,
    /// Its role.
    pub role: Role,
    /// Reason to override soft gates, should they refuse.
    pub override_reason: Option<String>,
}

/// Why no decision was made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// The endpoint or version does not exist.
    #[error("{what} {name} does not exist: {remedy}")]
    Missing {
        /// Sort of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A field breaks a rule.
    #[error("{field}: {message}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// The version is champion already.
    #[error("{0} is already the champion of this endpoint")]
    AlreadyChampion(VersionRef),
    /// Overriding is not for this token.
    #[error("override: needs the role admin")]
    OverrideDenied,
    /// Evidence holds a number that JSON cannot carry.
    #[error("the evidence has no canonical form")]
    NotCanonical(#[source] domain::json::CanonicalError),
    /// The store, the loader, or a contained panic.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl PromoteError {
    /// The kind, for the error tables.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::Missing,
            Self::Field { .. } => ErrorKind::Invalid,
            Self::AlreadyChampion(_) => ErrorKind::Conflict,
            Self::OverrideDenied => ErrorKind::Denied,
            Self::NotCanonical(_) => ErrorKind::Internal,
            Self::Port(error) => error.kind,
        }
    }

    /// A stable code for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "not_found",
            Self::Field { .. } => "field_invalid",
            Self::AlreadyChampion(_) => "already_champion",
            Self::OverrideDenied => "override_denied",
            Self::NotCanonical(_) => "not_canonical",
            Self::Port(_) => "store",
        }
    }
}

/// The door.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Records.
    pub store: Arc<dyn Store>,
    /// Evaluates gates.
    pub gates: Arc<dyn GateEngine>,
    /// Puts committed routes into service.
    pub publisher: Arc<dyn Publisher>,
    /// Dates decisions.
    pub clock: Arc<dyn Clock>,
    /// Names them.
    pub ids: Arc<dyn Ids>,
}

impl Rollout {
    /// Decides whether the candidate may become champion and, if so, makes it
    /// champion. The decision is recorded either way.
    pub async fn promote(&self, request: PromoteRequest) -> Result<Promoted, PromoteError> {
        let wanted = check(&request)?;
        self.find(&request).await?;
        // Beside what serves: a version that does not load is never decided on.
        self.publisher.prepare(&request.candidate).await?;
        // Read again: loading may take minutes, in which gates were attached.
        let (endpoint, candidate) = self.find(&request).await?;
        let asked = Asked {
            requester: request.requester.name.clone(),
            role: request.role,
            reason: request.reason.clone(),
            at: self.clock.now(),
        };
        let input = gather(self.store.as_ref(), &endpoint, &candidate, &asked).await?;
        let results = self.ask_gates(&endpoint.settings.gates, &input).await?;
        let decision = self.decide(&request, &asked, &input, results, wanted)?;
        let promoted = self
            .commit(&request, &endpoint, &candidate, decision)
            .await?;
        if promoted.promotion.status == PromotionStatus::Promoted
            && let Err(error) = self.publisher.publish(&endpoint.name).await
        {
            // The database is the truth; the next sync publishes what it says.
            tracing::error!(endpoint.name = %endpoint.name, %error, "committed route not published");
        }
        Ok(promoted)
    }

    async fn find(
        &self,
        request: &PromoteRequest,
    ) -> Result<(Endpoint, ModelVersion), PromoteError> {
        let endpoint = self
            .store
            .endpoint(&request.endpoint)
            .await?
            .ok_or_else(|| PromoteError::Missing {
                what: "endpoint",
                name: request.endpoint.to_string(),
                remedy: "make it first",
            })?;
        let candidate = self
            .store
            .version(&request.candidate)
            .await?
            .ok_or_else(|| PromoteError::Missing {
                what: "version",
                name: request.candidate.to_string(),
                remedy: "register it first",
            })?;
        let champion = endpoint.route.champion();
        if champion.is_some_and(|champion| champion.version == request.candidate) {
            return Err(PromoteError::AlreadyChampion(request.candidate.clone()));
        }
        Ok((endpoint, candidate))
    }

    async fn ask_gates(
        &self,
        names: &[GateName],
        input: &GateInput,
    ) -> Result<Vec<GateResult>, PromoteError> {
        let mut results = Vec::with_capacity(names.len());
        for name in names {
            let Some(revision) = self.store.gate(name).await? else {
                let message = format!("gate {name} is attached but does not exist: upload it");
                results.push(GateResult {
                    gate: name.clone(),
                    digest: Digest::from_bytes([0; 32]),
                    enforcement: Enforcement::Hard,
                    verdict: Verdict::denied("no_policy", message),
                });
                continue;
            };
            let (gates, input) = (Arc::clone(&self.gates), input.clone());
            let bundle = revision.bundle.clone();
            let job = tokio::task::spawn_blocking(move || gates.evaluate(&bundle, &input));
            let verdict = job.await.unwrap_or_else(|_| {
                Verdict::denied("policy_error", "the gate's evaluation failed unexpectedly")
            });
            results.push(GateResult {
                gate: revision.name,
                digest: revision.digest,
                enforcement: revision.bundle.manifest.enforcement,
                verdict,
            });
        }
        Ok(results)
    }

    fn decide(
        &self,
        request: &PromoteRequest,
        asked: &Asked,
        input: &GateInput,
        results: Vec<GateResult>,
        wanted: Option<Override>,
    ) -> Result<Decision, PromoteError> {
        let combined = combine(&results);
        let (outcome, overridden) = effective(&combined, wanted);
        let input = canonical(input).map_err(PromoteError::NotCanonical)?;
        let said = canonical(&results).map_err(PromoteError::NotCanonical)?;
        Ok(Decision {
            id: DecisionId::from_ulid(&self.ids.ulid()),
            promotion: PromotionId::from_ulid(&self.ids.ulid()),
            endpoint: request.endpoint.clone(),
            candidate: request.candidate.clone(),
            computed: combined.computed,
            effective: outcome,
            overridden,
            results,
            reasons: combined.reasons,
            engine: self.gates.engine(),
            input_digest: Digest::of(input.as_bytes()),
            input,
            results_digest: Digest::of(said.as_bytes()),
            requester: request.requester.name.clone(),
            at: asked.at,
        })
    }

    async fn commit(
        &self,
        request: &PromoteRequest,
        endpoint: &Endpoint,
        candidate: &ModelVersion,
        decision: Decision,
    ) -> Result<Promoted, PromoteError> {
        let route = Cleared::from_decision(&decision, candidate)
            .map(|cleared| cleared.route(&endpoint.route));
        let status = match decision.effective {
            Outcome::Allow => PromotionStatus::Promoted,
            Outcome::Deny => PromotionStatus::Denied,
            Outcome::Inconclusive => PromotionStatus::Inconclusive,
        };
        let promotion = Promotion {
            id: decision.promotion.clone(),
            endpoint: request.endpoint.clone(),
            candidate: request.candidate.clone(),
            status,
            decision: decision.id.clone(),
            generation: route.as_ref().map(|route| route.generation),
            reason: request.reason.clone(),
            requester: request.requester.name.clone(),
            at: decision.at,
        };
        let entries = entries(&promotion, &decision, &request.requester)?;
        let commit = PromotionCommit {
            promotion: promotion.clone(),
            decision: decision.clone(),
            route,
            entries,
        };
        self.store.commit_promotion(commit).await?;
        Ok(Promoted {
            promotion,
            decision,
        })
    }
}

/// Checks the request's own fields; gives the override, if one may be used.
fn check(request: &PromoteRequest) -> Result<Option<Override>, PromoteError> {
    check_reason("reason", &request.reason)?;
    let Some(reason) = &request.override_reason else {
        return Ok(None);
    };
    check_reason("override.reason", reason)?;
    if !request.role.may(Role::Admin) {
        return Err(PromoteError::OverrideDenied);
    }
    Ok(Some(Override {
        by: request.requester.name.clone(),
        reason: reason.clone(),
    }))
}

fn check_reason(field: &'static str, reason: &str) -> Result<(), PromoteError> {
    if reason.trim().is_empty() || reason.chars().count() > MAX_REASON {
        let message = format!("say why, in 1 to {MAX_REASON} characters");
        return Err(PromoteError::Field { field, message });
    }
    Ok(())
}

fn entries(
    promotion: &Promotion,
    decision: &Decision,
    requester: &Actor,
) -> Result<Vec<NewEntry>, PromoteError> {
    let made = json!({
        "decision": decision.id,
        "candidate": decision.candidate,
        "computed": decision.computed,
        "effective": decision.effective,
        "overridden": decision.overridden,
        "input_digest": decision.input_digest,
        "results_digest": decision.results_digest,
    });
    let done = json!({
        "promotion": promotion.id,
        "candidate": promotion.candidate,
        "decision": promotion.decision,
        "generation": promotion.generation,
        "reason": promotion.reason,
    });
    let event = match promotion.status {
        PromotionStatus::Promoted => "promotion.promoted",
        PromotionStatus::Denied => "promotion.denied",
        PromotionStatus::Inconclusive => "promotion.inconclusive",
    };
    let entry = |event, body: &serde_json::Value| -> Result<NewEntry, PromoteError> {
        Ok(NewEntry {
            event,
            subject: format!("endpoint/{}", promotion.endpoint),
            actor: requester.clone(),
            at: promotion.at,
            body: canonical(body).map_err(PromoteError::NotCanonical)?,
        })
    };
    Ok(vec![entry("decision.made", &made)?, entry(event, &done)?])
}
