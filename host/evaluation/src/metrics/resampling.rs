//! Resampled statistics: the bootstrap for tables of ordinary size, a grouped
//! jackknife for large ones.
//!
//! Randomness is counter-based: draw `i` of resample `r` is a pure function of
//! `(seed, r, i)`, so results do not depend on order or threads, and a seed
//! gives the same bytes again. Two models resampled with one seed over the same
//! rows see the same weights, which makes differences paired.

use super::interval::{Interval, LEVEL};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Rows up to which the bootstrap is used.
pub(crate) const BOOTSTRAP_ROWS: usize = 20_000;
/// Bootstrap resamples.
pub(crate) const RESAMPLES: usize = 2_000;
/// Groups of the jackknife. It uses every row, also rare positives, in a time
/// that grows with rows only.
pub(crate) const GROUPS: usize = 200;
/// Share of resamples in which a statistic must be defined.
const DEFINED_SHARE: f64 = 0.9;

/// SplitMix64's finaliser (Steele, Lea, Flood 2014).
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Draw `counter` of stream `stream` under `seed`.
const fn draw(seed: u64, stream: u64, counter: u64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let key = mix(seed.wrapping_add(STEP.wrapping_mul(stream.wrapping_add(1))));
    mix(key.wrapping_add(STEP.wrapping_mul(counter.wrapping_add(1))))
}

/// How the resamples were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Rows drawn with replacement.
    Bootstrap,
    /// One of [`GROUPS`] random groups left out.
    Jackknife,
}

impl Scheme {
    pub(crate) const fn for_rows(rows: usize) -> Self {
        if rows <= BOOTSTRAP_ROWS {
            Self::Bootstrap
        } else {
            Self::Jackknife
        }
    }

    const fn resamples(self) -> usize {
        match self {
            Self::Bootstrap => RESAMPLES,
            Self::Jackknife => GROUPS,
        }
    }

    fn weights(self, seed: u64, resample: u64, weights: &mut [u32]) {
        let rows = weights.len() as u64;
        match self {
            Self::Bootstrap => {
                weights.fill(0);
                for counter in 0..rows {
                    let random = draw(seed, resample, counter);
                    let row = (u128::from(random) * u128::from(rows)) >> 64;
                    if let Some(weight) = weights.get_mut(row as usize) {
                        *weight += 1;
                    }
                }
            }
            Self::Jackknife => {
                for (counter, weight) in weights.iter_mut().enumerate() {
                    let group = draw(seed, u64::MAX, counter as u64) % GROUPS as u64;
                    *weight = u32::from(group != resample);
                }
            }
        }
    }
}

/// How an interval is read off bootstrap resamples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Percentiles of the resampled statistic.
    Percentile,
    /// Percentiles mirrored at the estimate ("basic"), for statistics that
    /// resampling biases, as the calibration error.
    Mirrored,
}

/// A statistic over resamples; NaN where it was not defined.
#[derive(Debug, Clone)]
pub(crate) struct Replicates {
    scheme: Scheme,
    /// One list per statistic.
    values: Vec<Vec<f64>>,
}

/// Evaluates `statistics` (which fills one slot per statistic, NaN where it is
/// not defined) under the weights of every resample.
pub(crate) fn replicate(
    seed: u64,
    rows: usize,
    count: usize,
    statistics: impl Fn(&[u32], &mut [f64]),
) -> Replicates {
    let scheme = Scheme::for_rows(rows);
    let resamples = scheme.resamples();
    let mut values = vec![Vec::with_capacity(resamples); count];
    let mut weights = vec![0; rows];
    let mut slots = vec![f64::NAN; count];
    for resample in 0..resamples {
        scheme.weights(seed, resample as u64, &mut weights);
        slots.fill(f64::NAN);
        statistics(&weights, &mut slots);
        for (list, value) in values.iter_mut().zip(&slots) {
            list.push(*value);
        }
    }
    Replicates { scheme, values }
}

impl Replicates {
    /// Candidate minus baseline, resample by resample.
    pub(crate) fn minus(&self, baseline: &Self) -> Self {
        let values = self.values.iter().zip(&baseline.values);
        Self {
            scheme: self.scheme,
            values: values
                .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect())
                .collect(),
        }
    }

    /// Interval of statistic `at`, and the name of the method. It always holds
    /// the estimate (it is widened to, never moved).
    pub(crate) fn interval(&self, at: usize, estimate: f64, reading: Reading) -> Option<Interval> {
        let all = self.values.get(at)?;
        let mut defined: Vec<f64> = all.iter().copied().filter(|x| x.is_finite()).collect();
        if defined.len() < 2 || (defined.len() as f64) < DEFINED_SHARE * all.len() as f64 {
            return None;
        }
        let interval = match self.scheme {
            Scheme::Bootstrap => {
                defined.sort_unstable_by(f64::total_cmp);
                let tail = (1.0 - LEVEL) / 2.0;
                let (low, high) = (quantile(&defined, tail), quantile(&defined, 1.0 - tail));
                match reading {
                    Reading::Percentile => Interval { low, high },
                    Reading::Mirrored => Interval {
                        low: 2.0 * estimate - high,
                        high: 2.0 * estimate - low,
                    },
                }
            }
            Scheme::Jackknife => jackknife(&defined, estimate)?,
        };
        Some(Interval {
            low: interval.low.min(estimate),
            high: interval.high.max(estimate),
        })
    }

    /// Name of the method.
    pub(crate) fn method(&self, reading: Reading, paired: bool) -> String {
        let paired = if paired { "_paired" } else { "" };
        match (self.scheme, reading) {
            (Scheme::Bootstrap, Reading::Percentile) => format!("bootstrap{paired}({RESAMPLES})"),
            (Scheme::Bootstrap, Reading::Mirrored) => {
                format!("bootstrap_basic{paired}({RESAMPLES})")
            }
            (Scheme::Jackknife, _) => format!("jackknife_grouped{paired}({GROUPS})"),
        }
    }
}

/// Grouped jackknife: variance `(g - 1) / g * sum (x - mean)^2`, t with g - 1
/// degrees of freedom.
fn jackknife(values: &[f64], estimate: f64) -> Option<Interval> {
    let groups = values.len() as f64;
    let mean = values.iter().sum::<f64>() / groups;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    let error = ((groups - 1.0) / groups * squares).sqrt();
    let student = StudentsT::new(0.0, 1.0, groups - 1.0).ok()?;
    let reach = student.inverse_cdf(1.0 - (1.0 - LEVEL) / 2.0) * error;
    Some(Interval {
        low: estimate - reach,
        high: estimate + reach,
    })
}

/// Quantile of sorted values, linear between neighbours (type 7 of Hyndman and
/// Fan 1996, numpy's default). NaN without values.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = q.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let share = place - place.floor();
    let low = sorted.get(below).copied().unwrap_or(f64::NAN);
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    low + (high - low) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_weights_add_up_and_repeat() {
        let mut weights = vec![0; 1000];
        Scheme::Bootstrap.weights(7, 3, &mut weights);
        assert_eq!(weights.iter().sum::<u32>(), 1000);
        let mut again = vec![9; 1000];
        Scheme::Bootstrap.weights(7, 3, &mut again);
        assert_eq!(weights, again);
        Scheme::Bootstrap.weights(8, 3, &mut again);
        assert_ne!(weights, again);
        // A share of about 1 - 1/e of the rows is drawn at least once.
        let drawn = weights.iter().filter(|weight| **weight > 0).count();
        assert!((600..665).contains(&drawn), "{drawn}");
    }

    #[test]
    fn every_row_is_left_out_once_by_the_jackknife() {
        let mut left_out = vec![0; 5000];
        let mut weights = vec![0; 5000];
        for group in 0..GROUPS {
            Scheme::Jackknife.weights(1, group as u64, &mut weights);
            for (count, weight) in left_out.iter_mut().zip(&weights) {
                *count += 1 - weight;
            }
        }
        assert!(left_out.iter().all(|count| *count == 1));
    }

    #[test]
    fn both_schemes_find_the_error_of_a_mean() {
        for rows in [2_000, 40_000] {
            let values: Vec<f64> = (0..rows).map(|i| f64::from(i % 10)).collect();
            let mean = |weights: &[u32], out: &mut [f64]| {
                let (mut sum, mut total) = (0.0, 0.0);
                for (x, w) in values.iter().zip(weights) {
                    sum += x * f64::from(*w);
                    total += f64::from(*w);
                }
                out[0] = sum / total;
            };
            let replicates = replicate(5, values.len(), 1, mean);
            let interval = replicates.interval(0, 4.5, Reading::Percentile).unwrap();
            let expected = 2.0 * 1.96 * (8.25 / f64::from(rows)).sqrt();
            let ratio = (interval.high - interval.low) / expected;
            assert!((0.85..1.15).contains(&ratio), "{rows}: {ratio}");
        }
    }

    #[test]
    fn quantiles_agree_with_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sorted, 0.5), 3.0);
        assert!((quantile(&sorted, 0.95) - 7.4).abs() < 1e-12);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
