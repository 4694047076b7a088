//! Evidence: metrics with their sample size and interval, and where they came
//! from.

use crate::{
    digest::Digest,
    id::EvaluationId,
    model::VersionRef,
    name::{DatasetName, VersionNumber},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A measured number. A metric that could not be computed (no rows, one class
/// only, a division by zero) has no value and says why; it never is a NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The estimate; `None` when it could not be computed.
    pub value: Option<f64>,
    /// Lower end of the interval.
    pub ci_low: Option<f64>,
    /// Upper end of the interval.
    pub ci_high: Option<f64>,
    /// Confidence level of the interval, as in 0.95.
    pub level: f64,
    /// Rows (or events) the estimate rests on.
    pub n: u64,
    /// How estimate and interval were computed, as in `delong`.
    pub method: String,
    /// Whether a larger value is better.
    pub greater_is_better: bool,
    /// Why there is no value or no interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Candidate minus baseline on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Estimate of candidate minus baseline.
    pub value: Option<f64>,
    /// Lower end of the interval.
    pub ci_low: Option<f64>,
    /// Upper end of the interval.
    pub ci_high: Option<f64>,
    /// Confidence level.
    pub level: f64,
    /// Rows both were run on.
    pub n: u64,
    /// How it was computed, as in `delong_paired` or `bootstrap_paired`.
    pub method: String,
    /// Two-sided p-value of no difference, where the method gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Whether a larger value is better.
    pub greater_is_better: bool,
}

/// Metrics over the rows where `column` has `value`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// Column that cuts the data.
    pub column: String,
    /// Value of the column in this slice, or an interval of a numeric column.
    pub value: String,
    /// Rows in the slice.
    pub n: u64,
    /// Metrics over these rows.
    pub metrics: BTreeMap<String, Metric>,
}

/// Time per row of transform and model together, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Median of one call.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Calls measured, one row each.
    pub n: u64,
}

/// What kind of prediction is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Two classes; labels are 0 and 1.
    Binary,
    /// Several classes; labels are class numbers from 0.
    Multiclass,
    /// A number.
    Regression,
}

/// A registered data set: a table with labels, named by the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dataset {
    /// Its name; a new upload under a name becomes its current content.
    pub name: DatasetName,
    /// Digest of the file.
    pub digest: Digest,
    /// Size of the file in bytes.
    pub size: u64,
    /// `csv` or `parquet`, found from the content.
    pub format: String,
    /// Rows of data.
    pub rows: u64,
    /// Column names in order.
    pub columns: Vec<String>,
    /// Column that holds the label.
    pub label: String,
    /// What is to be predicted.
    pub task: Task,
    /// Who uploaded it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A baseline as it was run beside the candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluatedBaseline {
    /// The version.
    pub version: VersionRef,
    /// Digest of its model file.
    pub artifact: Digest,
    /// Its transform.
    pub transform: Option<Digest>,
    /// Its own metrics on the same rows.
    pub metrics: BTreeMap<String, Metric>,
    /// Candidate minus baseline, metric by metric.
    pub differences: BTreeMap<String, Difference>,
}

/// Sealed metrics of one version on one data set, computed by the gateway.
/// Written once, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evaluation {
    /// Its id.
    pub id: EvaluationId,
    /// The version that was run.
    pub version: VersionRef,
    /// Digest of the model file that was run.
    pub artifact: Digest,
    /// Transform that was run before the model.
    pub transform: Option<Digest>,
    /// Name of the data set.
    pub dataset: DatasetName,
    /// Digest of the data that was read.
    pub dataset_digest: Digest,
    /// What was judged.
    pub task: Task,
    /// Rows that were run.
    pub rows: u64,
    /// Engine that ran it, as in `tollgate 0.1.0`.
    pub engine: String,
    /// Seed of every resampling.
    pub seed: u64,
    /// Metrics over all rows.
    pub metrics: BTreeMap<String, Metric>,
    /// Metrics over slices.
    pub slices: Vec<Slice>,
    /// Time per row.
    pub latency: Latency,
    /// Baseline run on the same rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<EvaluatedBaseline>,
    /// Who asked for it.
    pub created_by: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it was sealed.
    pub finished_at: Timestamp,
    /// Digest of this record without this field: the seal.
    pub seal: Option<Digest>,
}

/// A metric that somebody computed elsewhere and logged here. Policies see
/// these apart from sealed ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalMetric {
    /// The version it is about.
    pub model: crate::name::ModelName,
    /// The version it is about.
    pub version: VersionNumber,
    /// Name of the metric.
    pub name: String,
    /// The number.
    pub metric: Metric,
    /// Who or what computed it.
    pub source: String,
    /// Who logged it.
    pub logged_by: String,
    /// When it was logged.
    pub logged_at: Timestamp,
}

impl Evaluation {
    /// Digest of the record without its seal: what the seal must equal.
    pub fn digest(&self) -> Result<Digest, crate::json::CanonicalError> {
        let unsealed = Self {
            seal: None,
            ..self.clone()
        };
        crate::json::canonical_digest(&unsealed)
    }

    /// The record with its seal.
    pub fn sealed(self) -> Result<Self, crate::json::CanonicalError> {
        let seal = self.digest()?;
        Ok(Self {
            seal: Some(seal),
            ..self
        })
    }

    /// Whether the record is as it was when it was sealed.
    pub fn seal_holds(&self) -> bool {
        self.seal
            .is_some_and(|seal| self.digest().is_ok_and(|digest| digest == seal))
    }
}
