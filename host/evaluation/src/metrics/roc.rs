//! Area under the ROC curve with DeLong's variance (DeLong, DeLong,
//! Clarke-Pearson 1988), in O(n log n) by one pass over sorted scores (as Sun and
//! Xu 2014 do with mid-ranks). One-versus-rest averages over several classes
//! use the same structural components, added up row by row.

use super::interval::{Interval, LEVEL, Z, all_successes_low, normal_p};

/// An area and what each row contributes to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RocAuc {
    /// The area, or the mean of the areas of all classes.
    pub(crate) value: f64,
    /// Row by row: its structural component divided by the size of its class.
    components: Vec<f64>,
    /// Row by row: its class.
    classes: Vec<u32>,
    /// Class by class: the smaller of "rows in it" and "rows not in it".
    smaller: Vec<u64>,
    /// Rows of the smallest class.
    smallest: u64,
    class_count: usize,
}

/// Area of `scores` for the rows where `positive`, and each row's share of
/// opponents that it beats (ties count half). `None` if a side is empty.
fn placements(scores: &[f64], positive: &[bool]) -> Option<(f64, Vec<f64>, u64, u64)> {
    let positives = positive.iter().filter(|is| **is).count();
    let negatives = positive.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let mut rows: Vec<(f64, bool, usize)> = scores
        .iter()
        .zip(positive)
        .enumerate()
        .map(|(row, (score, positive))| (*score, *positive, row))
        .collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (m, n) = (positives as f64, negatives as f64);
    let (mut below_positive, mut below_negative) = (0.0, 0.0);
    let mut beaten = vec![0.0; scores.len()];
    let mut wins = 0.0;
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let p = tied.iter().filter(|row| row.1).count() as f64;
        let q = tied.len() as f64 - p;
        for (_, positive, row) in tied {
            let share = if *positive {
                (below_negative + q / 2.0) / n
            } else {
                (m - below_positive - p / 2.0) / m
            };
            if let Some(slot) = beaten.get_mut(*row) {
                *slot = share;
            }
        }
        wins += p * (below_negative + q / 2.0);
        below_positive += p;
        below_negative += q;
    }
    Some((wins / (m * n), beaten, positives as u64, negatives as u64))
}

/// Area for two classes: `scores` are the positive class's.
pub(crate) fn binary(scores: &[f64], positive: &[bool]) -> Option<RocAuc> {
    let (value, beaten, positives, negatives) = placements(scores, positive)?;
    let components = beaten.iter().zip(positive).map(|(share, positive)| {
        let size = if *positive { positives } else { negatives };
        (share - value) / size as f64
    });
    Some(RocAuc {
        value,
        components: components.collect(),
        classes: positive.iter().map(|is| u32::from(*is)).collect(),
        smaller: vec![positives.min(negatives)],
        smallest: positives.min(negatives),
        class_count: 2,
    })
}

/// Unweighted mean of the one-versus-rest areas of `class_count` classes.
/// `scores` is row-major. `None` if a class has no row or all rows.
pub(crate) fn one_versus_rest(
    scores: &[f64],
    classes: &[u32],
    class_count: usize,
) -> Option<RocAuc> {
    let mut components = vec![0.0; classes.len()];
    let mut smaller = Vec::with_capacity(class_count);
    let mut smallest = u64::MAX;
    let mut sum = 0.0;
    for class in 0..class_count {
        let column: Vec<f64> = scores
            .iter()
            .skip(class)
            .step_by(class_count)
            .copied()
            .collect();
        let positive: Vec<bool> = classes.iter().map(|c| *c as usize == class).collect();
        let (value, beaten, positives, negatives) = placements(&column, &positive)?;
        sum += value;
        for ((slot, share), positive) in components.iter_mut().zip(beaten).zip(&positive) {
            let size = if *positive { positives } else { negatives };
            *slot += (share - value) / size as f64 / class_count as f64;
        }
        smaller.push(positives.min(negatives));
        smallest = smallest.min(positives);
    }
    Some(RocAuc {
        value: sum / class_count as f64,
        components,
        classes: classes.to_vec(),
        smaller,
        smallest,
        class_count,
    })
}

/// Variance of a sum of independent class-wise means, from `components`.
fn variance(components: impl Iterator<Item = f64>, classes: &[u32], count: usize) -> f64 {
    let mut sums = vec![(0.0, 0.0, 0.0); count];
    let values: Vec<f64> = components.collect();
    for (value, class) in values.iter().zip(classes) {
        if let Some(slot) = sums.get_mut(*class as usize) {
            slot.0 += 1.0;
            slot.1 += value;
        }
    }
    for (value, class) in values.iter().zip(classes) {
        if let Some(slot) = sums.get_mut(*class as usize) {
            let off = value - slot.1 / slot.0;
            slot.2 += off * off;
        }
    }
    sums.iter()
        .filter(|(rows, ..)| *rows > 1.0)
        .map(|(rows, _, squares)| rows / (rows - 1.0) * squares)
        .sum()
}

/// An interval and how it was found.
pub(crate) type Found = (Option<Interval>, &'static str, Option<f64>);

impl RocAuc {
    /// The area's interval and method. A perfect order has no estimable
    /// variance; then the interval rests on disjoint pairs of a row in the
    /// class and one outside it, all in order (Clopper-Pearson).
    pub(crate) fn interval(&self) -> Found {
        if self.smallest < 2 {
            return (None, "delong_logit", None);
        }
        if self.value == 1.0 || self.value == 0.0 {
            let low = self.bound();
            let interval = if self.value == 1.0 {
                Interval { low, high: 1.0 }
            } else {
                Interval {
                    low: 0.0,
                    high: 1.0 - low,
                }
            };
            return (Some(interval), "clopper_pearson_disjoint_pairs", None);
        }
        let components = self.components.iter().copied();
        let error = variance(components, &self.classes, self.class_count).sqrt();
        // On the logit scale, where areas near 1 are closer to normal (Pepe
        // 2003, section 5.2): at an area of 0.94 from 200 rows the plain
        // interval covers 92.9 % and this one 95.2 % (4,000 simulations).
        let centre = (self.value / (1.0 - self.value)).ln();
        let reach = Z * error / (self.value * (1.0 - self.value));
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let interval = Interval {
            low: logistic(centre - reach),
            high: logistic(centre + reach),
        };
        (Some(interval), "delong_logit", None)
    }

    /// Lowest mean area compatible with all disjoint pairs being in order.
    fn bound(&self) -> f64 {
        let classes = self.smaller.len() as f64;
        let alpha = (1.0 - LEVEL) / classes;
        let bounds = self.smaller.iter().map(|n| all_successes_low(*n, alpha));
        bounds.sum::<f64>() / classes
    }

    /// Candidate (`self`) minus `baseline` over the same rows: interval,
    /// method, two-sided p-value.
    pub(crate) fn minus(&self, baseline: &Self) -> Found {
        if self.smallest < 2 {
            return (None, "delong_paired", None);
        }
        let value = self.value - baseline.value;
        let components = self.components.iter().zip(&baseline.components);
        let components = components.map(|(a, b)| a - b);
        let error = variance(components, &self.classes, self.class_count).sqrt();
        let flat = self.components == baseline.components;
        if error > 0.0 && !flat {
            let interval = Interval {
                low: value - Z * error,
                high: value + Z * error,
            };
            let p_value = Some(normal_p(value / error));
            return (Some(interval.clip(-1.0, 1.0)), "delong_paired", p_value);
        }
        // No row is placed differently by the two. Where nothing ever goes
        // wrong that says little about the rows not seen, so the reach is what
        // disjoint pairs allow; otherwise both order the rows alike.
        let perfect = self.value == 1.0 || self.value == 0.0;
        let reach = if perfect { 1.0 - self.bound() } else { 0.0 };
        let interval = Interval {
            low: value - reach,
            high: value + reach,
        };
        let method = if perfect {
            "clopper_pearson_disjoint_pairs"
        } else {
            "same_order"
        };
        (Some(interval.clip(-1.0, 1.0)), method, Some(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        let auc = binary(&[0.5, 0.5, 0.9, 0.1], &[true, false, true, false]).unwrap();
        assert_eq!(auc.value, 0.875);
    }

    #[test]
    fn a_perfect_order_of_few_rows_proves_little() {
        let scores: Vec<f64> = (0..20).map(f64::from).collect();
        let positive: Vec<bool> = (0..20).map(|i| i >= 10).collect();
        let (interval, method, _) = binary(&scores, &positive).unwrap().interval();
        let interval = interval.unwrap();
        // 0.025^(1/10), the Clopper-Pearson bound of 10 out of 10.
        assert!((interval.low - 0.691_502_892_181_239_2).abs() < 1e-12);
        assert_eq!(interval.high, 1.0);
        assert_eq!(method, "clopper_pearson_disjoint_pairs");
    }

    #[test]
    fn two_perfect_models_are_not_proven_equal_by_few_rows() {
        let scores: Vec<f64> = (0..20).map(f64::from).collect();
        let positive: Vec<bool> = (0..20).map(|i| i >= 10).collect();
        let auc = binary(&scores, &positive).unwrap();
        let (interval, ..) = auc.minus(&auc);
        assert!(interval.unwrap().low < -0.3);
    }

    #[test]
    fn two_classes_average_to_the_binary_area() {
        let p = [0.1, 0.4, 0.35, 0.8, 0.7, 0.2];
        let positive = [false, false, true, true, false, true];
        let both: Vec<f64> = p.iter().flat_map(|p| [1.0 - p, *p]).collect();
        let classes: Vec<u32> = positive.iter().map(|is| u32::from(*is)).collect();
        let one = binary(&p, &positive).unwrap();
        let mean = one_versus_rest(&both, &classes, 2).unwrap();
        assert!((one.value - mean.value).abs() < 1e-15);
        let (a, b) = (one.interval().0.unwrap(), mean.interval().0.unwrap());
        assert!((a.low - b.low).abs() < 1e-12 && (a.high - b.high).abs() < 1e-12);
    }

    #[test]
    fn one_class_only_has_no_area() {
        assert_eq!(binary(&[0.1, 0.2], &[true, true]), None);
        assert_eq!(one_versus_rest(&[0.5, 0.5, 0.1, 0.9], &[0, 0], 2), None);
    }
}
