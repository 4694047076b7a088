//! Rows as points: scaled columns, then random Fourier features, whose inner
//! products stand for the Gaussian kernel (A. Rahimi, B. Recht, Random features
//! for large-scale kernel machines, 2007).

use detecting::chance::Chance;
use serde::{Deserialize, Serialize};

/// Farthest that a value may lie from the mean, in standard deviations; beyond,
/// it makes no difference to the kernel.
const FAR: f64 = 1e6;

/// Mean and standard deviation of one coordinate of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Mean.
    pub mean: f64,
    /// Standard deviation; 1 where the coordinate is constant.
    pub deviation: f64,
}

impl Scale {
    /// Of the values that are not NaN.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let present = || values.iter().filter(|x| !x.is_nan());
        let n = (present().count() as f64).max(1.0);
        let mean = present().sum::<f64>() / n;
        let squares: f64 = present().map(|x| (x - mean) * (x - mean)).sum();
        let deviation = (squares / n).sqrt();
        Self {
            mean,
            deviation: if deviation > 0.0 { deviation } else { 1.0 },
        }
    }

    /// A missing value lies at the mean.
    fn apply(self, value: f64) -> f64 {
        if value.is_nan() {
            return 0.0;
        }
        ((value - self.mean) / self.deviation).clamp(-FAR, FAR)
    }
}

/// Rows as points in scaled coordinates, one after another: one coordinate a
/// column, then one a column for whether its value is missing.
#[must_use]
pub fn points(columns: &[Vec<f64>], scales: &[Scale]) -> Vec<f64> {
    let rows = columns.first().map_or(0, Vec::len);
    let mut points = Vec::with_capacity(rows * 2 * columns.len());
    let (values, missing) = scales.split_at(columns.len());
    for row in 0..rows {
        for (column, scale) in columns.iter().zip(values) {
            points.push(scale.apply(column[row]));
        }
        for (column, scale) in columns.iter().zip(missing) {
            points.push(scale.apply(f64::from(u8::from(column[row].is_nan()))));
        }
    }
    points
}

/// Scales of all coordinates.
#[must_use]
pub fn scales(columns: &[Vec<f64>]) -> Vec<Scale> {
    let missing = columns.iter().map(|column| {
        let marks: Vec<f64> = column
            .iter()
            .map(|x| f64::from(u8::from(x.is_nan())))
            .collect();
        Scale::of(&marks)
    });
    let values = columns.iter().map(|column| Scale::of(column));
    values.chain(missing).collect()
}

/// Median distance of the pairs among the first `most` points; 1 if that is 0.
#[must_use]
pub fn median_distance(points: &[f64], coordinates: usize, most: usize) -> f64 {
    let points: Vec<&[f64]> = points.chunks(coordinates).take(most).collect();
    let mut squares = Vec::with_capacity(points.len() * points.len() / 2);
    for (index, a) in points.iter().enumerate() {
        for b in &points[..index] {
            let square = |(x, y): (&f64, &f64)| (x - y) * (x - y);
            squares.push(a.iter().zip(*b).map(square).sum::<f64>());
        }
    }
    squares.sort_by(f64::total_cmp);
    match squares.get(squares.len() / 2) {
        Some(&square) if square > 0.0 => square.sqrt(),
        _ => 1.0,
    }
}

/// Frequencies of the Gaussian kernel of this width, one after another.
#[must_use]
pub fn frequencies(count: usize, coordinates: usize, bandwidth: f64, seed: u64) -> Vec<f64> {
    let mut chance = Chance::new(seed);
    (0..count * coordinates)
        .map(|_| chance.normal() / bandwidth)
        .collect()
}

/// Means of the features of blocks of rows: for each block cosine and sine at
/// each frequency, so that a row with itself gives 1.
#[must_use]
pub fn block_means(
    points: &[f64],
    coordinates: usize,
    frequencies: &[f64],
    block: usize,
) -> Vec<Vec<f64>> {
    let count = frequencies.len() / coordinates;
    let unit = 1.0 / ((count as f64).sqrt() * block as f64);
    points
        .chunks_exact(coordinates * block)
        .map(|rows| {
            let mut mean = vec![0.0; 2 * count];
            for row in rows.chunks_exact(coordinates) {
                for (k, frequency) in frequencies.chunks_exact(coordinates).enumerate() {
                    let angle: f64 = row.iter().zip(frequency).map(|(x, w)| x * w).sum();
                    let (sine, cosine) = angle.sin_cos();
                    mean[2 * k] += cosine * unit;
                    mean[2 * k + 1] += sine * unit;
                }
            }
            mean
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_stand_for_the_kernel() {
        let points = [0.3, -1.0, 0.9, 0.4];
        let means = block_means(&points, 2, &frequencies(512, 2, 1.5, 1), 1);
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        assert!((inner(&means[0], &means[0]) - 1.0).abs() < 1e-12);
        let square: f64 = 0.6 * 0.6 + 1.4 * 1.4;
        let kernel = (-square / (2.0 * 1.5 * 1.5)).exp();
        assert!((inner(&means[0], &means[1]) - kernel).abs() < 0.05);
    }

    #[test]
    fn constant_and_missing_columns_have_a_scale() {
        let columns = [
            vec![2.0, 2.0],
            vec![f64::NAN, f64::NAN],
            vec![f64::NAN, 3.0],
        ];
        let scales = scales(&columns);
        let points = points(&columns, &scales);
        assert_eq!(
            points,
            [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0]
        );
    }
}
