//! The only HTTP: prediction protocols, the admin API, and the edge they stand
//! behind.
//!
//! [`router`] puts everything together and [`edge::serve`] runs it on a
//! listener. A request passes [`edge::layer`] (request id, shedding, panics,
//! compression, counters), then [`inference`] or the admin API decodes it,
//! calls a use case, and encodes the answer. Failures become statuses and
//! bodies in one place, [`edge::error`].
//!
//! Nothing here knows SQL, wasmtime, candle or regorus, and no rule about what
//! may be served lives here: use cases decide, this crate translates.

#![forbid(unsafe_code)]

pub mod admin;
pub mod edge;
pub mod inference;
pub mod metrics;
pub mod state;

pub use edge::{config::EdgeConfig, serve::serve};
pub use state::ApiState;

use std::sync::Arc;

/// Every route, behind the edge; without the admin API when `admin` is `None`.
pub fn router(state: Arc<ApiState>, admin: Option<Arc<admin::Admin>>) -> edge::layer::Edge {
    let mut routes = inference::router().route("/metrics", axum::routing::get(metrics::page));
    if let Some(admin) = admin {
        routes = routes.merge(admin::router(admin));
    }
    edge::layer::wrap(routes, state)
}
