//! Metrics of predictions against labels, and paired differences of two models
//! over the same rows, each with n, a 95 % interval and the name of its method.
//!
//! | task | metrics |
//! |---|---|
//! | binary | `accuracy log_loss brier roc_auc pr_auc f1 precision recall ece` |
//! | multiclass | `accuracy log_loss brier f1_macro roc_auc_ovr` |
//! | regression | `mae rmse mape wape r2` |
//!
//! Values equal scikit-learn's where it has the metric. What has a closed form
//! gets one: Wilson for proportions, DeLong for areas, Student's t for means of
//! per-row losses; the rest is resampled. A metric that is not defined on the
//! rows has no value and a note, never a stand-in.
//!
//! Read `binary.rs` first: the other two tasks have its shape.

pub(crate) mod binary;
pub(crate) mod interval;
pub(crate) mod multiclass;
pub(crate) mod regression;
pub(crate) mod resampling;
pub(crate) mod roc;

use domain::evidence::{Difference, Metric};
use interval::{Agreement, Interval, LEVEL, Mean};
use resampling::{Reading, Replicates};
use std::collections::BTreeMap;

pub use binary::Binary;
pub use multiclass::Multiclass;
pub use regression::Regression;

/// Labels with one model's predictions for them.
#[derive(Debug, Clone)]
pub enum Sample {
    /// Two classes.
    Binary(Binary),
    /// Several classes.
    Multiclass(Multiclass),
    /// Numbers.
    Regression(Regression),
}

/// Labels and predictions that cannot be judged together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// Lists of different lengths.
    #[error("{labels} labels and {predictions} predictions: one prediction per label is needed")]
    Length {
        /// Labels given.
        labels: usize,
        /// Predictions given.
        predictions: usize,
    },
    /// A prediction that is a NaN, infinite, or not a probability.
    #[error("row {row}: the prediction {value} is not {wanted}")]
    Prediction {
        /// Row, from 0.
        row: usize,
        /// The prediction.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A label outside of the classes the predictions are for.
    #[error("row {row}: the label is class {class} and the model predicts {classes} classes")]
    Label {
        /// Row, from 0.
        row: usize,
        /// The label.
        class: u32,
        /// Number of classes predicted.
        classes: usize,
    },
}

/// Metrics of one model, with what is needed to compare it to another one.
#[derive(Debug)]
pub struct Measured {
    /// Metrics by name.
    pub metrics: BTreeMap<String, Metric>,
    replicates: Replicates,
}

impl Sample {
    /// All metrics of this sample. `seed` is used where rows are resampled.
    pub fn measure(&self, seed: u64) -> Measured {
        let replicates = match self {
            Self::Binary(sample) => sample.replicates(seed),
            Self::Multiclass(sample) => sample.replicates(seed),
            Self::Regression(sample) => sample.replicates(seed),
        };
        let metrics = match self {
            Self::Binary(sample) => sample.metrics(&replicates),
            Self::Multiclass(sample) => sample.metrics(&replicates),
            Self::Regression(sample) => sample.metrics(&replicates),
        };
        Measured {
            metrics: named(metrics),
            replicates,
        }
    }

    /// This sample's metrics minus `baseline`'s, both measured with one seed
    /// over the same rows. `None` if the two are of different tasks or rows.
    pub fn minus(
        &self,
        measured: &Measured,
        baseline: &Self,
        baseline_measured: &Measured,
    ) -> Option<BTreeMap<String, Difference>> {
        let replicates = measured.replicates.minus(&baseline_measured.replicates);
        let differences = match (self, baseline) {
            (Self::Binary(a), Self::Binary(b)) => a.minus(b, &replicates)?,
            (Self::Multiclass(a), Self::Multiclass(b)) => a.minus(b, &replicates)?,
            (Self::Regression(a), Self::Regression(b)) => a.minus(b, &replicates)?,
            _ => return None,
        };
        Some(named(differences))
    }
}

fn named<T>(entries: Vec<(&'static str, T)>) -> BTreeMap<String, T> {
    entries
        .into_iter()
        .map(|(name, entry)| (name.to_owned(), entry))
        .collect()
}

/// Whether a larger value is better, and where a statistic can lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    greater_is_better: bool,
    low: f64,
    high: f64,
}

impl Kind {
    /// A share, larger is better.
    pub(crate) const SCORE: Self = Self {
        greater_is_better: true,
        low: 0.0,
        high: 1.0,
    };
    /// A share, smaller is better.
    pub(crate) const ERROR_SHARE: Self = Self {
        greater_is_better: false,
        low: 0.0,
        high: 1.0,
    };
    /// A loss without an upper end.
    pub(crate) const LOSS: Self = Self {
        greater_is_better: false,
        low: 0.0,
        high: f64::INFINITY,
    };
    /// At most 1, larger is better.
    pub(crate) const EXPLAINED: Self = Self {
        greater_is_better: true,
        low: f64::NEG_INFINITY,
        high: 1.0,
    };

    /// A metric with a value.
    pub(crate) fn metric(
        self,
        value: f64,
        interval: Option<Interval>,
        n: usize,
        method: impl Into<String>,
    ) -> Metric {
        if !value.is_finite() {
            return self.undefined(n, method, "the value is not finite");
        }
        let cut = interval.map(|interval| interval.clip(self.low, self.high));
        let cut = cut.filter(|cut| cut.low.is_finite() && cut.high.is_finite());
        Metric {
            value: Some(value),
            ci_low: cut.map(|cut| cut.low),
            ci_high: cut.map(|cut| cut.high),
            level: LEVEL,
            n: n as u64,
            method: method.into(),
            greater_is_better: self.greater_is_better,
            note: cut
                .is_none()
                .then(|| "too few rows for an interval".to_owned()),
        }
    }

    /// A metric without a value.
    pub(crate) fn undefined(self, n: usize, method: impl Into<String>, why: &str) -> Metric {
        Metric {
            value: None,
            ci_low: None,
            ci_high: None,
            level: LEVEL,
            n: n as u64,
            method: method.into(),
            greater_is_better: self.greater_is_better,
            note: Some(why.to_owned()),
        }
    }

    /// Mean of per-row losses.
    pub(crate) fn of_mean(self, losses: &[f64]) -> Metric {
        match interval::mean(losses) {
            Some(Mean {
                value, interval, ..
            }) => self.metric(value, interval, losses.len(), "student_t"),
            None => self.undefined(0, "student_t", NO_ROWS),
        }
    }

    /// A resampled statistic; undefined says `why`.
    pub(crate) fn of_replicates(
        self,
        value: Option<f64>,
        (replicates, at): (&Replicates, usize),
        reading: Reading,
        n: usize,
        why: &str,
    ) -> Metric {
        let method = replicates.method(reading, false);
        match value {
            Some(value) => {
                let interval = replicates.interval(at, value, reading);
                self.metric(value, interval, n, method)
            }
            None => self.undefined(n, method, why),
        }
    }

    fn difference(
        self,
        value: Option<f64>,
        interval: Option<Interval>,
        n: usize,
        method: impl Into<String>,
        p_value: Option<f64>,
    ) -> Difference {
        let value = value.filter(|value| value.is_finite());
        let interval =
            interval.filter(|cut| value.is_some() && cut.low.is_finite() && cut.high.is_finite());
        Difference {
            value,
            ci_low: interval.map(|interval| interval.low),
            ci_high: interval.map(|interval| interval.high),
            level: LEVEL,
            n: n as u64,
            method: method.into(),
            p_value: p_value.filter(|p| value.is_some() && p.is_finite()),
            greater_is_better: self.greater_is_better,
        }
    }

    /// Mean of per-row differences of losses.
    pub(crate) fn difference_of_means(self, candidate: &[f64], baseline: &[f64]) -> Difference {
        let gaps: Vec<f64> = candidate.iter().zip(baseline).map(|(a, b)| a - b).collect();
        let mean = interval::mean(&gaps);
        self.difference(
            mean.map(|mean| mean.value),
            mean.and_then(|mean| mean.interval),
            gaps.len(),
            "student_t_paired",
            mean.and_then(|mean| mean.p_value),
        )
    }

    /// Difference of a resampled statistic.
    pub(crate) fn difference_of_replicates(
        self,
        value: Option<f64>,
        (replicates, at): (&Replicates, usize),
        n: usize,
    ) -> Difference {
        let reading = Reading::Percentile;
        let interval = value.and_then(|value| replicates.interval(at, value, reading));
        self.difference(value, interval, n, replicates.method(reading, true), None)
    }

    /// Difference of the resampled statistic number `at` of two samples.
    pub(crate) fn difference_of_estimates(
        self,
        (ours, theirs): (&[Option<f64>], &[Option<f64>]),
        (replicates, at): (&Replicates, usize),
        n: usize,
    ) -> Difference {
        let value = |estimates: &[Option<f64>]| estimates.get(at).copied().flatten();
        let pair = value(ours).zip(value(theirs));
        self.difference_of_replicates(pair.map(|(a, b)| a - b), (replicates, at), n)
    }

    /// Difference of two accuracies over the same rows.
    pub(crate) fn difference_of_hits(self, candidate: &[bool], baseline: &[bool]) -> Difference {
        let counts = Agreement::count(candidate, baseline);
        let found = counts.difference();
        self.difference(
            found.map(|(value, _)| value),
            found.map(|(_, interval)| interval),
            candidate.len(),
            "newcombe_paired, mcnemar",
            counts.p_value().filter(|_| found.is_some()),
        )
    }

    /// Difference of two areas over the same rows.
    pub(crate) fn difference_of_areas(
        self,
        areas: Option<(&roc::RocAuc, &roc::RocAuc)>,
        n: usize,
    ) -> Difference {
        let Some((candidate, baseline)) = areas else {
            return self.difference(None, None, n, "delong_paired", None);
        };
        let (interval, method, p_value) = candidate.minus(baseline);
        let value = candidate.value - baseline.value;
        self.difference(Some(value), interval, n, method, p_value)
    }

    /// A proportion with Wilson's interval; none of it is undefined for `why`.
    pub(crate) fn proportion(self, successes: u64, n: u64, why: &str) -> Metric {
        match interval::wilson(successes, n) {
            Some(interval) => {
                let value = successes as f64 / n as f64;
                self.metric(value, Some(interval), n as usize, "wilson")
            }
            None => self.undefined(n as usize, "wilson", why),
        }
    }

    /// An area with DeLong's interval; undefined says `why`.
    pub(crate) fn area(self, area: Option<&roc::RocAuc>, n: usize, why: &str) -> Metric {
        match area {
            Some(area) => {
                let (interval, method, _) = area.interval();
                self.metric(area.value, interval, n, method)
            }
            None => self.undefined(n, "delong_logit", why),
        }
    }
}

/// Note of a metric over nothing.
pub(crate) const NO_ROWS: &str = "there are no rows";

/// Smallest probability that enters a logarithm: the distance from 1 to the next
/// double, as in scikit-learn.
const SMALLEST: f64 = f64::EPSILON;

/// Loss of giving probability `p` to what happened.
pub(crate) fn log_loss(p: f64) -> f64 {
    -p.clamp(SMALLEST, 1.0 - SMALLEST).ln()
}

/// `a / b`, unless `b` is zero.
pub(crate) fn ratio(a: f64, b: f64) -> Option<f64> {
    (b != 0.0).then(|| a / b)
}
