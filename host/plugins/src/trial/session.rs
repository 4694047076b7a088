//! One instance on trial: its store, and every call into it measured.

use super::{
    Subject,
    action::Exchanges,
    tap::{LogLine, Tap},
};
use crate::{
    bindings::transform::tollgate::plugin::failures,
    engine::Ticker,
    instance::failed,
    sandbox::{Sandbox, begin_call, clean, store},
};
use domain::{plugin::PluginLimits, ports::engine::PluginError};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::Store;

/// What a call cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spent {
    /// Instructions executed, roughly: the same on every machine.
    pub fuel: u64,
    /// Largest linear memory of the instance so far, in bytes.
    pub peak_memory: u64,
    /// Time on the clock, with metering, which slows code down.
    pub time: Duration,
    /// Lines that the call logged.
    pub lines: Vec<LogLine>,
    /// Lines beyond those that are kept.
    pub dropped_lines: u32,
}

/// A refusal in the guest's own words, cleaned and shortened as serving does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is to blame, as in `invalid-input`.
    pub fault: &'static str,
    /// The author's code.
    pub code: String,
    /// The author's words.
    pub message: String,
    /// Column concerned.
    pub field: Option<String>,
    /// Row concerned.
    pub row: Option<u32>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The guest said no.
    Failure(Failure),
    /// The guest trapped, was late, or broke its contract.
    Broken(PluginError),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(failure) => {
                write!(
                    f,
                    "{} ({}): {}",
                    failure.fault, failure.code, failure.message
                )?;
                if let Some(field) = &failure.field {
                    write!(f, ", field {field:?}")?;
                }
                if let Some(row) = failure.row {
                    write!(f, ", row {row}")?;
                }
                Ok(())
            }
            // The words of serving speak of transforms; here it is any plugin.
            Self::Broken(error) => {
                f.write_str(&error.to_string().replacen("transform", "the plugin", 1))
            }
        }
    }
}

/// The answer of one call, and what it cost.
#[derive(Debug, Clone)]
pub struct Tried<T> {
    /// The answer.
    pub outcome: Result<T, Stop>,
    /// The cost.
    pub spent: Spent,
}

impl<T> Tried<T> {
    pub(super) fn stopped(stop: Stop) -> Self {
        Self {
            outcome: Err(stop),
            spent: Spent::default(),
        }
    }

    /// The same cost with another answer.
    pub(super) fn and_then<R>(self, f: impl FnOnce(T) -> Result<R, Stop>) -> Tried<R> {
        Tried {
            outcome: self.outcome.and_then(f),
            spent: self.spent,
        }
    }
}

/// An instance of a component of kind `T`, made for one case. Dropped after a
/// call that stopped: serving does so too.
pub(super) struct Session<T> {
    pub(super) store: Store<Sandbox>,
    pub(super) guest: T,
    ticker: Arc<Ticker>,
    limits: PluginLimits,
}

impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// What calls of the bindings answer.
type Answer<R> = wasmtime::Result<Result<R, failures::Failure>>;

impl<T> Session<T> {
    /// A new instance, made and configured by `start`.
    pub(super) fn start(
        subject: &Subject<'_>,
        limits: &PluginLimits,
        exchanges: Option<Box<dyn Exchanges>>,
        start: impl FnOnce(&mut Store<Sandbox>) -> Answer<T>,
    ) -> Tried<Self> {
        let mut store = store(&subject.host.engine, &Arc::from("trial"), limits);
        store.data_mut().tap = Some(Box::new(Tap {
            exchanges,
            ..Tap::default()
        }));
        let ticker = Arc::clone(&subject.host.ticker);
        let tried = measured(&mut store, &ticker, limits, start);
        tried.and_then(|guest| {
            Ok(Self {
                store,
                guest,
                ticker,
                limits: limits.clone(),
            })
        })
    }

    /// One call into the guest.
    pub(super) fn call<R>(
        &mut self,
        call: impl FnOnce(&T, &mut Store<Sandbox>) -> Answer<R>,
    ) -> Tried<R> {
        let Self {
            store,
            guest,
            ticker,
            limits,
        } = self;
        measured(store, ticker, limits, |store| call(guest, store))
    }
}

/// Runs `call` with a full tank and everything else as a call in production.
fn measured<R>(
    store: &mut Store<Sandbox>,
    ticker: &Ticker,
    limits: &PluginLimits,
    call: impl FnOnce(&mut Store<Sandbox>) -> Answer<R>,
) -> Tried<R> {
    if let Err(error) = store.set_fuel(u64::MAX) {
        return Tried::stopped(Stop::Broken(PluginError::Contract(error.to_string())));
    }
    let running = ticker.running();
    begin_call(store);
    let started = Instant::now();
    let answer = call(store);
    let time = started.elapsed();
    drop(running);
    let outcome = match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) => Err(Stop::Failure(words(&failure))),
        Err(error) => Err(Stop::Broken(failed(&error, store, limits))),
    };
    let fuel = u64::MAX - store.get_fuel().unwrap_or(u64::MAX);
    let dropped_lines = store.data().dropped_lines();
    let (lines, peak_memory) = match &mut store.data_mut().tap {
        Some(tap) => (std::mem::take(&mut tap.lines), tap.peak_memory),
        None => (Vec::new(), 0),
    };
    Tried {
        outcome,
        spent: Spent {
            fuel,
            peak_memory,
            time,
            lines,
            dropped_lines,
        },
    }
}

fn words(given: &failures::Failure) -> Failure {
    Failure {
        fault: match given.fault {
            failures::Fault::InvalidInput => "invalid-input",
            failures::Fault::InvalidSettings => "invalid-settings",
            failures::Fault::Unsupported => "unsupported",
            failures::Fault::Upstream => "upstream",
            failures::Fault::Internal => "internal",
        },
        code: clean(&given.code, 64),
        message: clean(&given.message, 1024),
        field: given.field.as_deref().map(|field| clean(field, 128)),
        row: given.row,
        retryable: given.retryable,
    }
}
