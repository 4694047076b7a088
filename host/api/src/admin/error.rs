//! Every failure of the admin API as an RFC 9457 problem document.

use crate::edge::error::{Dialect, Failure, Fault};
use axum::response::{IntoResponse, Response};
use domain::error::{ErrorKind, PortError};
use evaluation::EvaluationsError;
use registry::RegistryError;
use rollout::PromoteError;

/// A failure of an admin operation.
#[derive(Debug)]
pub struct AdminError(Failure);

impl AdminError {
    /// A failure of `kind` with a stable code for scripts.
    pub fn new(kind: ErrorKind, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Failure::kind(kind, detail).with_code(code))
    }

    /// A thing that is not there.
    pub fn missing(what: &str, name: &impl std::fmt::Display) -> Self {
        Self::new(
            ErrorKind::Missing,
            "not_found",
            format!("{what} {name} does not exist"),
        )
    }

    /// A part of the request that breaks a rule.
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, code, detail)
    }

    /// A body or upload beyond its limit.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self(Failure::new(Fault::TooLarge, detail).with_code("too_large"))
    }

    /// A body that stopped arriving.
    pub fn slow() -> Self {
        let waited = super::wire::MAX_WAIT.as_secs();
        let detail = format!("the body stopped arriving for {waited} s: send it again");
        Self(Failure::new(Fault::SlowBody, detail))
    }

    /// No token, or none that is known.
    pub fn unauthenticated() -> Self {
        Self(Failure::kind(
            ErrorKind::Unauthenticated,
            "a token is needed",
        ))
    }
}

impl From<Failure> for AdminError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        self.0.respond(Dialect::Admin)
    }
}

/// Logs what callers are not shown.
fn internal(error: &(dyn std::error::Error + 'static), kind: ErrorKind) {
    if matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable) {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(inner) = cause {
            causes.push(inner.to_string());
            cause = inner.source();
        }
        tracing::error!(%error, causes = causes.join(": "), "admin operation failed");
    }
}

impl From<PortError> for AdminError {
    fn from(error: PortError) -> Self {
        internal(&error, error.kind);
        let code = match error.kind {
            ErrorKind::Conflict => "conflict",
            ErrorKind::Missing => "not_found",
            ErrorKind::Invalid => "invalid",
            // The only store limit a caller can meet is the size of an upload.
            ErrorKind::Exhausted => return Self::too_large(error.message),
            ErrorKind::Unauthenticated
            | ErrorKind::Denied
            | ErrorKind::Unavailable
            | ErrorKind::TimedOut
            | ErrorKind::Internal => "store",
        };
        Self::new(error.kind, code, error.message)
    }
}

impl From<RegistryError> for AdminError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Port(error) => error.into(),
            error => {
                internal(&error, error.kind());
                Self::new(error.kind(), error.code(), error.to_string())
            }
        }
    }
}

impl From<EvaluationsError> for AdminError {
    fn from(error: EvaluationsError) -> Self {
        match error {
            EvaluationsError::Port(error) => error.into(),
            error => {
                internal(&error, error.kind());
                Self::new(error.kind(), error.code(), error.to_string())
            }
        }
    }
}

impl From<PromoteError> for AdminError {
    fn from(error: PromoteError) -> Self {
        match error {
            PromoteError::Port(error) => error.into(),
            error => {
                internal(&error, error.kind());
                Self::new(error.kind(), error.code(), error.to_string())
            }
        }
    }
}
