//! Registering data sets, running evaluations, logging metrics from outside.

use crate::{
    dataset::{self, ReadLimits},
    latency,
    runner::{self, Subject},
    scores::Target,
};
use domain::{
    digest::Digest,
    error::{ErrorKind, PortError},
    evidence::{Dataset, EvaluatedBaseline, Evaluation, ExternalMetric, Metric, Task},
    id::EvaluationId,
    json::canonical,
    ledger::{Actor, NewEntry},
    model::VersionRef,
    name::DatasetName,
    ports::{
        Clock, Ids,
        engine::{LoadedVersion, Versions},
        store::{Artifacts, Store},
    },
};
use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use tokio::sync::Semaphore;

/// Evaluations that run at a time; others wait.
const CONCURRENT: usize = 1;
/// Longest source of an external metric, and longest metric name.
const MAX_TEXT: usize = 200;
/// Most external metrics in one request.
const MAX_METRICS: usize = 200;

/// A data set to register.
#[derive(Debug, Clone)]
pub struct NewDataset {
    /// Its name.
    pub name: DatasetName,
    /// Digest of the uploaded file.
    pub artifact: Digest,
    /// Column that holds the label.
    pub label: String,
    /// What is to be predicted.
    pub task: Task,
}

/// An evaluation to run.
#[derive(Debug, Clone)]
pub struct NewEvaluation {
    /// The version.
    pub version: VersionRef,
    /// The data set.
    pub dataset: DatasetName,
    /// Version to run beside it.
    pub baseline: Option<VersionRef>,
    /// Columns to cut by.
    pub slices: Vec<String>,
    /// Seed of resampling.
    pub seed: u64,
}

/// Why there is no evaluation or data set. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationsError {
    /// A thing named in the request does not exist.
    #[error("{what} {name} does not exist: {remedy}")]
    Missing {
        /// Sort of thing.
        what: &'static str,
        /// Its name or digest.
        name: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A field breaks a rule.
    #[error("{field}: {message}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// The file is not a usable data set.
    #[error("data set: {0}")]
    Dataset(#[from] dataset::DatasetError),
    /// The label column does not fit the task.
    #[error("label: {0}")]
    Label(#[from] dataset::LabelError),
    /// The version could not be run over the data.
    #[error("evaluation: {0}")]
    Run(#[from] runner::EvaluateError),
    /// A number without a place in JSON.
    #[error("the record has no canonical form")]
    NotCanonical(#[from] domain::json::CanonicalError),
    /// The store, a loader, or a contained panic.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl EvaluationsError {
    /// The kind, for the error tables.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::Missing,
            Self::Field { .. } | Self::Dataset(_) | Self::Label(_) => ErrorKind::Invalid,
            Self::Run(error) => error.kind(),
            Self::NotCanonical(_) => ErrorKind::Internal,
            Self::Port(error) => error.kind,
        }
    }

    /// A stable code for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "not_found",
            Self::Field { .. } => "field_invalid",
            Self::Dataset(_) => "dataset_invalid",
            Self::Label(_) => "label_invalid",
            Self::Run(_) => "evaluation_failed",
            Self::NotCanonical(_) => "not_canonical",
            Self::Port(_) => "store",
        }
    }
}

/// The use cases of evaluation.
#[derive(Debug)]
pub struct Evaluations {
    store: Arc<dyn Store>,
    artifacts: Arc<dyn Artifacts>,
    versions: Arc<dyn Versions>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    engine: String,
    turns: Arc<Semaphore>,
}

impl Evaluations {
    /// Evaluations by `engine`, as in `tollgate-inference 0.1.0`.
    pub fn new(
        store: Arc<dyn Store>,
        artifacts: Arc<dyn Artifacts>,
        versions: Arc<dyn Versions>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        engine: String,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(CONCURRENT));
        Self {
            store,
            artifacts,
            versions,
            clock,
            ids,
            engine,
            turns,
        }
    }

    /// Registers an uploaded table: reads all of it, checks the label column
    /// against the task, and only then writes the record.
    pub async fn create_dataset(
        &self,
        new: NewDataset,
        actor: &Actor,
    ) -> Result<Dataset, EvaluationsError> {
        let path = self.file(&new.artifact).await?;
        let size = tokio::fs::metadata(&path)
            .await
            .map_or(0, |meta| meta.len());
        let (label, task) = (new.label.clone(), new.task);
        let (format, inspected) = off_thread(move || {
            let table = dataset::read(&path, &ReadLimits::default())?;
            let inspected = table.inspect(&label, task)?;
            Ok::<_, EvaluationsError>((table.format, inspected))
        })
        .await??;
        let record = Dataset {
            name: new.name,
            digest: new.artifact,
            size,
            format: format.as_str().to_owned(),
            rows: inspected.rows,
            columns: inspected.columns,
            label: new.label,
            task: new.task,
            created_by: actor.name.clone(),
            created_at: self.clock.now(),
        };
        let body = json!({ "digest": record.digest, "rows": record.rows, "label": record.label });
        let entry = self.entry(
            "dataset.created",
            format!("dataset/{}", record.name),
            actor,
            &body,
        )?;
        self.store.insert_dataset(&record, entry).await?;
        Ok(record)
    }

    /// Runs a version over a data set, beside a baseline if one is named, and
    /// seals what was measured.
    pub async fn create_evaluation(
        &self,
        new: NewEvaluation,
        actor: &Actor,
    ) -> Result<Evaluation, EvaluationsError> {
        let started_at = self.clock.now();
        let dataset = self.store.dataset(&new.dataset).await?;
        let dataset = dataset.ok_or_else(|| EvaluationsError::Missing {
            what: "data set",
            name: new.dataset.to_string(),
            remedy: "register it first",
        })?;
        let candidate = self.load(&new.version).await?;
        let baseline = match &new.baseline {
            Some(version) => Some(self.load(version).await?),
            None => None,
        };
        let path = self.file(&dataset.digest).await?;
        // The semaphore is never closed, so a turn always comes. The job keeps it:
        // a caller who leaves must not let the next one in beside it.
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let job = Job {
            path,
            dataset: dataset.clone(),
            candidate: Arc::clone(&candidate),
            baseline: baseline.clone(),
            slices: new.slices,
            seed: new.seed,
        };
        let report = off_thread(move || {
            let report = job.run();
            drop(turn);
            report
        })
        .await??;
        let baseline =
            baseline
                .zip(report.baseline)
                .map(|(loaded, comparison)| EvaluatedBaseline {
                    version: name_of(&loaded),
                    artifact: loaded.version.artifact,
                    transform: loaded.version.transform,
                    metrics: comparison.metrics,
                    differences: comparison.differences,
                });
        let evaluation = Evaluation {
            id: EvaluationId::from_ulid(&self.ids.ulid()),
            version: new.version,
            artifact: candidate.version.artifact,
            transform: candidate.version.transform,
            dataset: dataset.name,
            dataset_digest: dataset.digest,
            task: dataset.task,
            rows: report.rows,
            engine: self.engine.clone(),
            seed: new.seed,
            metrics: report.metrics,
            slices: report.slices,
            latency: report.latency,
            baseline,
            created_by: actor.name.clone(),
            started_at,
            finished_at: self.clock.now(),
            seal: None,
        }
        .sealed()?;
        let body = json!({
            "evaluation": evaluation.id,
            "dataset_digest": evaluation.dataset_digest,
            "seal": evaluation.seal,
        });
        let subject = format!("version/{}", evaluation.version);
        let entry = self.entry("evaluation.sealed", subject, actor, &body)?;
        self.store.insert_evaluation(&evaluation, entry).await?;
        Ok(evaluation)
    }

    /// Logs metrics that were computed elsewhere, marked as such.
    pub async fn log_external(
        &self,
        version: VersionRef,
        source: String,
        metrics: BTreeMap<String, Metric>,
        actor: &Actor,
    ) -> Result<Vec<ExternalMetric>, EvaluationsError> {
        check_external(&source, &metrics)?;
        if self.store.version(&version).await?.is_none() {
            return Err(EvaluationsError::Missing {
                what: "version",
                name: version.to_string(),
                remedy: "register it first",
            });
        }
        let now = self.clock.now();
        let logged: Vec<_> = metrics
            .into_iter()
            .map(|(name, metric)| ExternalMetric {
                model: version.model.clone(),
                version: version.version,
                name,
                metric,
                source: source.clone(),
                logged_by: actor.name.clone(),
                logged_at: now,
            })
            .collect();
        let body = json!({ "source": source, "metrics": logged.len() });
        let entry = self.entry("metrics.logged", format!("version/{version}"), actor, &body)?;
        self.store.insert_external(&logged, entry).await?;
        Ok(logged)
    }

    async fn load(&self, version: &VersionRef) -> Result<Arc<LoadedVersion>, EvaluationsError> {
        self.versions.load(version).await.map_err(|error| {
            if error.kind == ErrorKind::Missing {
                return EvaluationsError::Missing {
                    what: "version",
                    name: version.to_string(),
                    remedy: "register it first",
                };
            }
            error.into()
        })
    }

    async fn file(&self, digest: &Digest) -> Result<PathBuf, EvaluationsError> {
        self.artifacts
            .path(digest)
            .await?
            .ok_or_else(|| EvaluationsError::Missing {
                what: "artifact",
                name: digest.to_string(),
                remedy: "upload it first",
            })
    }

    fn entry(
        &self,
        event: &'static str,
        subject: String,
        actor: &Actor,
        body: &serde_json::Value,
    ) -> Result<NewEntry, EvaluationsError> {
        let body = canonical(body)?;
        Ok(NewEntry {
            event,
            subject,
            actor: actor.clone(),
            at: self.clock.now(),
            body,
        })
    }
}

fn name_of(loaded: &LoadedVersion) -> VersionRef {
    VersionRef {
        model: loaded.version.model.clone(),
        version: loaded.version.version,
    }
}

/// One run, ready to leave for another thread.
struct Job {
    path: PathBuf,
    dataset: Dataset,
    candidate: Arc<LoadedVersion>,
    baseline: Option<Arc<LoadedVersion>>,
    slices: Vec<String>,
    seed: u64,
}

impl Job {
    fn run(self) -> Result<runner::Report, EvaluationsError> {
        // The seal names the data set by its digest, so these must be its bytes.
        let found = std::fs::File::open(&self.path).and_then(Digest::of_reader);
        if found.ok() != Some(self.dataset.digest) {
            return Err(EvaluationsError::Port(PortError::new(
                ErrorKind::Internal,
                format!(
                    "the file of data set {} was changed on disk: restore {} from a backup",
                    self.dataset.name, self.dataset.digest
                ),
            )));
        }
        let table = dataset::read(&self.path, &ReadLimits::default())?;
        let options = runner::Options {
            slices: self.slices,
            seed: self.seed,
            ..runner::Options::default()
        };
        let target = Target::default();
        let candidate = subject(&self.candidate, &target);
        let baseline = self
            .baseline
            .as_deref()
            .map(|loaded| subject(loaded, &target));
        let clock = latency::monotonic();
        let report = runner::evaluate(
            &table,
            &self.dataset.label,
            self.dataset.task,
            (&candidate, baseline.as_ref()),
            &options,
            &clock,
        )?;
        Ok(report)
    }
}

fn subject<'a>(loaded: &'a LoadedVersion, target: &'a Target) -> Subject<'a> {
    Subject {
        model: loaded.model.as_ref(),
        transform: loaded.transform.as_deref(),
        target,
    }
}

fn check_external(
    source: &str,
    metrics: &BTreeMap<String, Metric>,
) -> Result<(), EvaluationsError> {
    let wrong = |field, message: String| Err(EvaluationsError::Field { field, message });
    let plain = |text: &str| {
        !text.trim().is_empty()
            && text.chars().count() <= MAX_TEXT
            && !text.chars().any(char::is_control)
    };
    if !plain(source) {
        return wrong("source", format!("use 1 to {MAX_TEXT} plain characters"));
    }
    if metrics.is_empty() || metrics.len() > MAX_METRICS {
        return wrong("metrics", format!("give 1 to {MAX_METRICS}"));
    }
    for (name, metric) in metrics {
        if !plain(name) {
            return wrong(
                "metrics",
                format!("names have 1 to {MAX_TEXT} plain characters"),
            );
        }
        if let Some(problem) = problem(metric) {
            return wrong("metrics", format!("{name}: {problem}"));
        }
    }
    Ok(())
}

/// What a metric from outside cannot say.
fn problem(metric: &Metric) -> Option<String> {
    let long = |text: &str| text.chars().count() > MAX_TEXT;
    if long(&metric.method) || metric.note.as_deref().is_some_and(long) {
        return Some(format!(
            "method and note have at most {MAX_TEXT} characters"
        ));
    }
    let numbers = [
        metric.value,
        metric.ci_low,
        metric.ci_high,
        Some(metric.level),
    ];
    if numbers.iter().flatten().any(|number| !number.is_finite()) {
        return Some("numbers must be finite".to_owned());
    }
    if !(metric.level > 0.0 && metric.level < 1.0) {
        return Some("level must be above 0 and below 1, as in 0.95".to_owned());
    }
    if let (Some(low), Some(high)) = (metric.ci_low, metric.ci_high)
        && low > high
    {
        return Some("ci_low is above ci_high".to_owned());
    }
    None
}

async fn off_thread<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PortError> {
    tokio::task::spawn_blocking(job).await.map_err(|error| {
        PortError::new(ErrorKind::Internal, "the evaluation failed unexpectedly").caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric() -> Metric {
        Metric {
            value: Some(0.9),
            ci_low: Some(0.8),
            ci_high: Some(0.95),
            level: 0.95,
            n: 100,
            method: "survey".to_owned(),
            greater_is_better: true,
            note: None,
        }
    }

    #[test]
    fn metrics_from_outside_are_bounded() {
        assert_eq!(problem(&metric()), None);
        let wrong: [fn(&mut Metric); 6] = [
            |metric| metric.value = Some(f64::NAN),
            |metric| metric.ci_high = Some(f64::INFINITY),
            |metric| metric.level = 7.0,
            |metric| metric.level = f64::NAN,
            |metric| metric.ci_low = Some(0.99),
            |metric| metric.method = "m".repeat(MAX_TEXT + 1),
        ];
        for (at, spoil) in wrong.into_iter().enumerate() {
            let mut metric = metric();
            spoil(&mut metric);
            assert!(problem(&metric).is_some(), "case {at}");
        }
    }
}
