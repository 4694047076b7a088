//! Engines: models, transforms, gates.

use crate::{
    batch::{Batch, Contract},
    decision::Verdict,
    digest::Digest,
    error::{ErrorKind, PortResult},
    gate::{GateBundle, GateInput},
    model::{Format, VersionRef},
    name::EndpointName,
    plugin::{PluginKind, PluginLimits},
    signature::{Prepared, Signature},
    tensor::Tensor,
};
use async_trait::async_trait;
use std::{fmt::Debug, path::PathBuf, sync::Arc};

/// A model file that cannot be served, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelLoadError {
    /// The content is none of the formats.
    #[error(
        "the file is none of the supported formats (ONNX, XGBoost JSON or UBJSON, LightGBM text, safetensors): {0}"
    )]
    UnknownFormat(String),
    /// The file is broken or breaks a limit.
    #[error("the {format:?} file is not valid: {message}")]
    Malformed {
        /// Format it seems to be.
        format: Format,
        /// Where and what.
        message: String,
    },
    /// Operators, objectives or types that are not implemented: all of them.
    #[error("the {format:?} model needs what is not supported: {}", .what.join(", "))]
    Unsupported {
        /// Format.
        format: Format,
        /// Every unsupported thing, sorted, each once.
        what: Vec<String>,
    },
    /// The format needs an architecture description, and it is missing or wrong.
    #[error("architecture description: {0}")]
    Architecture(String),
}

/// A prediction that failed inside the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InferError {
    /// [`ErrorKind::Invalid`] for input the model cannot take, else internal.
    pub kind: ErrorKind,
    /// Public message.
    pub message: String,
}

/// Where a model comes from.
#[derive(Debug, Clone)]
pub struct ModelSource {
    /// Path of the file, immutable while it is read.
    pub path: PathBuf,
    /// Architecture description (safetensors).
    pub architecture: Option<serde_json::Value>,
}

/// Loads models. `load` does all the work there is: parse, check, fold, plan.
pub trait ModelLoader: Send + Sync + Debug {
    /// Loads the file; CPU work, may take seconds.
    fn load(&self, source: &ModelSource) -> Result<Arc<dyn Model>, ModelLoadError>;
    /// Name and version of the engine, as in `tollgate-inference 0.1.0`.
    fn engine(&self) -> String;
}

/// A model ready to run. Calls are pure and may run at the same time.
pub trait Model: Send + Sync + Debug {
    /// What it takes and gives.
    fn signature(&self) -> &Signature;
    /// Format it was loaded from.
    fn format(&self) -> Format;
    /// Runs one batch. Outputs stand in signature order.
    fn infer(&self, inputs: &Prepared) -> Result<Vec<Tensor>, InferError>;
}

/// A component that is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// The bytes are not a component, or break a limit.
    #[error("the component is not valid: {0}")]
    Malformed(String),
    /// It imports what no plugin may, or exports none of the worlds.
    #[error("the component does not fit: {}", .0.join("; "))]
    World(Vec<String>),
    /// It refused its settings or misbehaved when asked to describe itself.
    #[error("the component refused: {0}")]
    Refused(String),
    /// The compiler or its limits.
    #[error("the component could not be compiled: {0}")]
    Compile(String),
}

/// What admission found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted {
    /// The world it implements.
    pub kind: PluginKind,
    /// WIT package version it was built for.
    pub wit_version: String,
    /// Contract under the given settings, for transforms.
    pub contract: Option<Contract>,
}

/// A plugin call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// The plugin said so, in its own words.
    #[error("transform {} ({code}): {message}{}", did(*.kind), place(.field.as_deref(), *.row))]
    Failure {
        /// [`ErrorKind::Invalid`] when the caller's data is to blame.
        kind: ErrorKind,
        /// The author's code.
        code: String,
        /// The author's words, cleaned of control characters and shortened.
        message: String,
        /// Column concerned.
        field: Option<String>,
        /// Row concerned.
        row: Option<u32>,
    },
    /// It ran out of time.
    #[error("transform exceeded its deadline of {deadline_ms} ms")]
    Deadline {
        /// The budget.
        deadline_ms: u32,
    },
    /// It trapped: a bug, or a limit on memory or stack.
    #[error("transform trapped: {0}")]
    Trap(String),
    /// It answered what its contract does not allow.
    #[error("transform broke its contract: {0}")]
    Contract(String),
    /// It failed too often and is not called for a while.
    #[error("transform is switched off after repeated failures; next try in {retry_after_ms} ms")]
    Open {
        /// When a call is let through again.
        retry_after_ms: u64,
    },
    /// No instance was free.
    #[error("no transform instance is free")]
    Busy,
}

/// What a plugin says it did, by the kind of its failure.
const fn did(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "refused the input",
        ErrorKind::Unavailable => "cannot answer now",
        _ => "failed",
    }
}

fn place(field: Option<&str>, row: Option<u32>) -> String {
    match (field, row) {
        (Some(field), Some(row)) => format!(" (field {field:?}, row {row})"),
        (Some(field), None) => format!(" (field {field:?})"),
        (None, Some(row)) => format!(" (row {row})"),
        (None, None) => String::new(),
    }
}

impl PluginError {
    /// The kind, for the error tables.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Failure { kind, .. } => *kind,
            Self::Deadline { .. } => ErrorKind::TimedOut,
            Self::Trap(_) | Self::Contract(_) => ErrorKind::Internal,
            Self::Open { .. } | Self::Busy => ErrorKind::Unavailable,
        }
    }
}

/// Admits and loads plugins.
pub trait PluginEngine: Send + Sync + Debug {
    /// Checks a component against every rule, compiles it, and for a transform
    /// runs `configure` and `describe` under production limits. `settings` is
    /// canonical JSON. CPU work, may take seconds.
    fn admit(
        &self,
        component: &[u8],
        settings: &str,
        limits: &PluginLimits,
    ) -> Result<Admitted, AdmitError>;

    /// A transform ready to run, from an admitted component. `revision` names
    /// it in logs and metrics. Uses the compiled artifact when there is one.
    fn load_transform(
        &self,
        revision: &Digest,
        component: &[u8],
        settings: &str,
        limits: &PluginLimits,
    ) -> Result<Arc<dyn Transform>, AdmitError>;
}

/// A transform ready to run. Calls may run at the same time.
pub trait Transform: Send + Sync + Debug {
    /// What it takes and gives.
    fn contract(&self) -> &Contract;
    /// Runs one batch; outputs stand in contract order, shapes checked.
    fn apply(&self, batch: &Batch) -> Result<Vec<Tensor>, PluginError>;
}

/// A gate bundle that cannot be admitted, with every finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the gate is not valid: {}", .findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct GateAdmitError {
    /// Everything found, in file and line order.
    pub findings: Vec<Finding>,
}

/// One finding in a gate bundle.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Finding {
    /// Stable code, as in `duplicate_default`.
    pub code: String,
    /// File, or `manifest`.
    pub file: String,
    /// Line, from 1, where known.
    pub line: Option<u32>,
    /// What is wrong and what to do.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {} ({})", self.file, self.message, self.code),
            None => write!(f, "{}: {} ({})", self.file, self.message, self.code),
        }
    }
}

/// Outcome of one policy test.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct GateTest {
    /// Full name, as in `tollgate.gates.quality_test.test_allows`.
    pub name: String,
    /// True only if the rule is exactly `true`.
    pub passed: bool,
    /// Why not.
    pub message: Option<String>,
}

/// Evaluates gates.
pub trait GateEngine: Send + Sync + Debug {
    /// Checks a bundle by every rule that can be checked without an input.
    fn admit(&self, bundle: &GateBundle) -> Result<(), GateAdmitError>;
    /// Runs the bundle's tests. No tests is an empty list.
    fn test(&self, bundle: &GateBundle) -> Result<Vec<GateTest>, GateAdmitError>;
    /// Evaluates one gate. Never fails: whatever goes wrong is a denial.
    fn evaluate(&self, bundle: &GateBundle, input: &GateInput) -> Verdict;
    /// Engine and version, as in `regorus 0.14.1`.
    fn engine(&self) -> String;
}

/// A version ready to run: its record, its model, its transform.
#[derive(Debug)]
pub struct LoadedVersion {
    /// The record.
    pub version: crate::model::ModelVersion,
    /// The model.
    pub model: Arc<dyn Model>,
    /// The transform before it.
    pub transform: Option<Arc<dyn Transform>>,
}

/// Loads registered versions. The same version loaded twice at a time is one.
#[async_trait]
pub trait Versions: Send + Sync + Debug {
    /// Loads model and transform beside whatever is serving. Missing if there is
    /// no such version.
    async fn load(&self, version: &VersionRef) -> PortResult<Arc<LoadedVersion>>;
}

/// Puts committed routes into service.
#[async_trait]
pub trait Publisher: Send + Sync + Debug {
    /// Loads and warms a version, so that publishing it cannot fail for its sake.
    async fn prepare(&self, version: &VersionRef) -> PortResult<()>;
    /// Serves the endpoint's committed route; gives its generation.
    async fn publish(&self, endpoint: &EndpointName) -> PortResult<u64>;
}
