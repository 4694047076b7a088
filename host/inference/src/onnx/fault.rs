//! What can go wrong: while a node is compiled, and while a plan runs.

use domain::{error::ErrorKind, ports::engine::InferError};

/// A node that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Valid, but not implemented: everything that is missing.
    #[error("{}", .0.join(", "))]
    Unsupported(Vec<String>),
    /// Breaks the format's rules or a limit.
    #[error("{0}")]
    Malformed(String),
}

impl Refusal {
    /// One missing thing.
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(vec![what.into()])
    }

    /// A broken rule.
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unsupported(what) => Self::unsupported(what),
            other => Self::Malformed(other.to_string()),
        }
    }
}

/// An operator that failed on the values it got.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Shapes, ranks or axes that do not go together.
    #[error("{0}")]
    Shape(String),
    /// A value outside the operator's domain (index, category, divisor).
    #[error("{0}")]
    Value(String),
    /// An element type the operator is not implemented for.
    #[error("{0}")]
    Unsupported(String),
    /// A result larger than allowed.
    #[error("{0}")]
    Limit(String),
    /// candle failed, or a broken promise of our own.
    #[error("{0}")]
    Internal(String),
}

impl Fault {
    /// Shapes that do not go together.
    pub(crate) fn shape(message: impl Into<String>) -> Self {
        Self::Shape(message.into())
    }

    /// A value outside the operator's domain.
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::Value(message.into())
    }

    /// Same fault, with the operator's place in front.
    pub(crate) fn at(self, place: &str) -> Self {
        match self {
            Self::Shape(m) => Self::Shape(format!("{place}: {m}")),
            Self::Value(m) => Self::Value(format!("{place}: {m}")),
            Self::Unsupported(m) => Self::Unsupported(format!("{place}: {m}")),
            Self::Limit(m) => Self::Limit(format!("{place}: {m}")),
            Self::Internal(m) => Self::Internal(format!("{place}: {m}")),
        }
    }
}

impl From<candle_core::Error> for Fault {
    fn from(error: candle_core::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<Fault> for InferError {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::Shape(_) | Fault::Value(_) | Fault::Limit(_) => ErrorKind::Invalid,
            Fault::Unsupported(_) | Fault::Internal(_) => ErrorKind::Internal,
        };
        Self {
            kind,
            message: fault.to_string(),
        }
    }
}
