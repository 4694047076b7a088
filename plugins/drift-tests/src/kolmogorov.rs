//! The distribution of the one-sample Kolmogorov-Smirnov statistic.
//!
//! Which formula is good where follows R. Simard, P. L'Ecuyer (Computing the
//! two-sided Kolmogorov-Smirnov distribution, 2011); scipy's `kstwo`, from which
//! its two-sample "asymp" p-value comes, follows them too. What differs: for
//! sizes above 140 the series of Pelz and Good is taken wherever the tail is not.

use statrs::function::gamma::ln_gamma;
use std::f64::consts::PI;

/// Probability that the statistic of `n` values exceeds `d`.
#[must_use]
pub fn survival(n: u32, d: f64) -> f64 {
    let size = f64::from(n);
    let t = size * d;
    if d >= 1.0 || n == 0 {
        return 0.0;
    }
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        // Ruben and Gambino: the whole distribution on its lowest interval.
        let log = ln_gamma(size + 1.0) + size * ((2.0 * t - 1.0) / size).ln();
        return 1.0 - log.exp();
    }
    if t >= size - 1.0 {
        return 2.0 * (1.0 - d).powi(n as i32);
    }
    let far = if n <= 140 { 4.0 } else { 2.2 };
    if d >= 0.5 || t * d >= far {
        // Both one-sided statistics so large at once is next to impossible.
        return (2.0 * one_sided(n, d)).min(1.0);
    }
    let below = if n <= 140 {
        matrix_power(n, d)
    } else {
        pelz_good(size, d)
    };
    (1.0 - below).clamp(0.0, 1.0)
}

/// Probability that the one-sided statistic exceeds `d` (Birnbaum and Tingey
/// 1951): `d` times the sum of `C(n,j) (d + j/n)^(j-1) (1 - d - j/n)^(n-j)`.
fn one_sided(n: u32, d: f64) -> f64 {
    let size = f64::from(n);
    let ln_factorial = ln_gamma(size + 1.0);
    let last = (size * (1.0 - d)).floor() as u32;
    let sum: f64 = (0..=last.min(n))
        .map(|j| {
            let j = f64::from(j);
            let up = d + j / size;
            if up >= 1.0 {
                return 0.0;
            }
            let choose = ln_factorial - ln_gamma(j + 1.0) - ln_gamma(size - j + 1.0);
            (choose + (j - 1.0) * up.ln() + (size - j) * (-up).ln_1p()).exp()
        })
        .sum();
    d * sum
}

/// Probability of at most `d`, by the matrix of Marsaglia, Tsang and Wang (2003):
/// the middle of its `n`-th power, times `n! / n^n`.
fn matrix_power(n: u32, d: f64) -> f64 {
    let size = f64::from(n);
    let k = (size * d).floor() as usize + 1;
    let rest = k as f64 - size * d;
    let order = 2 * k - 1;
    let step = starting_matrix(order, rest);
    let mut power = Scaled::identity(order);
    let mut square = Scaled {
        values: step,
        order,
        exponent: 0,
    };
    let mut left = n;
    while left > 0 {
        if left & 1 == 1 {
            power = power.times(&square);
        }
        left >>= 1;
        if left > 0 {
            square = square.times(&square);
        }
    }
    let middle = power.values[(k - 1) * order + k - 1];
    let log = ln_gamma(size + 1.0) - size * size.ln();
    middle * (log + f64::from(power.exponent) * std::f64::consts::LN_2).exp()
}

/// Row `i`, column `j` is `1 / (i - j + 1)!` where `i - j + 1 >= 0`, but for the
/// first column and the last row, which know the border `rest`.
fn starting_matrix(order: usize, rest: f64) -> Vec<f64> {
    let mut inverse = vec![1.0_f64; order + 1];
    for i in 1..=order {
        inverse[i] = inverse[i - 1] / i as f64;
    }
    let mut values = vec![0.0; order * order];
    for i in 0..order {
        for j in 0..order.min(i + 2) {
            values[i * order + j] = inverse[i + 1 - j];
        }
    }
    for i in 0..order {
        let border = rest.powi(i as i32 + 1) * inverse[i + 1];
        values[i * order] -= border;
        let mirrored = (order - 1) * order + (order - 1 - i);
        values[mirrored] -= border;
    }
    if rest > 0.5 {
        // Both borders cut this corner; what they cut twice comes back.
        values[(order - 1) * order] += (2.0 * rest - 1.0).powi(order as i32) * inverse[order];
    }
    values
}

/// A matrix times a power of two, so that its powers stay in range.
struct Scaled {
    values: Vec<f64>,
    order: usize,
    exponent: i32,
}

impl Scaled {
    fn identity(order: usize) -> Self {
        let mut values = vec![0.0; order * order];
        for i in 0..order {
            values[i * order + i] = 1.0;
        }
        Self {
            values,
            order,
            exponent: 0,
        }
    }

    fn times(&self, other: &Self) -> Self {
        let order = self.order;
        let mut values = vec![0.0; order * order];
        for i in 0..order {
            for k in 0..order {
                let factor = self.values[i * order + k];
                for j in 0..order {
                    values[i * order + j] += factor * other.values[k * order + j];
                }
            }
        }
        let mut exponent = self.exponent + other.exponent;
        if values[(order / 2) * order + order / 2] > 1e140 {
            const SHRINK: i32 = 465;
            let factor = 2.0_f64.powi(-SHRINK);
            values.iter_mut().for_each(|value| *value *= factor);
            exponent += SHRINK;
        }
        Self {
            values,
            order,
            exponent,
        }
    }
}

/// Probability of at most `d` for large `n`: the first four terms of the series
/// in `1 / sqrt(n)` (W. Pelz, I. Good 1976).
fn pelz_good(size: f64, d: f64) -> f64 {
    let z = size.sqrt() * d;
    let (z2, z4, z6) = (z.powi(2), z.powi(4), z.powi(6));
    let pi2 = PI * PI;
    let root = (2.0 * PI).sqrt();
    let mut sums = [0.0_f64; 4];
    let terms = (16.0 * z / PI).ceil() as u32 + 1;
    for k in (1..=terms).rev() {
        // Odd integers only.
        let odd = f64::from(2 * k - 1) * PI / 2.0;
        let a = odd * odd;
        let weight = (-a / (2.0 * z2)).exp();
        sums[0] += weight;
        sums[1] += (a - z2) * weight;
        sums[2] +=
            (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * a + (1.0 - 2.0 * z2) * a * a) * weight;
        sums[3] += (-30.0 * z6 - 90.0 * z.powi(8)
            + (135.0 * z4 - 96.0 * z6) * a
            + (212.0 * z4 - 60.0 * z2) * a * a
            + (5.0 - 30.0 * z2) * a.powi(3))
            * weight;
    }
    let mut series = [
        sums[0] * root / z,
        sums[1] * root / (6.0 * z4),
        sums[2] * root / (72.0 * z.powi(7)),
        sums[3] * root / (6480.0 * z.powi(10)),
    ];
    for k in (1..=terms).rev() {
        let k2 = f64::from(k * k);
        let weight = (-pi2 * k2 / (2.0 * z2)).exp();
        series[2] -= root * pi2 * k2 * weight / (36.0 * z.powi(3));
        series[3] += root * pi2 * k2 * (3.0 * z2 - pi2 * k2) * weight / (216.0 * z6);
    }
    let step = size.sqrt();
    series[0] + series[1] / step + series[2] / size + series[3] / (size * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example() {
        // Marsaglia, Tsang and Wang: K(10, 0.274) = 0.6284796154565.
        assert!((1.0 - survival(10, 0.274) - 0.628_479_615_456_5).abs() < 1e-12);
    }

    #[test]
    fn it_falls_from_1_to_0() {
        for n in [1, 2, 9, 140, 141, 2000] {
            let values: Vec<f64> = (0..=250)
                .map(|i| survival(n, f64::from(i) / 250.0))
                .collect();
            assert_eq!((values[0], values[250]), (1.0, 0.0));
            assert!(values.iter().all(|p| (0.0..=1.0).contains(p)));
            // Where two formulas meet they differ by less than this.
            assert!(
                values.windows(2).all(|pair| pair[1] <= pair[0] + 1e-7),
                "{n}"
            );
        }
    }
}
