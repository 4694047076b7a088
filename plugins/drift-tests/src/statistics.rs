//! The statistics on cells, and the Wasserstein distance.
//!
//! `p` and `q` are counts of reference and window in the same cells. Equal to
//! scipy where it has the statistic; the index and its null distribution follow
//! B. Yurdakul, J. Naranjo (Statistical properties of the population stability
//! index, 2020).

use crate::settings::Base;
use statrs::function::gamma::gamma_ur;

/// A share that stands for an empty cell's where a logarithm is taken of it; as
/// Evidently does.
const EMPTY: f64 = 1e-4;

/// A statistic with its p-value and its effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The statistic.
    pub statistic: f64,
    /// Its p-value, where the test has one.
    pub p_value: Option<f64>,
    /// How far it is, whatever the number of rows.
    pub effect: f64,
}

/// Upper tail of the chi-square distribution.
fn chi_square_tail(x: f64, freedom: f64) -> f64 {
    if x <= 0.0 || freedom <= 0.0 {
        return 1.0;
    }
    gamma_ur(freedom / 2.0, x / 2.0).clamp(0.0, 1.0)
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().sum::<u64>() as f64
}

/// Cells that are not empty in both.
fn occupied(p: &[u64], q: &[u64]) -> f64 {
    p.iter().zip(q).filter(|(p, q)| **p + **q > 0).count() as f64
}

/// Population stability index: the sum of `(P - Q) ln(P / Q)` over shares. Its
/// p-value takes it as `(1/n + 1/m)` times a chi-square variable with one degree
/// of freedom less than there are cells.
#[must_use]
pub fn psi(p: &[u64], q: &[u64]) -> Found {
    let (n, m) = (total(p), total(q));
    let share = |count: u64, of: f64| {
        if count == 0 { EMPTY } else { count as f64 / of }
    };
    let index: f64 = p
        .iter()
        .zip(q)
        .filter(|(p, q)| **p + **q > 0)
        .map(|(&a, &b)| {
            let (a, b) = (share(a, n), share(b, m));
            (a - b) * (a / b).ln()
        })
        .sum();
    let scale = 1.0 / n + 1.0 / m;
    Found {
        statistic: index,
        p_value: Some(chi_square_tail(index / scale, occupied(p, q) - 1.0)),
        effect: index,
    }
}

/// Jensen-Shannon distance: the root of the mean divergence from the mixture.
#[must_use]
pub fn jensen_shannon(p: &[u64], q: &[u64], base: Base) -> Found {
    let (n, m) = (total(p), total(q));
    let part = |a: f64, middle: f64| if a > 0.0 { a * (a / middle).ln() } else { 0.0 };
    let sum: f64 = p
        .iter()
        .zip(q)
        .map(|(&a, &b)| {
            let (a, b) = (a as f64 / n, b as f64 / m);
            let middle = (a + b) / 2.0;
            part(a, middle) + part(b, middle)
        })
        .sum();
    let unit = match base {
        Base::E => 1.0,
        Base::Two => std::f64::consts::LN_2,
    };
    // Rounding can leave a sum just below 0.
    let distance = (sum.max(0.0) / 2.0 / unit).sqrt();
    Found {
        statistic: distance,
        p_value: None,
        effect: distance,
    }
}

/// Pearson's chi-square on the table of two rows, without Yates' correction;
/// cells that are empty in both are left out.
#[must_use]
pub fn chi_square(p: &[u64], q: &[u64]) -> Found {
    let (n, m) = (total(p), total(q));
    let all = n + m;
    let sum: f64 = p
        .iter()
        .zip(q)
        .filter(|(p, q)| **p + **q > 0)
        .map(|(&a, &b)| {
            let both = (a + b) as f64;
            let term = |count: u64, of: f64| {
                let expected = both * of / all;
                (count as f64 - expected).powi(2) / expected
            };
            term(a, n) + term(b, m)
        })
        .sum();
    Found {
        statistic: sum,
        p_value: Some(chi_square_tail(sum, occupied(p, q) - 1.0)),
        // Cramér's V of a table of two rows.
        effect: (sum / all).sqrt(),
    }
}

/// First Wasserstein distance of two sorted samples: the area between their
/// distribution functions.
#[must_use]
pub fn wasserstein(p: &[f64], q: &[f64]) -> f64 {
    let (n, m) = (p.len() as f64, q.len() as f64);
    let (mut i, mut j) = (0, 0);
    let (mut area, mut last) = (0.0, f64::NAN);
    while i < p.len() || j < q.len() {
        let x = match (p.get(i), q.get(j)) {
            (Some(&a), Some(&b)) => a.min(b),
            (Some(&a), None) => a,
            (None, Some(&b)) => b,
            (None, None) => break,
        };
        if i + j > 0 {
            area += (i as f64 / n - j as f64 / m).abs() * (x - last);
        }
        while p.get(i) == Some(&x) {
            i += 1;
        }
        while q.get(j) == Some(&x) {
            j += 1;
        }
        last = x;
    }
    area
}

/// Population standard deviation; 0 without values.
#[must_use]
pub fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    if n == 0.0 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    (squares / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_shares_are_no_drift() {
        let (p, q) = ([10, 20, 30, 0], [20, 40, 60, 0]);
        let found = psi(&p, &q);
        assert_eq!((found.statistic, found.p_value), (0.0, Some(1.0)));
        assert_eq!(jensen_shannon(&p, &q, Base::E).statistic, 0.0);
        assert!(chi_square(&p, &q).statistic < 1e-12);
        assert_eq!(chi_square(&[5, 0], &[9, 0]).p_value, Some(1.0));
    }

    #[test]
    fn disjoint_cells_are_as_far_as_can_be() {
        let (p, q) = ([50, 0], [0, 50]);
        let distance = jensen_shannon(&p, &q, Base::Two).statistic;
        assert!((distance - 1.0).abs() < 1e-15);
        assert!((chi_square(&p, &q).effect - 1.0).abs() < 1e-15);
        assert!(psi(&p, &q).statistic > 9.0 && psi(&p, &q).p_value < Some(1e-9));
    }

    #[test]
    fn a_shifted_sample_is_as_far_as_it_was_shifted() {
        let p = [0.0, 1.0, 1.0, 5.0];
        let q: Vec<f64> = p.iter().map(|x| x + 2.5).collect();
        assert_eq!(wasserstein(&p, &q), 2.5);
        assert_eq!(wasserstein(&q, &p), 2.5);
        assert_eq!(wasserstein(&p, &p), 0.0);
        assert_eq!(wasserstein(&[0.0], &[0.0, 4.0]), 2.0);
    }
}
