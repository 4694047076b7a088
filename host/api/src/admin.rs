//! The admin API: models, plugins, gates, data sets, evaluations, endpoints,
//! promotions, decisions, tokens, ledger.
//!
//! Every operation stands in one table ([`operations`]) with its role, its
//! document and its handler; the router and the OpenAPI description are both
//! made from it, so neither can promise what the other lacks. Handlers
//! translate; no rule lives here.

pub mod datasets;
pub mod endpoints;
pub mod error;
pub mod evaluations;
pub mod gates;
pub mod idempotency;
pub mod models;
pub mod openapi;
pub mod operation;
pub mod plugins;
pub mod promotions;
pub mod records;
pub mod wire;

use crate::{admin::operation::Operation, state::ApiState};
use domain::ports::store::Artifacts;
use evaluation::Evaluations;
use registry::Registry;
use rollout::Rollout;
use std::sync::Arc;

/// What the handlers use.
#[derive(Debug)]
pub struct Admin {
    /// What all of the API shares: routes, records, clock, tokens.
    pub state: Arc<ApiState>,
    /// Registers.
    pub registry: Registry,
    /// Evaluates.
    pub evaluations: Evaluations,
    /// Promotes.
    pub rollout: Rollout,
    /// Files.
    pub artifacts: Arc<dyn Artifacts>,
    /// JSON Schema of a gate's input.
    pub gate_input_schema: serde_json::Value,
    /// Largest uploaded artifact, in bytes.
    pub max_artifact_bytes: u64,
    /// Requests with an idempotency key that are being answered.
    pub in_flight: idempotency::InFlight,
}

/// All operations, in the order they are described.
pub fn operations() -> Vec<Operation> {
    let families = [
        models::operations(),
        plugins::operations(),
        gates::operations(),
        datasets::operations(),
        evaluations::operations(),
        endpoints::operations(),
        promotions::operations(),
        records::operations(),
    ];
    families.into_iter().flatten().collect()
}

/// The router of the admin API; it checks tokens and roles itself.
pub fn router(admin: Arc<Admin>) -> axum::Router<Arc<ApiState>> {
    operation::router(operations(), admin)
}
