//! One call of a plugin, to look at: what comes out, what it costs, what it logs.

use crate::{
    golden::{Script, default_limits, event, features, frame, from_tensor},
    inputs::{self, InputError},
};
use domain::{batch::Contract, plugin::PluginKind, ports::engine::AdmitError};
use plugins::trial::{LogLine, Outcome, Spent, Stop, Subject, Trial, Tried};
use serde_json::{Value, json};
use std::path::Path;

/// What a run is given. Which of the files are used depends on the kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inputs<'a> {
    /// Rows: a transform's batch, a detector's window.
    pub rows: Option<&'a Path>,
    /// Rows that a detector learns first.
    pub reference: Option<&'a Path>,
    /// A rollback for an action; one is made up without.
    pub event: Option<&'a Path>,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The answer as JSON; an action's with the requests it made.
    pub outcome: Result<Value, Stop>,
    /// Fuel of the call.
    pub fuel: u64,
    /// Fuel of making, configuring and, for detectors, fitting.
    pub start_fuel: u64,
    /// Largest linear memory, in bytes.
    pub peak_memory: u64,
    /// Lines it logged.
    pub lines: Vec<LogLine>,
    /// Lines beyond those that are kept.
    pub dropped_lines: u32,
}

/// A run that did not come to a call.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A gateway would not take it.
    #[error(transparent)]
    Admit(#[from] AdmitError),
    /// A file.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A file that the kind needs and that was not named.
    #[error("a {kind} needs {what}")]
    Missing {
        /// The kind.
        kind: PluginKind,
        /// Which option.
        what: &'static str,
    },
    /// Rows or an event that do not fit.
    #[error("{0}")]
    Fit(String),
}

/// Runs one call with `settings` (canonical JSON) under the usual limits.
///
/// # Errors
/// When the component is not admitted or an input is missing or does not fit.
pub fn run(
    trial: &Trial,
    component: &[u8],
    settings: &str,
    inputs: Inputs<'_>,
) -> Result<Ran, RunError> {
    let subject = trial.open(component)?;
    let mut ran = Ran {
        outcome: Ok(Value::Null),
        fuel: 0,
        start_fuel: 0,
        peak_memory: 0,
        lines: Vec::new(),
        dropped_lines: 0,
    };
    let outcome = match subject.kind {
        PluginKind::Transform => transform(&mut ran, &subject, settings, inputs)?,
        PluginKind::Detector => detector(&mut ran, &subject, settings, inputs)?,
        PluginKind::Action => action(&mut ran, &subject, settings, inputs)?,
    };
    ran.outcome = outcome;
    Ok(ran)
}

impl Ran {
    fn spent(&mut self, spent: Spent) -> u64 {
        self.peak_memory = self.peak_memory.max(spent.peak_memory);
        self.lines.extend(spent.lines);
        self.dropped_lines += spent.dropped_lines;
        spent.fuel
    }

    fn started<T>(&mut self, tried: Tried<T>) -> Result<T, Stop> {
        self.start_fuel += self.spent(tried.spent);
        tried.outcome
    }

    fn called<T>(&mut self, tried: Tried<T>) -> Result<T, Stop> {
        self.fuel += self.spent(tried.spent);
        tried.outcome
    }
}

fn batch(
    kind: PluginKind,
    contract: &Contract,
    path: Option<&Path>,
    what: &'static str,
) -> Result<domain::batch::Batch, RunError> {
    let path = path.ok_or(RunError::Missing { kind, what })?;
    let frame = frame(&inputs::table(path)?, contract).map_err(RunError::Fit)?;
    contract
        .batch_from_frame(&frame)
        .map_err(|error| RunError::Fit(error.to_string()))
}

fn transform(
    ran: &mut Ran,
    subject: &Subject<'_>,
    settings: &str,
    inputs: Inputs<'_>,
) -> Result<Result<Value, Stop>, RunError> {
    let kind = PluginKind::Transform;
    let started = subject.transform(settings, &default_limits(kind));
    let mut session = match ran.started(started) {
        Ok(session) => session,
        Err(stop) => return Ok(Err(stop)),
    };
    let rows = batch(
        kind,
        &session.contract,
        inputs.rows,
        "--input, a table of rows",
    )?;
    let applied = ran.called(session.apply(&rows));
    Ok(applied.map(|tensors| {
        let tensors: Vec<Value> = tensors.iter().map(from_tensor).collect();
        json!({ "tensors": tensors })
    }))
}

fn detector(
    ran: &mut Ran,
    subject: &Subject<'_>,
    settings: &str,
    inputs: Inputs<'_>,
) -> Result<Result<Value, Stop>, RunError> {
    let kind = PluginKind::Detector;
    let given = serde_json::from_str(settings).unwrap_or_default();
    let contract = features(&given).map_err(RunError::Fit)?;
    let reference = batch(
        kind,
        &contract,
        inputs.reference,
        "--reference, a table to learn",
    )?;
    let window = batch(kind, &contract, inputs.rows, "--input, a window of rows")?;
    let mut play = || {
        let limits = default_limits(kind);
        let mut session = ran.started(subject.detector(settings, &limits))?;
        ran.started(session.fit(&reference))?;
        let scores = ran.called(session.observe(&window))?;
        let score = |score: &plugins::trial::Score| {
            json!({
                "feature": score.feature, "statistic": score.statistic,
                "p_value": score.p_value, "drifted": score.drifted,
            })
        };
        Ok(json!({ "scores": scores.iter().map(score).collect::<Vec<_>>() }))
    };
    Ok(play())
}

fn action(
    ran: &mut Ran,
    subject: &Subject<'_>,
    settings: &str,
    inputs: Inputs<'_>,
) -> Result<Result<Value, Stop>, RunError> {
    let given = inputs.event.map(inputs::json).transpose()?;
    let event = event(given.as_ref().and_then(Value::as_object)).map_err(RunError::Fit)?;
    let script = Script::answering();
    let mut play = || {
        let limits = default_limits(PluginKind::Action);
        let mut session =
            ran.started(subject.action(settings, &limits, Box::new(script.clone())))?;
        let outcome = ran.called(session.run(&event))?;
        let (name, text) = match outcome {
            Outcome::Done(text) => ("done", text),
            Outcome::Skipped(text) => ("skipped", text),
        };
        Ok(json!({ name: text, "requests": script.requests() }))
    };
    Ok(play())
}
