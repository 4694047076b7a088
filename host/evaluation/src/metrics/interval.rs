//! Intervals with a closed form: proportions, means, differences of paired
//! proportions. All at the 95 % level, two-sided.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

/// Confidence level of every interval in this crate.
pub(crate) const LEVEL: f64 = 0.95;

/// 97.5th percentile of the standard normal distribution.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// Discordant pairs from which on McNemar's test uses its chi-squared form.
const EXACT_MCNEMAR_BELOW: u64 = 25;

/// Lower and upper end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Interval {
    /// The interval cut to the values that the statistic can take.
    pub(crate) fn clip(self, low: f64, high: f64) -> Self {
        Self {
            low: self.low.clamp(low, high),
            high: self.high.clamp(low, high),
        }
    }
}

/// Wilson's score interval of `successes` out of `n` (Wilson 1927, equation 9).
pub(crate) fn wilson(successes: u64, n: u64) -> Option<Interval> {
    if n == 0 || successes > n {
        return None;
    }
    let (k, n_f) = (successes as f64, n as f64);
    let p = k / n_f;
    let z2 = Z * Z;
    let centre = (p + z2 / (2.0 * n_f)) / (1.0 + z2 / n_f);
    let half = Z / (1.0 + z2 / n_f) * (p * (1.0 - p) / n_f + z2 / (4.0 * n_f * n_f)).sqrt();
    Some(Interval {
        low: if successes == 0 { 0.0 } else { centre - half },
        high: if successes == n { 1.0 } else { centre + half },
    })
}

/// Lowest success rate that is compatible with `n` successes in `n` trials at
/// the level: the Clopper-Pearson bound, `(alpha / 2)^(1 / n)`.
pub(crate) fn all_successes_low(n: u64, alpha: f64) -> f64 {
    if n == 0 {
        return 0.0;
    }
    (alpha / 2.0).powf(1.0 / n as f64)
}

/// A mean with its t interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mean {
    pub(crate) value: f64,
    /// `None` for a single row.
    pub(crate) interval: Option<Interval>,
    /// Two-sided p-value of a true mean of zero.
    pub(crate) p_value: Option<f64>,
}

/// Mean of `values` with Student's t interval; `None` without values.
pub(crate) fn mean(values: &[f64]) -> Option<Mean> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - value) * (x - value)).sum();
    let spread = (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt());
    let student = StudentsT::new(0.0, 1.0, n - 1.0).ok();
    let interval = spread.zip(student).map(|(error, student)| {
        let reach = student.inverse_cdf(1.0 - (1.0 - LEVEL) / 2.0) * error;
        Interval {
            low: value - reach,
            high: value + reach,
        }
    });
    let p_value = spread.zip(student).map(|(error, student)| {
        if error == 0.0 {
            return if value == 0.0 { 1.0 } else { 0.0 };
        }
        (2.0 * student.cdf(-(value / error).abs())).min(1.0)
    });
    Some(Mean {
        value,
        interval,
        p_value,
    })
}

/// Two-sided p-value of a standard normal deviate.
pub(crate) fn normal_p(z: f64) -> f64 {
    (2.0 * Normal::standard().cdf(-z.abs())).min(1.0)
}

/// Two classifiers on the same rows: how often each was right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Agreement {
    pub(crate) both_right: u64,
    pub(crate) only_candidate: u64,
    pub(crate) only_baseline: u64,
    pub(crate) both_wrong: u64,
}

impl Agreement {
    /// Counts from two lists of hits over the same rows.
    pub(crate) fn count(candidate: &[bool], baseline: &[bool]) -> Self {
        let mut counts = Self::default();
        for pair in candidate.iter().zip(baseline) {
            let count = match pair {
                (true, true) => &mut counts.both_right,
                (true, false) => &mut counts.only_candidate,
                (false, true) => &mut counts.only_baseline,
                (false, false) => &mut counts.both_wrong,
            };
            *count += 1;
        }
        counts
    }

    /// McNemar's test of equal accuracy: exact (binomial, two-sided) below 25
    /// discordant rows, chi-squared without continuity correction from there.
    pub(crate) fn p_value(self) -> Option<f64> {
        let discordant = self.only_candidate + self.only_baseline;
        let fewer = self.only_candidate.min(self.only_baseline);
        if discordant == 0 {
            return Some(1.0);
        }
        if discordant < EXACT_MCNEMAR_BELOW {
            // Twice the lower tail of Binomial(discordant, 1/2), in whole numbers.
            let (mut ways, mut tail) = (1u64, 0u64);
            for k in 0..=fewer {
                tail += ways;
                ways = ways * (discordant - k) / (k + 1);
            }
            let all = (1u64 << discordant) as f64;
            return Some((2.0 * tail as f64 / all).min(1.0));
        }
        let gap = self.only_candidate.abs_diff(self.only_baseline) as f64;
        let chi_squared = ChiSquared::new(1.0).ok()?;
        Some(chi_squared.sf(gap * gap / discordant as f64))
    }

    /// Difference of the two accuracies with Newcombe's interval for paired
    /// proportions (Newcombe 1998, Statistics in Medicine 17:2635, method 10).
    pub(crate) fn difference(self) -> Option<(f64, Interval)> {
        let (a, b, c, d) = (
            self.both_right as f64,
            self.only_candidate as f64,
            self.only_baseline as f64,
            self.both_wrong as f64,
        );
        let rows = self.both_right + self.only_candidate + self.only_baseline + self.both_wrong;
        let n = rows as f64;
        let candidate = wilson(self.both_right + self.only_candidate, rows)?;
        let baseline = wilson(self.both_right + self.only_baseline, rows)?;
        let (p1, p2) = ((a + b) / n, (a + c) / n);
        let margins = (a + b) * (c + d) * (a + c) * (b + d);
        let cross = a * d - b * c;
        let corrected = if cross > n / 2.0 {
            cross - n / 2.0
        } else {
            cross.min(0.0)
        };
        let phi = if margins > 0.0 {
            corrected / margins.sqrt()
        } else {
            0.0
        };
        let (dl1, du1) = (p1 - candidate.low, candidate.high - p1);
        let (dl2, du2) = (p2 - baseline.low, baseline.high - p2);
        let down = (dl1 * dl1 - 2.0 * phi * dl1 * du2 + du2 * du2).max(0.0);
        let up = (du1 * du1 - 2.0 * phi * du1 * dl2 + dl2 * dl2).max(0.0);
        let value = (b - c) / n;
        let interval = Interval {
            low: value - down.sqrt(),
            high: value + up.sqrt(),
        };
        Some((value, interval.clip(-1.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }

    #[test]
    fn wilson_agrees_with_statsmodels() {
        let interval = wilson(87, 100).unwrap();
        close(interval.low, 0.790_196_485_599_235_6, 1e-14);
        close(interval.high, 0.922_428_325_727_599_5, 1e-14);
        let none = wilson(0, 20).unwrap();
        assert_eq!(none.low, 0.0);
        close(none.high, 0.161_125_158_052_819_4, 1e-14);
    }

    #[test]
    fn mcnemar_is_exact_for_few_discordant_rows() {
        let counts = Agreement {
            only_candidate: 12,
            only_baseline: 5,
            ..Agreement::default()
        };
        close(counts.p_value().unwrap(), 0.143_463_134_765_625, 0.0);
    }

    #[test]
    fn mcnemar_uses_chi_squared_from_25_discordant_rows_on() {
        let counts = Agreement {
            only_candidate: 20,
            only_baseline: 10,
            ..Agreement::default()
        };
        // scipy.stats.chi2.sf(100 / 30, 1)
        close(counts.p_value().unwrap(), 0.067_889_154_861_828_93, 1e-12);
    }

    #[test]
    fn t_interval_and_test_agree_with_scipy() {
        let mean = mean(&[0.2, -0.1, 0.4, 0.3, 0.05]).unwrap();
        let interval = mean.interval.unwrap();
        // scipy.stats.ttest_1samp(values, 0) and its confidence_interval()
        close(mean.value, 0.17, 1e-15);
        close(interval.low, -0.076_775_838_840_022_2, 1e-9);
        close(interval.high, 0.416_775_838_840_022_23, 1e-9);
        close(mean.p_value.unwrap(), 0.128_353_486_516_911_36, 1e-9);
    }

    #[test]
    fn one_row_has_a_mean_and_no_interval() {
        let single = mean(&[3.0]).unwrap();
        assert_eq!(single.value, 3.0);
        assert_eq!(single.interval, None);
        assert_eq!(mean(&[]), None);
    }
}
