//! The nine kinds that every failure in the gateway belongs to, and the error
//! that ports return. HTTP statuses are chosen from kinds in one place (`api`).

use std::fmt;

/// What sort of failure happened, as far as a caller needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request is malformed or breaks a stated rule; fix it and resend.
    Invalid,
    /// No credentials, or credentials that are not known.
    Unauthenticated,
    /// Known, but not allowed.
    Denied,
    /// The thing named does not exist.
    Missing,
    /// The thing exists already, or changed since it was read.
    Conflict,
    /// A limit, quota or queue is full; retry later.
    Exhausted,
    /// A part this needs cannot answer now.
    Unavailable,
    /// The deadline passed.
    TimedOut,
    /// A defect or a broken promise of our own.
    Internal,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Conflict => "conflict",
            Self::Exhausted => "exhausted",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed out",
            Self::Internal => "internal",
        })
    }
}

/// Failure of a port: a kind, a message that may be shown to the caller, and
/// the cause, which is logged and never shown.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PortError {
    /// Which of the nine kinds.
    pub kind: ErrorKind,
    /// Public: names the thing and says what to do. Never holds secrets.
    pub message: String,
    /// Internal cause, for logs.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl PortError {
    /// An error of `kind` with a public message and no cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Attaches the internal cause.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// Result of a port call.
pub type PortResult<T> = Result<T, PortError>;
