//! What a plugin costs: size, compilation, an instance, and calls by batch size.
//!
//! Transforms are measured in the engine that serves, fresh and warm, on the
//! rows of the first golden case that gives tensors, repeated. Detectors and
//! actions are measured on their golden cases in the metered engine, whose code
//! is somewhat slower. Times are medians on this machine, as it was; fuel is the
//! same everywhere.

use crate::golden::{Golden, PlayError, default_limits, frame, play};
use domain::{
    batch::{Batch, Contract, FieldSpec},
    digest::Digest,
    frame::{Column, ColumnData, Frame},
    plugin::{Isolation, PluginKind, PluginLimits},
    ports::engine::{AdmitError, PluginEngine, PluginError, Transform},
};
use plugins::trial::Trial;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Batch sizes that are measured.
const ROWS: [usize; 3] = [1, 64, 1024];
/// How long calls of one size are repeated.
const MEASURED: Duration = Duration::from_millis(300);
/// Calls of one size: at least, at most.
const CALLS: (usize, usize) = (5, 2000);

/// What one kind of call costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallCost {
    /// What was called: `apply fresh`, `apply warm`, or a golden case.
    pub call: String,
    /// Rows of the batch; none for golden cases.
    pub rows: Option<usize>,
    /// Calls that were made.
    pub calls: usize,
    /// Median time of a call, in microseconds.
    pub median_us: f64,
    /// Time that one in ten calls took longer than, in microseconds.
    pub p90_us: f64,
    /// Fuel of a call.
    pub fuel: Option<u64>,
}

/// What a component costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bench {
    /// Bytes of the component.
    pub size: usize,
    /// Milliseconds to compile it, in this process.
    pub compile_ms: f64,
    /// Microseconds to make and configure an instance, in the metered engine.
    pub start_us: f64,
    /// Fuel of that.
    pub start_fuel: u64,
    /// Largest linear memory, in bytes.
    pub peak_memory: u64,
    /// By call.
    pub calls: Vec<CallCost>,
}

/// A component that cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A gateway would not take it.
    #[error(transparent)]
    Admit(#[from] AdmitError),
    /// Golden cases cannot be played on it.
    #[error(transparent)]
    Play(#[from] PlayError),
    /// A detector or action without cases.
    #[error("a {0} is measured on its golden cases: give a golden file")]
    NoCases(PluginKind),
    /// The plugin does not do its work.
    #[error("the plugin did not start: {0}")]
    Start(String),
    /// A call failed.
    #[error("a call with {rows} rows failed: {source}")]
    Call {
        /// Rows of the batch.
        rows: usize,
        /// Why.
        #[source]
        source: PluginError,
    },
}

/// Measures a component with its settings (canonical JSON).
///
/// # Errors
/// When it is not admitted or a call fails.
pub fn bench(
    engine: &dyn PluginEngine,
    trial: &Trial,
    component: &[u8],
    settings: &str,
    golden: Option<&Golden>,
) -> Result<Bench, BenchError> {
    let subject = trial.open(component)?;
    let limits = golden.map_or_else(|| default_limits(subject.kind), Golden::limits);
    let mut bench = Bench {
        size: component.len(),
        compile_ms: subject.compile_time.as_secs_f64() * 1e3,
        start_us: 0.0,
        start_fuel: 0,
        peak_memory: 0,
        calls: Vec::new(),
    };
    if subject.kind != PluginKind::Transform {
        let golden = golden.ok_or(BenchError::NoCases(subject.kind))?;
        return cases(bench, trial, component, golden);
    }
    let started = subject.transform(settings, &limits);
    bench.start_us = micros(started.spent.time);
    bench.start_fuel = started.spent.fuel;
    let mut session = started
        .outcome
        .map_err(|stop| BenchError::Start(stop.to_string()))?;
    let sample = sample(golden, settings, &session.contract);
    let revision = Digest::of(component);
    for isolation in [Isolation::Fresh, Isolation::Warm] {
        let limits = PluginLimits {
            isolation,
            ..limits.clone()
        };
        let transform = engine.load_transform(&revision, component, settings, &limits)?;
        for rows in ROWS {
            let batch = repeated(&session.contract, &sample, rows);
            let mut cost = measure(&*transform, &batch, isolation)?;
            if let Some(applied) = Some(session.apply(&batch)) {
                cost.fuel = Some(applied.spent.fuel);
                bench.peak_memory = bench.peak_memory.max(applied.spent.peak_memory);
            }
            bench.calls.push(cost);
        }
    }
    Ok(bench)
}

fn measure(
    transform: &dyn Transform,
    batch: &Batch,
    isolation: Isolation,
) -> Result<CallCost, BenchError> {
    let rows = batch.rows;
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < CALLS.0 || (started.elapsed() < MEASURED && times.len() < CALLS.1) {
        let call = Instant::now();
        transform
            .apply(batch)
            .map_err(|source| BenchError::Call { rows, source })?;
        times.push(micros(call.elapsed()));
    }
    let mode = match isolation {
        Isolation::Fresh => "fresh",
        Isolation::Warm => "warm",
    };
    Ok(cost(format!("apply {mode}"), Some(rows), times))
}

fn cost(call: String, rows: Option<usize>, mut times: Vec<f64>) -> CallCost {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let index = (times.len() as f64 * part) as usize;
        times.get(index.min(times.len().saturating_sub(1)))
    };
    CallCost {
        call,
        rows,
        calls: times.len(),
        median_us: at(0.5).copied().unwrap_or_default(),
        p90_us: at(0.9).copied().unwrap_or_default(),
        fuel: None,
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Golden cases, played again and again.
fn cases(
    mut bench: Bench,
    trial: &Trial,
    component: &[u8],
    golden: &Golden,
) -> Result<Bench, BenchError> {
    const TIMES: usize = 5;
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); golden.cases.len()];
    let mut last = play(trial, component, golden)?;
    for _ in 0..TIMES {
        last = play(trial, component, golden)?;
        for (times, case) in times.iter_mut().zip(&last.cases) {
            times.push(case.cost.micros as f64);
        }
    }
    for (times, case) in times.into_iter().zip(last.cases) {
        bench.peak_memory = bench.peak_memory.max(case.cost.peak_memory);
        bench.start_fuel = bench.start_fuel.max(case.cost.start_fuel);
        let mut cost = cost(format!("case {:?}", case.name), None, times);
        cost.fuel = Some(case.cost.fuel);
        bench.calls.push(cost);
    }
    Ok(bench)
}

/// Rows to repeat: those of a golden case under the same settings, else zeros.
fn sample(golden: Option<&Golden>, settings: &str, contract: &Contract) -> Frame {
    let cases = golden.iter().flat_map(|golden| {
        let fits = |case: &&crate::golden::Case| golden.settings_of(case) == settings;
        golden.cases.iter().filter(fits)
    });
    let given = cases.filter_map(|case| {
        let gives = case.expect.as_ref()?.get("tensors").is_some();
        let frame = frame(case.columns.as_ref()?, contract).ok()?;
        (gives && frame.rows() > 0 && contract.batch_from_frame(&frame).is_ok()).then_some(frame)
    });
    given.into_iter().next().unwrap_or_else(|| {
        let zero = |field: &FieldSpec| (field.name.to_string(), json!([zero(field)]));
        let zeros = contract.inputs.iter().map(zero).collect();
        frame(&zeros, contract).unwrap_or_default()
    })
}

fn zero(field: &FieldSpec) -> Value {
    match field.element {
        domain::batch::Element::Utf8 => json!("text"),
        _ => json!(0),
    }
}

/// A batch of `rows` rows: the sample again and again.
fn repeated(contract: &Contract, sample: &Frame, rows: usize) -> Batch {
    fn take<T: Clone>(values: &[T], rows: usize) -> Vec<T> {
        values.iter().cycle().take(rows).cloned().collect()
    }
    let columns = sample.columns.iter().map(|column| Column {
        name: column.name.clone(),
        data: match &column.data {
            ColumnData::Numbers(v) => ColumnData::Numbers(take(v, rows)),
            ColumnData::Integers(v) => ColumnData::Integers(take(v, rows)),
            ColumnData::Text(v) => ColumnData::Text(take(v, rows)),
        },
    });
    let empty = Batch {
        rows: 0,
        blocks: Vec::new(),
    };
    // The sample made a batch, so its repetition makes one.
    Frame::new(columns.collect())
        .ok()
        .and_then(|frame| contract.batch_from_frame(&frame).ok())
        .unwrap_or(empty)
}
