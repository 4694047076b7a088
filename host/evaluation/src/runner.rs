//! One evaluation: rows through the transform and the model, predictions
//! against labels, candidate against baseline.

use crate::{
    dataset::{LabelError, Labels, Table},
    latency::{self, Clock},
    metrics::{Binary, Measured, Multiclass, Regression, Sample, SampleError},
    scores::{self, ScoreError, Scores, Target},
    slices,
};
use domain::{
    batch::BatchError,
    error::ErrorKind,
    evidence::{Difference, Latency, Metric, Slice, Task},
    frame::Frame,
    ports::engine::{InferError, Model, PluginError, Transform},
    signature::{InputError, Prepared},
};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Rows per call, unless the model is made for a fixed number.
const BATCH: usize = 256;
/// Columns that may be sliced in one evaluation.
const MAX_SLICED: usize = 20;
/// Largest seed: the record's canonical JSON writes numbers as doubles.
const MAX_SEED: u64 = 1 << 53;

/// What is run: a model, behind its transform if it has one.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The model.
    pub model: &'a dyn Model,
    /// The transform that serves with it. Without one, the model takes the
    /// table's columns themselves (all but the label).
    pub transform: Option<&'a dyn Transform>,
    /// Which output is judged.
    pub target: &'a Target,
}

/// How an evaluation is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Columns to cut the rows by.
    pub slices: Vec<String>,
    /// Seed of all resampling, at most 2^53.
    pub seed: u64,
    /// Binary: a row is decided for class 1 above this probability.
    pub threshold: f64,
    /// One-row calls to time, at most.
    pub latency_calls: usize,
    /// Longest time that running the models may take.
    pub time_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            slices: Vec::new(),
            seed: 0,
            threshold: 0.5,
            latency_calls: 200,
            time_limit: Duration::from_secs(600),
        }
    }
}

/// What came out, in the shapes of [`domain::evidence::Evaluation`].
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Rows run.
    pub rows: u64,
    /// Seed used.
    pub seed: u64,
    /// The candidate's metrics over all rows.
    pub metrics: BTreeMap<String, Metric>,
    /// The candidate's metrics over slices.
    pub slices: Vec<Slice>,
    /// The candidate's time per row.
    pub latency: Latency,
    /// The baseline on the same rows.
    pub baseline: Option<Comparison>,
}

/// A baseline's metrics and the candidate's distance to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The baseline's own metrics.
    pub metrics: BTreeMap<String, Metric>,
    /// Candidate minus baseline.
    pub differences: BTreeMap<String, Difference>,
}

/// Which of the two was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The version that is evaluated.
    Candidate,
    /// The version it is compared to.
    Baseline,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Candidate => "candidate",
            Self::Baseline => "baseline",
        })
    }
}

/// An evaluation that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The labels do not fit the task.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// A column to slice by is not there.
    #[error("column {0:?} to slice by is not in the data")]
    SliceColumn(String),
    /// Too many columns to slice by.
    #[error("{given} columns to slice by, at most {limit} can be")]
    SliceCount {
        /// Given.
        given: usize,
        /// The bound.
        limit: usize,
    },
    /// A seed that the record could not hold exactly.
    #[error("the seed is {given}, it must be at most {limit}")]
    Seed {
        /// Given.
        given: u64,
        /// The bound.
        limit: u64,
    },
    /// The model or its transform failed on a batch.
    #[error("the {role} failed on rows {first} to {last} (from 0): {cause}")]
    Rows {
        /// Which one.
        role: Role,
        /// First row of the batch.
        first: usize,
        /// Last row of the batch.
        last: usize,
        /// What failed.
        cause: RowsError,
    },
    /// Its predictions cannot be judged.
    #[error("the {role}'s predictions cannot be judged: {cause}")]
    Predictions {
        /// Which one.
        role: Role,
        /// Why, with the row.
        cause: SampleError,
    },
    /// It takes too long.
    #[error("the models took longer than {} s for {done} of {rows} rows", .limit.as_secs())]
    TimedOut {
        /// The bound.
        limit: Duration,
        /// Rows done.
        done: usize,
        /// Rows in all.
        rows: usize,
    },
    /// The two were not run on the same rows: a defect.
    #[error("candidate and baseline do not have the same labels")]
    Unpaired,
}

/// What can fail on a batch of rows.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The columns do not fit the transform.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The transform.
    #[error(transparent)]
    Transform(#[from] PluginError),
    /// The columns, or the transform's outputs, do not fit the model.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The model.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The outputs.
    #[error(transparent)]
    Scores(#[from] ScoreError),
}

impl EvaluateError {
    /// The kind, for the error tables.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Rows { cause, .. } => match cause {
                RowsError::Transform(error) => error.kind(),
                RowsError::Infer(error) => error.kind,
                RowsError::Batch(_) | RowsError::Input(_) | RowsError::Scores(_) => {
                    ErrorKind::Invalid
                }
            },
            Self::TimedOut { .. } => ErrorKind::TimedOut,
            Self::Unpaired => ErrorKind::Internal,
            _ => ErrorKind::Invalid,
        }
    }
}

/// Evaluates `candidate` on `table`, and `baseline` beside it on the same rows.
///
/// The label column is taken away before anything else sees the rows. `clock`
/// only times; no number but the latency depends on it.
pub fn evaluate(
    table: &Table,
    label: &str,
    task: Task,
    (candidate, baseline): (&Subject<'_>, Option<&Subject<'_>>),
    options: &Options,
    clock: Clock<'_>,
) -> Result<Report, EvaluateError> {
    if options.seed > MAX_SEED {
        return Err(EvaluateError::Seed {
            given: options.seed,
            limit: MAX_SEED,
        });
    }
    let labels = table.labels(label, task)?;
    let cuts = cut_rows(&table.frame, &options.slices)?;
    let run = Run {
        features: without(&table.frame, label),
        labels: &labels,
        task,
        options,
        clock,
        started: clock(),
    };
    let scores = run.predict(candidate, Role::Candidate)?;
    let sample = run.sample(&scores, Role::Candidate)?;
    let measured = sample.measure(options.seed);
    let baseline = baseline
        .map(|baseline| run.compare(&sample, &measured, baseline))
        .transpose()?;
    let slices = run.slices(&scores, cuts)?;
    let latency = run.latency(candidate)?;
    Ok(Report {
        rows: table.frame.rows() as u64,
        seed: options.seed,
        metrics: measured.metrics,
        slices,
        latency,
        baseline,
    })
}

/// All columns but one.
fn without(frame: &Frame, label: &str) -> Frame {
    let mut features = frame.clone();
    features.columns.retain(|column| *column.name != *label);
    features
}

/// A column's name with its slices.
type Cuts<'a> = Vec<(&'a str, Vec<slices::Cut>)>;

fn cut_rows<'a>(frame: &Frame, columns: &'a [String]) -> Result<Cuts<'a>, EvaluateError> {
    if columns.len() > MAX_SLICED {
        return Err(EvaluateError::SliceCount {
            given: columns.len(),
            limit: MAX_SLICED,
        });
    }
    let cut = |name: &'a String| match frame.column(name) {
        Some(column) => Ok((name.as_str(), slices::cut(column))),
        None => Err(EvaluateError::SliceColumn(name.clone())),
    };
    columns.iter().map(cut).collect()
}

/// What stays the same for both models.
struct Run<'a> {
    features: Frame,
    labels: &'a Labels,
    task: Task,
    options: &'a Options,
    clock: Clock<'a>,
    started: Duration,
}

/// Rows per call: as many as the model's first input is fixed to, else `free`.
fn batch_rows(subject: &Subject<'_>, free: usize) -> usize {
    let inputs = &subject.model.signature().inputs;
    let first = inputs.first().and_then(|spec| spec.shape.first());
    match first.map(|rows| usize::try_from(*rows)) {
        Some(Ok(rows)) if rows > 0 => rows,
        _ => free,
    }
}

impl Run<'_> {
    fn predict(&self, subject: &Subject<'_>, role: Role) -> Result<Scores, EvaluateError> {
        let rows = self.features.rows();
        let step = batch_rows(subject, BATCH);
        let mut all = Scores::default();
        for start in (0..rows).step_by(step) {
            let end = rows.min(start.saturating_add(step));
            let scores = self.batch(subject, role, start, end)?;
            all.width = scores.width;
            all.values.extend(scores.values);
            let spent = (self.clock)().saturating_sub(self.started);
            if spent > self.options.time_limit {
                return Err(EvaluateError::TimedOut {
                    limit: self.options.time_limit,
                    done: end,
                    rows,
                });
            }
        }
        Ok(all)
    }

    fn batch(
        &self,
        subject: &Subject<'_>,
        role: Role,
        start: usize,
        end: usize,
    ) -> Result<Scores, EvaluateError> {
        let outcome = predict(subject, &self.features.slice(start, end), self.task);
        outcome.map_err(|cause| EvaluateError::Rows {
            role,
            first: start,
            last: end.saturating_sub(1),
            cause,
        })
    }

    fn sample(&self, scores: &Scores, role: Role) -> Result<Sample, EvaluateError> {
        sample(self.labels.clone(), scores.clone(), self.options.threshold)
            .map_err(|cause| EvaluateError::Predictions { role, cause })
    }

    fn compare(
        &self,
        sample: &Sample,
        measured: &Measured,
        baseline: &Subject<'_>,
    ) -> Result<Comparison, EvaluateError> {
        let scores = self.predict(baseline, Role::Baseline)?;
        let theirs = self.sample(&scores, Role::Baseline)?;
        let their_measured = theirs.measure(self.options.seed);
        let differences = sample
            .minus(measured, &theirs, &their_measured)
            .ok_or(EvaluateError::Unpaired)?;
        Ok(Comparison {
            metrics: their_measured.metrics,
            differences,
        })
    }

    fn slices(&self, scores: &Scores, cuts: Cuts<'_>) -> Result<Vec<Slice>, EvaluateError> {
        let mut slices = Vec::new();
        for (column, cuts) in cuts {
            for (value, rows) in cuts {
                let scores = scores.take(&rows);
                let part = sample(self.labels.take(&rows), scores, self.options.threshold)
                    .map_err(|cause| EvaluateError::Predictions {
                        role: Role::Candidate,
                        cause,
                    })?;
                slices.push(Slice {
                    column: column.to_owned(),
                    value,
                    n: rows.len() as u64,
                    metrics: part.measure(self.options.seed).metrics,
                });
            }
        }
        Ok(slices)
    }

    fn latency(&self, subject: &Subject<'_>) -> Result<Latency, EvaluateError> {
        let step = batch_rows(subject, 1);
        let starts = self.features.rows() / step;
        let calls = self.options.latency_calls.max(1);
        let call = |at: usize| {
            let start = at * step;
            self.batch(subject, Role::Candidate, start, start + step)
                .map(drop)
        };
        let latency = latency::measure(starts, calls, self.clock, call)?;
        Ok(latency.unwrap_or(Latency {
            p50_ms: 0.0,
            p95_ms: 0.0,
            p99_ms: 0.0,
            n: 0,
        }))
    }
}

/// One call: rows through the transform, into the model, out as predictions.
fn predict(subject: &Subject<'_>, rows: &Frame, task: Task) -> Result<Scores, RowsError> {
    let inputs = prepare(subject, rows)?;
    let outputs = subject.model.infer(&inputs)?;
    Ok(scores::find(&outputs, rows.rows(), task, subject.target)?)
}

fn prepare(subject: &Subject<'_>, rows: &Frame) -> Result<Prepared, RowsError> {
    let signature = subject.model.signature();
    let Some(transform) = subject.transform else {
        return Ok(signature.prepare_frame(rows)?);
    };
    let batch = transform.contract().batch_from_frame(rows)?;
    Ok(signature.prepare(transform.apply(&batch)?)?)
}

fn sample(labels: Labels, scores: Scores, threshold: f64) -> Result<Sample, SampleError> {
    Ok(match labels {
        Labels::Binary(truth) => Sample::Binary(Binary::new(truth, scores.values, threshold)?),
        Labels::Multiclass(truth) => {
            Sample::Multiclass(Multiclass::new(truth, scores.values, scores.width)?)
        }
        Labels::Regression(truth) => Sample::Regression(Regression::new(truth, &scores.values)?),
    })
}
