//! Two classes, judged by the probability of class 1.

use super::{
    Kind, NO_ROWS, SampleError, log_loss, ratio,
    resampling::{Reading, Replicates, replicate},
    roc::{self, RocAuc},
};
use domain::evidence::{Difference, Metric};

/// Bins of the calibration error, equally wide.
const BINS: usize = 10;

/// Statistics that are resampled, by place.
const PR_AUC: usize = 0;
const F1: usize = 1;
const PRECISION: usize = 2;
const RECALL: usize = 3;
const ECE: usize = 4;
const RESAMPLED: usize = 5;

/// Labels with predicted probabilities of class 1.
#[derive(Debug, Clone)]
pub struct Binary {
    truth: Vec<bool>,
    scores: Vec<f64>,
    decided: Vec<bool>,
    /// Rows by falling score; with each tie's last row marked.
    falling: Vec<(u32, bool)>,
    bins: Vec<u8>,
}

/// Slack for probabilities that rounding pushed over an end.
const ROUNDING: f64 = 1e-6;

/// `value` as a probability, or `None`.
pub(crate) fn probability(value: f64) -> Option<f64> {
    (-ROUNDING..=1.0 + ROUNDING)
        .contains(&value)
        .then(|| value.clamp(0.0, 1.0))
}

impl Binary {
    /// `truth` is whether a row is of class 1, `scores` the probability of
    /// that; a row is decided for class 1 where its score is above `threshold`.
    pub fn new(
        truth: Vec<bool>,
        mut scores: Vec<f64>,
        threshold: f64,
    ) -> Result<Self, SampleError> {
        if truth.len() != scores.len() {
            return Err(SampleError::Length {
                labels: truth.len(),
                predictions: scores.len(),
            });
        }
        for (row, score) in scores.iter_mut().enumerate() {
            *score = probability(*score).ok_or_else(|| SampleError::Prediction {
                row,
                value: score.to_string(),
                wanted: "a probability from 0 to 1",
            })?;
        }
        let mut falling: Vec<(u32, bool)> = (0..scores.len()).map(|i| (i as u32, true)).collect();
        let score = |row: u32| scores.get(row as usize).copied().unwrap_or(0.0);
        falling.sort_by(|a, b| score(b.0).total_cmp(&score(a.0)));
        let rows: Vec<u32> = falling.iter().map(|(row, _)| *row).collect();
        for (slot, pair) in falling.iter_mut().zip(rows.windows(2)) {
            if let [this, next] = pair {
                slot.1 = score(*this) != score(*next);
            }
        }
        let bin = |p: &f64| ((p * BINS as f64) as usize).min(BINS - 1) as u8;
        Ok(Self {
            decided: scores.iter().map(|p| *p > threshold).collect(),
            bins: scores.iter().map(bin).collect(),
            falling,
            truth,
            scores,
        })
    }

    fn hits(&self) -> Vec<bool> {
        let pairs = self.truth.iter().zip(&self.decided);
        pairs.map(|(truth, decided)| truth == decided).collect()
    }

    fn log_losses(&self) -> Vec<f64> {
        let pairs = self.truth.iter().zip(&self.scores);
        pairs
            .map(|(truth, p)| log_loss(if *truth { *p } else { 1.0 - p }))
            .collect()
    }

    fn brier_losses(&self) -> Vec<f64> {
        let pairs = self.truth.iter().zip(&self.scores);
        pairs
            .map(|(truth, p)| {
                let gap = p - f64::from(u8::from(*truth));
                gap * gap
            })
            .collect()
    }

    fn area(&self) -> Option<RocAuc> {
        roc::binary(&self.scores, &self.truth)
    }

    /// True positives, decided positives, actual positives.
    fn confusion(&self, weights: &[u32]) -> (u64, u64, u64) {
        let (mut both, mut decided, mut actual) = (0, 0, 0);
        for ((truth, decision), weight) in self.truth.iter().zip(&self.decided).zip(weights) {
            let weight = u64::from(*weight);
            both += weight * u64::from(*truth && *decision);
            decided += weight * u64::from(*decision);
            actual += weight * u64::from(*truth);
        }
        (both, decided, actual)
    }

    /// Average precision: sum over thresholds of the gain in recall times the
    /// precision reached there (scikit-learn's `average_precision_score`).
    fn average_precision(&self, weights: &[u32], actual: u64) -> Option<f64> {
        let (mut found, mut seen, mut counted) = (0u64, 0u64, 0u64);
        let mut sum = 0.0;
        for (row, last_of_tie) in &self.falling {
            let row = *row as usize;
            let weight = u64::from(weights.get(row).copied().unwrap_or(0));
            seen += weight;
            found += weight * u64::from(self.truth.get(row).copied().unwrap_or(false));
            if *last_of_tie && found > counted {
                sum += (found - counted) as f64 * (found as f64 / seen as f64);
                counted = found;
            }
        }
        ratio(sum, actual as f64)
    }

    /// Expected calibration error: mean gap between predicted probability and
    /// observed share over [`BINS`] equally wide bins, weighted by their rows.
    fn calibration_error(&self, weights: &[u32]) -> Option<f64> {
        let mut gaps = [0.0; BINS];
        let mut total = 0.0;
        let rows = self.truth.iter().zip(&self.scores).zip(&self.bins);
        for (((truth, p), bin), weight) in rows.zip(weights) {
            let weight = f64::from(*weight);
            if let Some(gap) = gaps.get_mut(usize::from(*bin)) {
                *gap += weight * (p - f64::from(u8::from(*truth)));
            }
            total += weight;
        }
        ratio(gaps.iter().map(|gap| gap.abs()).sum(), total)
    }

    /// All resampled statistics under `weights`; NaN where not defined.
    fn statistics(&self, weights: &[u32], out: &mut [f64]) {
        let (both, decided, actual) = self.confusion(weights);
        let [pr_auc, f1, precision, recall, ece] = out else {
            return;
        };
        let both = both as f64;
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        *pr_auc = or_nan(self.average_precision(weights, actual));
        *f1 = or_nan(ratio(2.0 * both, (decided + actual) as f64));
        *precision = or_nan(ratio(both, decided as f64));
        *recall = or_nan(ratio(both, actual as f64));
        *ece = or_nan(self.calibration_error(weights));
    }

    /// The statistics over all rows.
    fn estimates(&self) -> [Option<f64>; RESAMPLED] {
        let mut out = [f64::NAN; RESAMPLED];
        self.statistics(&vec![1; self.truth.len()], &mut out);
        out.map(|value| value.is_finite().then_some(value))
    }

    pub(super) fn replicates(&self, seed: u64) -> Replicates {
        replicate(seed, self.truth.len(), RESAMPLED, |weights, out| {
            self.statistics(weights, out);
        })
    }

    pub(super) fn metrics(&self, replicates: &Replicates) -> Vec<(&'static str, Metric)> {
        let n = self.truth.len();
        let hits = self.hits().iter().filter(|hit| **hit).count() as u64;
        let (both, decided, actual) = self.confusion(&vec![1; n]);
        let estimates = self.estimates();
        let resampled = |kind: Kind, at: usize, reading: Reading, why: &str| {
            let value = estimates.get(at).copied().flatten();
            kind.of_replicates(value, (replicates, at), reading, n, why)
        };
        let mut ece = resampled(Kind::ERROR_SHARE, ECE, Reading::Mirrored, NO_ROWS);
        ece.method = format!("{BINS} equal-width bins, {}", ece.method);
        vec![
            ("accuracy", Kind::SCORE.proportion(hits, n as u64, NO_ROWS)),
            ("log_loss", Kind::LOSS.of_mean(&self.log_losses())),
            ("brier", Kind::ERROR_SHARE.of_mean(&self.brier_losses())),
            (
                "roc_auc",
                Kind::SCORE.area(self.area().as_ref(), n, "the rows are of one class only"),
            ),
            (
                "pr_auc",
                resampled(
                    Kind::SCORE,
                    PR_AUC,
                    Reading::Percentile,
                    "no row is of class 1",
                ),
            ),
            (
                "f1",
                resampled(
                    Kind::SCORE,
                    F1,
                    Reading::Percentile,
                    "no row is of class 1 or decided so",
                ),
            ),
            (
                "precision",
                Kind::SCORE.proportion(both, decided, "no row is decided for class 1"),
            ),
            (
                "recall",
                Kind::SCORE.proportion(both, actual, "no row is of class 1"),
            ),
            ("ece", ece),
        ]
    }

    pub(super) fn minus(
        &self,
        baseline: &Self,
        replicates: &Replicates,
    ) -> Option<Vec<(&'static str, Difference)>> {
        if self.truth != baseline.truth {
            return None;
        }
        let n = self.truth.len();
        let (ours, theirs) = (self.estimates(), baseline.estimates());
        let resampled = |kind: Kind, at: usize| {
            kind.difference_of_estimates((&ours, &theirs), (replicates, at), n)
        };
        let areas = (self.area(), baseline.area());
        let areas = areas.0.as_ref().zip(areas.1.as_ref());
        Some(vec![
            (
                "accuracy",
                Kind::SCORE.difference_of_hits(&self.hits(), &baseline.hits()),
            ),
            (
                "log_loss",
                Kind::LOSS.difference_of_means(&self.log_losses(), &baseline.log_losses()),
            ),
            (
                "brier",
                Kind::ERROR_SHARE
                    .difference_of_means(&self.brier_losses(), &baseline.brier_losses()),
            ),
            ("roc_auc", Kind::SCORE.difference_of_areas(areas, n)),
            ("pr_auc", resampled(Kind::SCORE, PR_AUC)),
            ("f1", resampled(Kind::SCORE, F1)),
            ("precision", resampled(Kind::SCORE, PRECISION)),
            ("recall", resampled(Kind::SCORE, RECALL)),
            ("ece", resampled(Kind::ERROR_SHARE, ECE)),
        ])
    }
}
