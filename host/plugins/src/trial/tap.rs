//! What a trial hears of a sandbox: log lines, memory, requests.

use super::action::Exchanges;
use crate::bindings::{
    action::tollgate::plugin::outbound, transform::tollgate::plugin::log::Level as WitLevel,
};
use std::fmt;

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the author only.
    Debug,
    /// Worth keeping.
    Info,
    /// Someone should look.
    Warn,
    /// Something is broken.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}

/// A line that the guest logged, cleaned and cut as the gateway's log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The text.
    pub text: String,
}

/// Listens in one sandbox.
#[derive(Default)]
pub(crate) struct Tap {
    pub(crate) lines: Vec<LogLine>,
    /// Largest linear memory so far, in bytes.
    pub(crate) peak_memory: u64,
    pub(crate) exchanges: Option<Box<dyn Exchanges>>,
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

impl Tap {
    pub(crate) fn line(&mut self, level: WitLevel, text: String) {
        let level = match level {
            WitLevel::Debug => Level::Debug,
            WitLevel::Info => Level::Info,
            WitLevel::Warn => Level::Warn,
            WitLevel::Error => Level::Error,
        };
        self.lines.push(LogLine { level, text });
    }

    pub(crate) fn send(
        &mut self,
        request: outbound::Request,
    ) -> Result<outbound::Response, outbound::Refusal> {
        match &mut self.exchanges {
            Some(exchanges) => super::action::exchange(&mut **exchanges, request),
            None => Err(outbound::Refusal::NotGranted),
        }
    }
}
