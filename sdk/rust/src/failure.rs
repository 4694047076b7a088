//! How a plugin says no.

pub use crate::transform::bindings::tollgate::plugin::failures::{Failure, Fault};

impl Failure {
    /// A refusal; see the shorthands below for the usual kinds.
    #[must_use]
    pub fn new(fault: Fault, code: &str, message: impl Into<String>) -> Self {
        Self {
            fault,
            code: code.into(),
            message: message.into(),
            field: None,
            row: None,
            retryable: false,
        }
    }

    /// The rows are to blame; the caller of the prediction reads the message.
    #[must_use]
    pub fn invalid_input(code: &str, message: impl Into<String>) -> Self {
        Self::new(Fault::InvalidInput, code, message)
    }

    /// The settings are to blame; who installs the plugin reads the message.
    #[must_use]
    pub fn invalid_settings(code: &str, message: impl Into<String>) -> Self {
        Self::new(Fault::InvalidSettings, code, message)
    }

    /// Not implemented.
    #[must_use]
    pub fn unsupported(code: &str, message: impl Into<String>) -> Self {
        Self::new(Fault::Unsupported, code, message)
    }

    /// Something the plugin depends on answered badly.
    #[must_use]
    pub fn upstream(code: &str, message: impl Into<String>) -> Self {
        Self::new(Fault::Upstream, code, message)
    }

    /// A defect of the plugin.
    #[must_use]
    pub fn internal(code: &str, message: impl Into<String>) -> Self {
        Self::new(Fault::Internal, code, message)
    }

    /// Names the column.
    #[must_use]
    pub fn at_field(mut self, field: &str) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names the row, from 0.
    #[must_use]
    pub fn at_row(mut self, row: u32) -> Self {
        self.row = Some(row);
        self
    }

    /// The same call may succeed later.
    #[must_use]
    pub fn retry_later(mut self) -> Self {
        self.retryable = true;
        self
    }
}
