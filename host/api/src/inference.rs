//! Predictions, in the protocols that clients already speak.
//!
//! [`oip`] is the Open Inference Protocol, [`kserve`] its predecessor, [`mlflow`]
//! MLflow's scoring server. All three find their endpoint in `target`, decode
//! into `serving`'s terms (`elements` for tensors in JSON, `table` for data
//! frames), call `serving`, and word the answer with what `face` prepared.

pub(crate) mod elements;
pub(crate) mod face;
pub mod kserve;
pub mod mlflow;
pub mod oip;
pub(crate) mod table;
pub(crate) mod target;

use crate::state::ApiState;
use std::sync::Arc;

/// Routes of all prediction protocols.
pub(crate) fn router() -> axum::Router<Arc<ApiState>> {
    oip::router()
        .merge(kserve::router())
        .merge(mlflow::router())
}
