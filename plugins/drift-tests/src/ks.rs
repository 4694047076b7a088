//! The two-sample Kolmogorov-Smirnov test.

use crate::{kolmogorov, settings::Method, statistics::Found};

/// Product of the sizes up to which `auto` counts paths.
const MAX_PATHS: u64 = 1_000_000;

/// The test on two sorted samples, neither empty. Negative infinity stands for a
/// missing value, so a change in how many are missing counts too.
#[must_use]
pub fn test(p: &[f64], q: &[f64], method: Method) -> Found {
    let (n, m) = (p.len() as u64, q.len() as u64);
    let gap = largest_gap(p, q);
    let statistic = gap as f64 / (n as f64 * m as f64);
    let exact = match method {
        Method::Auto => n * m <= MAX_PATHS,
        Method::Exact => true,
        Method::Asymptotic => false,
    };
    let p_value = if exact {
        paths_outside(n, m, gap)
    } else {
        // The size of one sample that says as much as these two.
        let size = (n as f64 * m as f64 / (n + m) as f64).round_ties_even();
        kolmogorov::survival(size as u32, statistic)
    };
    Found {
        statistic,
        p_value: Some(p_value.clamp(0.0, 1.0)),
        effect: statistic,
    }
}

/// The largest difference of the distribution functions, times both sizes: a
/// whole number, so ties with the border of a path count are told exactly.
fn largest_gap(p: &[f64], q: &[f64]) -> u64 {
    let (n, m) = (p.len() as u64, q.len() as u64);
    let (mut i, mut j, mut gap) = (0, 0, 0);
    while i < p.len() && j < q.len() {
        let x = p[i].min(q[j]);
        while p.get(i) == Some(&x) {
            i += 1;
        }
        while q.get(j) == Some(&x) {
            j += 1;
        }
        gap = gap.max((i as u64 * m).abs_diff(j as u64 * n));
    }
    gap
}

/// The share of the paths from (0, 0) to (n, m) that reach the gap somewhere
/// (Hodges, The significance probability of the Smirnov two-sample test, 1958).
///
/// Cell (i, j) holds that share among the paths to it: the last step came from
/// (i - 1, j) with probability i / (i + j). All terms are positive, so small
/// probabilities keep their digits. Only cells within the gap are computed; the
/// share of all others is 1.
fn paths_outside(n: u64, m: u64, gap: u64) -> f64 {
    if gap == 0 {
        return 1.0;
    }
    let mut row = vec![1.0_f64; m as usize + 1];
    for i in 0..=n {
        let first = (i * m).saturating_sub(gap - 1).div_ceil(n);
        let last = ((i * m + gap - 1) / n).min(m);
        // The cell before the first is beyond the gap.
        let mut left = 1.0;
        for j in first..=last {
            let cell = &mut row[j as usize];
            left = (left * j as f64 + *cell * i as f64) / (i + j).max(1) as f64;
            *cell = left;
        }
    }
    row[m as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        // Of the six orders of two and two values, two keep them apart.
        let found = test(&[1.0, 2.0], &[3.0, 4.0], Method::Exact);
        assert_eq!((found.statistic, found.p_value), (1.0, Some(1.0 / 3.0)));
        let same = test(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0], Method::Auto);
        assert_eq!((same.statistic, same.p_value), (0.0, Some(1.0)));
    }

    #[test]
    fn missing_values_count_as_a_difference() {
        let p: Vec<f64> = (0..50).map(f64::from).collect();
        let mut q = p.clone();
        q[..25].fill(f64::NEG_INFINITY);
        let found = test(&p, &q, Method::Auto);
        assert!(found.statistic >= 0.5 && found.p_value < Some(0.001));
    }

    #[test]
    fn a_larger_gap_is_never_more_likely() {
        for (n, m) in [(7, 7), (20, 15), (31, 64)] {
            let shares: Vec<f64> = (0..=n * m).map(|gap| paths_outside(n, m, gap)).collect();
            assert!(shares.windows(2).all(|pair| pair[0] >= pair[1]));
            assert_eq!(shares[0], 1.0);
        }
    }
}
