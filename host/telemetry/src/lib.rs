//! Logs: one line an event, structured, to standard error.
//!
//! Metric counters live with what they count (`serving`, `api`); this crate
//! decides only how log lines look and which are written.

#![forbid(unsafe_code)]

use std::io::IsTerminal as _;
use tracing_subscriber::{EnvFilter, fmt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not parse.
    #[error("log filter {0:?} is not valid: write a level such as info, or target=level pairs")]
    Filter(String),
    /// Somebody set up logging before.
    #[error("logging is set up already")]
    Twice,
}

/// Starts logging for the process. `filter` is a level or `target=level` pairs.
pub fn start(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let levels = EnvFilter::try_new(filter).map_err(|_| LogError::Filter(filter.to_owned()))?;
    // Colours are for eyes only: a file or a pipe gets plain text.
    let lines = fmt::fmt()
        .with_env_filter(levels)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| LogError::Twice)
}
