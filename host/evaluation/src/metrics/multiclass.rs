//! Several classes, judged by the probability of each.

use super::{
    Kind, NO_ROWS, SampleError,
    binary::probability,
    log_loss, ratio,
    resampling::{Reading, Replicates, replicate},
    roc::{self, RocAuc},
};
use domain::evidence::{Difference, Metric};

/// How far a row's probabilities may add up to something else than 1.
const SUM_SLACK: f64 = 1e-3;

/// Labels with predicted probabilities of every class.
#[derive(Debug, Clone)]
pub struct Multiclass {
    truth: Vec<u32>,
    /// Row-major, `classes` per row.
    scores: Vec<f64>,
    classes: usize,
    decided: Vec<u32>,
}

impl Multiclass {
    /// `truth` holds class numbers from 0, `scores` row by row the probability
    /// of each of the `classes`; a row is decided for its first most probable.
    pub fn new(truth: Vec<u32>, mut scores: Vec<f64>, classes: usize) -> Result<Self, SampleError> {
        if classes == 0 || truth.len().checked_mul(classes) != Some(scores.len()) {
            return Err(SampleError::Length {
                labels: truth.len(),
                predictions: scores.len().checked_div(classes).unwrap_or(0),
            });
        }
        for (row, values) in scores.chunks_mut(classes).enumerate() {
            let sum: f64 = values.iter().sum();
            let wanted = "a probability for each class, together 1";
            if (sum - 1.0).abs() > SUM_SLACK || !sum.is_finite() {
                let value = format!("(sum {sum})");
                return Err(SampleError::Prediction { row, value, wanted });
            }
            for value in values {
                *value = probability(*value).ok_or_else(|| SampleError::Prediction {
                    row,
                    value: value.to_string(),
                    wanted,
                })?;
            }
        }
        let outside = truth.iter().position(|class| *class as usize >= classes);
        if let Some((row, class)) = outside.and_then(|row| Some((row, *truth.get(row)?))) {
            return Err(SampleError::Label {
                row,
                class,
                classes,
            });
        }
        let decide = |values: &[f64]| {
            let mut best = (0, f64::NEG_INFINITY);
            for (class, value) in values.iter().enumerate() {
                if *value > best.1 {
                    best = (class as u32, *value);
                }
            }
            best.0
        };
        let decided = scores.chunks(classes).map(decide).collect();
        Ok(Self {
            truth,
            scores,
            classes,
            decided,
        })
    }

    fn hits(&self) -> Vec<bool> {
        let pairs = self.truth.iter().zip(&self.decided);
        pairs.map(|(truth, decided)| truth == decided).collect()
    }

    fn rows(&self) -> impl Iterator<Item = (usize, &[f64])> {
        let truth = self.truth.iter().map(|class| *class as usize);
        truth.zip(self.scores.chunks(self.classes))
    }

    fn log_losses(&self) -> Vec<f64> {
        self.rows()
            .map(|(class, p)| log_loss(p.get(class).copied().unwrap_or(0.0)))
            .collect()
    }

    /// Squared distance to the one-hot label, summed over classes (Brier 1950),
    /// not halved.
    fn brier_losses(&self) -> Vec<f64> {
        let one = |class: usize, at: usize| f64::from(u8::from(class == at));
        self.rows()
            .map(|(class, p)| {
                p.iter()
                    .enumerate()
                    .map(|(at, p)| (p - one(class, at)) * (p - one(class, at)))
                    .sum()
            })
            .collect()
    }

    fn area(&self) -> Option<RocAuc> {
        roc::one_versus_rest(&self.scores, &self.truth, self.classes)
    }

    /// Mean F1 over the classes that occur as label or as decision.
    fn f1_macro(&self, weights: &[u32]) -> Option<f64> {
        let mut counts = vec![(0u64, 0u64); self.classes];
        let mut add = |class: u32, both: u64, either: u64| {
            if let Some(count) = counts.get_mut(class as usize) {
                count.0 += both;
                count.1 += either;
            }
        };
        for ((truth, decided), weight) in self.truth.iter().zip(&self.decided).zip(weights) {
            let weight = u64::from(*weight);
            add(*truth, weight * u64::from(truth == decided), weight);
            add(*decided, 0, weight);
        }
        let scores = counts.iter().filter(|(_, either)| *either > 0);
        let (mut sum, mut classes) = (0.0, 0.0);
        for (both, either) in scores {
            sum += 2.0 * *both as f64 / *either as f64;
            classes += 1.0;
        }
        ratio(sum, classes)
    }

    fn estimate(&self) -> Option<f64> {
        self.f1_macro(&vec![1; self.truth.len()])
    }

    pub(super) fn replicates(&self, seed: u64) -> Replicates {
        replicate(seed, self.truth.len(), 1, |weights, out| {
            if let [slot] = out {
                *slot = self.f1_macro(weights).unwrap_or(f64::NAN);
            }
        })
    }

    pub(super) fn metrics(&self, replicates: &Replicates) -> Vec<(&'static str, Metric)> {
        let n = self.truth.len();
        let hits = self.hits().iter().filter(|hit| **hit).count() as u64;
        let mut area = Kind::SCORE.area(
            self.area().as_ref(),
            n,
            "a class has no row, or all rows are of one class",
        );
        area.method = format!("one versus rest, unweighted mean, {}", area.method);
        vec![
            ("accuracy", Kind::SCORE.proportion(hits, n as u64, NO_ROWS)),
            ("log_loss", Kind::LOSS.of_mean(&self.log_losses())),
            ("brier", Kind::LOSS.of_mean(&self.brier_losses())),
            (
                "f1_macro",
                Kind::SCORE.of_replicates(
                    self.estimate(),
                    (replicates, 0),
                    Reading::Percentile,
                    n,
                    NO_ROWS,
                ),
            ),
            ("roc_auc_ovr", area),
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
        let f1 = self.estimate().zip(baseline.estimate());
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
                Kind::LOSS.difference_of_means(&self.brier_losses(), &baseline.brier_losses()),
            ),
            (
                "f1_macro",
                Kind::SCORE.difference_of_replicates(f1.map(|(a, b)| a - b), (replicates, 0), n),
            ),
            ("roc_auc_ovr", Kind::SCORE.difference_of_areas(areas, n)),
        ])
    }
}
