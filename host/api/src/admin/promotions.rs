//! Promotions and decisions.

use crate::{
    admin::{
        Admin,
        error::AdminError,
        operation::Operation,
        wire::{Answer, Asked, By, Created, List, Made, One, PageQuery, Wire, parse},
    },
    edge::auth::Identity,
};
use axum::{Json, extract::State, http::Method};
use domain::{
    decision::{Decision, Promoted, Promotion},
    gate::GateRevision,
    id::{DecisionId, PromotionId},
    model::VersionRef,
    name::{EndpointName, ModelName, VersionNumber},
    token::Role,
};
use rollout::PromoteRequest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) fn operations() -> Vec<Operation> {
    let pages: &[_] = &[
        ("endpoint", "only of this endpoint"),
        ("after", "id to go on after"),
        ("limit", "most entries, 1 to 1000"),
    ];
    vec![
        Operation::new(
            (Method::POST, "/promotions"),
            (
                "create_promotion",
                "Asks the gates whether a version may become champion, and makes it so if they allow",
            ),
            Some(Role::Approver),
            create_promotion,
        )
        .takes::<CreatePromotionRequest>()
        .gives::<Promoted>(201),
        Operation::read("/promotions", "list_promotions", "Promotions, newest first", list)
            .query(pages)
            .gives::<List<Promotion>>(200),
        Operation::read("/promotions/{promotion}", "get_promotion", "One promotion", get)
            .gives::<Promotion>(200),
        Operation::read("/decisions", "list_decisions", "Decisions, newest first", list_decisions)
            .query(pages)
            .gives::<List<Decision>>(200),
        Operation::read(
            "/decisions/{decision}",
            "get_decision",
            "One decision with all that is needed to replay it",
            get_decision,
        )
        .gives::<DecisionResponse>(200),
    ]
}

/// A promotion to ask for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePromotionRequest {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: VersionNumber,
    /// Why.
    pub reason: String,
    /// Overrides soft gates, on the record; for admins.
    #[serde(default, rename = "override")]
    pub overriding: Option<OverrideRequest>,
}

/// An override of soft gates.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideRequest {
    /// Why.
    pub reason: String,
}

/// A decision with the gates that made it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DecisionResponse {
    /// The decision.
    pub decision: Decision,
    /// The gate revisions that decided.
    pub gates: Vec<GateRevision>,
}

async fn create_promotion(
    State(admin): State<Arc<Admin>>,
    who: Identity,
    By(requester): By,
    Wire(request): Wire<CreatePromotionRequest>,
) -> Made<Promoted> {
    let request = PromoteRequest {
        endpoint: request.endpoint,
        candidate: VersionRef {
            model: request.model,
            version: request.version,
        },
        reason: request.reason,
        requester,
        role: who.role,
        override_reason: request.overriding.map(|wanted| wanted.reason),
    };
    // A promotion that has begun is finished even if the caller leaves.
    let rollout = admin.rollout.clone();
    let promoted = tokio::spawn(async move { rollout.promote(request).await })
        .await
        .map_err(|_| {
            AdminError::new(
                domain::error::ErrorKind::Internal,
                "internal",
                "internal error",
            )
        })??;
    Ok(Created(promoted))
}

fn endpoint_of(query: &PageQuery) -> Result<Option<EndpointName>, AdminError> {
    query
        .endpoint
        .as_deref()
        .map(|name| parse("endpoint", name))
        .transpose()
}

async fn list(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<PageQuery>,
) -> Answer<List<Promotion>> {
    let (page, endpoint) = (query.page(), endpoint_of(&query)?);
    let promotions = admin
        .state
        .store
        .promotions(endpoint.as_ref(), &page)
        .await?;
    Ok(Json(List::page(promotions, &page, |promotion| {
        promotion.id.to_string()
    })))
}

async fn get(State(admin): State<Arc<Admin>>, One(id): One<PromotionId>) -> Answer<Promotion> {
    let promotion = admin.state.store.promotion(&id).await?;
    promotion
        .map(Json)
        .ok_or_else(|| AdminError::missing("promotion", &id))
}

async fn list_decisions(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<PageQuery>,
) -> Answer<List<Decision>> {
    let (page, endpoint) = (query.page(), endpoint_of(&query)?);
    let decisions = admin
        .state
        .store
        .decisions(endpoint.as_ref(), &page)
        .await?;
    Ok(Json(List::page(decisions, &page, |decision| {
        decision.id.to_string()
    })))
}

async fn get_decision(
    State(admin): State<Arc<Admin>>,
    One(id): One<DecisionId>,
) -> Answer<DecisionResponse> {
    let decision = admin.state.store.decision(&id).await?;
    let decision = decision.ok_or_else(|| AdminError::missing("decision", &id))?;
    let mut gates: Vec<GateRevision> = Vec::new();
    for result in &decision.results {
        let known = gates.iter().any(|gate| gate.digest == result.digest);
        if !known && let Some(revision) = admin.state.store.gate_revision(&result.digest).await? {
            gates.push(revision);
        }
    }
    Ok(Json(DecisionResponse { decision, gates }))
}
