//! Numbers, judged by their distance to the labels.

use super::{
    Kind, NO_ROWS, SampleError, ratio,
    resampling::{Reading, Replicates, replicate},
};
use domain::evidence::{Difference, Metric};

/// Statistics that are resampled, by place.
const RMSE: usize = 0;
const WAPE: usize = 1;
const R2: usize = 2;
const RESAMPLED: usize = 3;

/// Labels with predicted numbers.
#[derive(Debug, Clone)]
pub struct Regression {
    truth: Vec<f64>,
    absolute: Vec<f64>,
    /// Mean label; sums are taken around it, so that they do not cancel.
    centre: f64,
}

impl Regression {
    /// `truth` and `predictions` row by row, all finite.
    pub fn new(truth: Vec<f64>, predictions: &[f64]) -> Result<Self, SampleError> {
        if truth.len() != predictions.len() {
            return Err(SampleError::Length {
                labels: truth.len(),
                predictions: predictions.len(),
            });
        }
        let gaps = truth.iter().zip(predictions).map(|(y, p)| (y - p).abs());
        let absolute: Vec<f64> = gaps.collect();
        if let Some(row) = absolute.iter().position(|gap| !gap.is_finite()) {
            return Err(SampleError::Prediction {
                row,
                value: predictions
                    .get(row)
                    .map_or_else(String::new, f64::to_string),
                wanted: "a finite number",
            });
        }
        let centre = ratio(truth.iter().sum(), truth.len() as f64).unwrap_or(0.0);
        Ok(Self {
            truth,
            absolute,
            centre,
        })
    }

    /// Absolute errors relative to the label; `None` if a label is zero.
    fn relative(&self) -> Option<Vec<f64>> {
        let pairs = self.absolute.iter().zip(&self.truth);
        pairs.map(|(gap, y)| ratio(*gap, y.abs())).collect()
    }

    fn statistics(&self, weights: &[u32], out: &mut [f64]) {
        let (mut rows, mut absolute, mut squares) = (0.0, 0.0, 0.0);
        let (mut size, mut off, mut off_squares) = (0.0, 0.0, 0.0);
        for ((y, gap), weight) in self.truth.iter().zip(&self.absolute).zip(weights) {
            let weight = f64::from(*weight);
            let from_centre = y - self.centre;
            rows += weight;
            absolute += weight * gap;
            squares += weight * gap * gap;
            size += weight * y.abs();
            off += weight * from_centre;
            off_squares += weight * from_centre * from_centre;
        }
        let spread = off_squares - ratio(off * off, rows).unwrap_or(0.0);
        let [rmse, wape, r2] = out else { return };
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        *rmse = or_nan(ratio(squares, rows)).sqrt();
        *wape = or_nan(ratio(absolute, size));
        // Labels that are all equal leave at most rounding in the spread.
        let spread = (spread > f64::EPSILON * off_squares).then_some(spread);
        *r2 = or_nan(spread.map(|spread| 1.0 - squares / spread));
    }

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
        let estimates = self.estimates();
        let resampled = |kind: Kind, at: usize, why: &str| {
            let value = estimates.get(at).copied().flatten();
            kind.of_replicates(value, (replicates, at), Reading::Percentile, n, why)
        };
        let mape = match self.relative() {
            Some(relative) => Kind::LOSS.of_mean(&relative),
            None => Kind::LOSS.undefined(n, "student_t", "a label is zero; use wape"),
        };
        vec![
            ("mae", Kind::LOSS.of_mean(&self.absolute)),
            ("rmse", resampled(Kind::LOSS, RMSE, NO_ROWS)),
            ("mape", mape),
            ("wape", resampled(Kind::LOSS, WAPE, "all labels are zero")),
            ("r2", resampled(Kind::EXPLAINED, R2, "all labels are equal")),
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
        let mape = match (self.relative(), baseline.relative()) {
            (Some(ours), Some(theirs)) => Kind::LOSS.difference_of_means(&ours, &theirs),
            _ => Kind::LOSS.difference_of_means(&[], &[]),
        };
        Some(vec![
            (
                "mae",
                Kind::LOSS.difference_of_means(&self.absolute, &baseline.absolute),
            ),
            ("rmse", resampled(Kind::LOSS, RMSE)),
            ("mape", mape),
            ("wape", resampled(Kind::LOSS, WAPE)),
            ("r2", resampled(Kind::EXPLAINED, R2)),
        ])
    }
}
