//! Why something was not registered.

use domain::{
    error::{ErrorKind, PortError},
    ports::engine::{AdmitError, GateAdmitError, GateTest, ModelLoadError},
};
use tokio::sync::Semaphore;

/// Failure of a registration.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A thing named in the request does not exist.
    #[error("{what} {name} does not exist: {remedy}")]
    Missing {
        /// Sort of thing.
        what: &'static str,
        /// Its name or digest.
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
    /// The model file cannot be served.
    #[error("artifact: {0}")]
    Model(#[from] ModelLoadError),
    /// The component is not admitted.
    #[error("component: {0}")]
    Component(#[from] AdmitError),
    /// The transform does not fit the model.
    #[error("transform: {0}")]
    Transform(String),
    /// The gate is not valid.
    #[error(transparent)]
    Gate(#[from] GateAdmitError),
    /// The gate's own tests fail, or it has none.
    #[error("gate tests: {}", describe(.0))]
    GateTests(Vec<GateTest>),
    /// A value has no canonical JSON.
    #[error("{0} holds a number that JSON cannot carry")]
    NotCanonical(&'static str),
    /// The store, or a contained panic.
    #[error(transparent)]
    Port(#[from] PortError),
}

fn describe(failed: &[GateTest]) -> String {
    if failed.is_empty() {
        return "there are none: add rules named test_* in a *_test.rego module".to_owned();
    }
    let lines = failed.iter().map(|test| match &test.message {
        Some(message) => format!("{} failed: {message}", test.name),
        None => format!("{} failed", test.name),
    });
    lines.collect::<Vec<_>>().join("; ")
}

impl RegistryError {
    /// The kind, for the error tables.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::Missing,
            Self::Field { .. }
            | Self::Model(_)
            | Self::Component(_)
            | Self::Transform(_)
            | Self::Gate(_)
            | Self::GateTests(_)
            | Self::NotCanonical(_) => ErrorKind::Invalid,
            Self::Port(error) => error.kind,
        }
    }

    /// A stable code for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "not_found",
            Self::Field { .. } => "field_invalid",
            Self::Model(_) => "model_invalid",
            Self::Component(_) => "component_refused",
            Self::Transform(_) => "transform_misfit",
            Self::Gate(_) => "gate_invalid",
            Self::GateTests(_) => "gate_tests_failed",
            Self::NotCanonical(_) => "not_canonical",
            Self::Port(_) => "store",
        }
    }
}

/// Jobs at a time; others wait. Each may take the memory of a whole model.
static TURNS: Semaphore = Semaphore::const_new(4);

/// Runs CPU work off the runtime's threads, a few jobs at a time; a panic
/// becomes an error. Must not be called from within a job.
pub(crate) async fn off_thread<T: Send + 'static>(
    what: &'static str,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PortError> {
    // Never closed, so a turn always comes. The job keeps it: it runs to its end
    // even if the caller leaves.
    let turn = TURNS.acquire().await;
    let job = move || {
        let out = job();
        drop(turn);
        out
    };
    tokio::task::spawn_blocking(job).await.map_err(|error| {
        PortError::new(ErrorKind::Internal, format!("{what} failed unexpectedly")).caused_by(error)
    })
}
