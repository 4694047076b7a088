//! The story of one prediction.

use crate::{
    lane::{self, INLINE_BUDGET_NS, Pool, PoolError},
    live::{LiveEndpoint, LiveVariant},
    trouble::NotLoaded,
};
use domain::{
    batch::BatchError,
    error::ErrorKind,
    frame::Frame,
    name::VersionNumber,
    ports::engine::{InferError, PluginError},
    signature::{InputError, Prepared},
    tensor::Tensor,
};
use std::{sync::Arc, time::Duration};

/// What a caller sent: named tensors, or a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Inputs {
    /// Open Inference Protocol inputs.
    Tensors(Vec<Tensor>),
    /// A data frame.
    Frame(Frame),
}

/// One request for a prediction.
#[derive(Debug)]
pub struct PredictRequest {
    /// What to predict from.
    pub inputs: Inputs,
    /// Only this version may answer.
    pub version: Option<VersionNumber>,
    /// Keeps a caller on one variant.
    pub sticky_key: Option<Vec<u8>>,
}

/// The answer, and who gave it.
#[derive(Debug)]
pub struct Answer {
    /// Outputs, in signature order.
    pub outputs: Vec<Tensor>,
    /// The variant that answered.
    pub variant: Arc<LiveVariant>,
    /// Rows answered.
    pub rows: usize,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PredictError {
    /// Nothing has been promoted yet.
    #[error("endpoint {0:?} serves no version yet: promote one")]
    NoRoute(String),
    /// What was promoted does not load.
    #[error(
        "endpoint {endpoint:?} cannot serve the version that was promoted: {}; it is tried again \
         by itself, the gateway's log has the cause", .why.reason
    )]
    NotLoaded {
        /// The endpoint.
        endpoint: String,
        /// Why, and when it is tried again.
        why: NotLoaded,
    },
    /// The version asked for is not in the route.
    #[error("endpoint {endpoint:?} does not serve version {version}")]
    NoVersion {
        /// The endpoint.
        endpoint: String,
        /// The version asked for.
        version: VersionNumber,
    },
    /// Inputs that do not fit the model.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Inputs that do not fit the transform.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The transform failed.
    #[error(transparent)]
    Transform(#[from] PluginError),
    /// The transform gave what the model does not take; refused at deploy, so
    /// this is a defect.
    #[error("the transform's output does not fit the model: {0}")]
    Misfit(InputError),
    /// The model failed.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// Too much work is waiting.
    #[error("the server is busy: retry later")]
    Busy,
    /// The deadline passed.
    #[error("no answer within {0} ms")]
    TimedOut(u32),
    /// A contained panic.
    #[error("internal error")]
    Panicked,
}

impl PredictError {
    /// The kind, for the error tables.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRoute(_) | Self::NotLoaded { .. } => ErrorKind::Unavailable,
            Self::NoVersion { .. } => ErrorKind::Missing,
            Self::Input(_) | Self::Batch(_) => ErrorKind::Invalid,
            Self::Transform(error) => error.kind(),
            Self::Infer(error) => error.kind,
            Self::Busy => ErrorKind::Exhausted,
            Self::TimedOut(_) => ErrorKind::TimedOut,
            Self::Misfit(_) | Self::Panicked => ErrorKind::Internal,
        }
    }

    /// Seconds after which a retry may succeed, where that is known.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Transform(PluginError::Open { retry_after_ms }) => {
                Some(retry_after_ms.div_ceil(1000).max(1))
            }
            Self::NotLoaded { why, .. } => Some(why.retry_after_s.max(1)),
            _ if matches!(self.kind(), ErrorKind::Exhausted | ErrorKind::Unavailable) => Some(1),
            _ => None,
        }
    }
}

impl From<PoolError> for PredictError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Full(_) => Self::Busy,
            PoolError::Panicked => Self::Panicked,
        }
    }
}

/// Answers one request from the endpoint's route in memory.
pub async fn predict(
    pool: &Arc<Pool>,
    endpoint: &LiveEndpoint,
    request: PredictRequest,
) -> Result<Answer, PredictError> {
    let variant = choose(endpoint, &request)?;
    let deadline = Duration::from_millis(u64::from(endpoint.settings.timeout_ms));
    let work = answer(pool, variant, request.inputs);
    let outcome = lane::within(deadline, work)
        .await
        .unwrap_or(Err(PredictError::TimedOut(endpoint.settings.timeout_ms)));
    match outcome {
        Ok((outputs, rows)) => {
            variant.stats.answered(rows);
            Ok(Answer {
                outputs,
                variant: Arc::clone(variant),
                rows,
            })
        }
        Err(error) => {
            variant.stats.failed();
            Err(error)
        }
    }
}

fn choose<'a>(
    endpoint: &'a LiveEndpoint,
    request: &PredictRequest,
) -> Result<&'a Arc<LiveVariant>, PredictError> {
    if endpoint.variants.is_empty() {
        return Err(endpoint.absence());
    }
    match request.version {
        Some(version) => endpoint
            .variants
            .iter()
            .find(|live| live.variant.version.version == version)
            .ok_or_else(|| PredictError::NoVersion {
                endpoint: endpoint.name.to_string(),
                version,
            }),
        None => endpoint
            .pick(request.sticky_key.as_deref())
            .ok_or_else(|| endpoint.absence()),
    }
}

async fn answer(
    pool: &Arc<Pool>,
    variant: &Arc<LiveVariant>,
    inputs: Inputs,
) -> Result<(Vec<Tensor>, usize), PredictError> {
    let prepared = prepare(pool, variant, inputs).await?;
    let rows = prepared.rows();
    let outputs = infer(pool, variant, prepared).await?;
    Ok((outputs, rows))
}

/// Inputs in the model's terms: through the transform, if there is one.
async fn prepare(
    pool: &Arc<Pool>,
    variant: &Arc<LiveVariant>,
    inputs: Inputs,
) -> Result<Prepared, PredictError> {
    let signature = variant.loaded.model.signature();
    let Some(transform) = &variant.loaded.transform else {
        return Ok(match inputs {
            Inputs::Tensors(tensors) => signature.prepare(tensors)?,
            Inputs::Frame(frame) => signature.prepare_frame(&frame)?,
        });
    };
    let contract = transform.contract();
    let batch = match &inputs {
        Inputs::Tensors(tensors) => contract.batch_from_tensors(tensors)?,
        Inputs::Frame(frame) => contract.batch_from_frame(frame)?,
    };
    let transform = Arc::clone(transform);
    let tensors = lane::run(pool, &variant.transform_guard, move || {
        transform.apply(&batch)
    })
    .await??;
    signature.prepare(tensors).map_err(PredictError::Misfit)
}

/// Runs the model: with company, inline, or on the pool.
async fn infer(
    pool: &Arc<Pool>,
    variant: &Arc<LiveVariant>,
    prepared: Prepared,
) -> Result<Vec<Tensor>, PredictError> {
    if let Some(batcher) = &variant.batcher
        && prepared.rows() < batcher.max_rows()
    {
        return batcher.infer(prepared).await;
    }
    let model = Arc::clone(&variant.loaded.model);
    let rows = prepared.rows() as u64;
    // The guard knows small requests; a large one is judged by its rows.
    if rows > 1 && variant.row_ns.saturating_mul(rows) > INLINE_BUDGET_NS {
        return Ok(pool.run(move || model.infer(&prepared)).await??);
    }
    Ok(lane::run(pool, &variant.model_guard, move || model.infer(&prepared)).await??)
}
