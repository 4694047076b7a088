//! Maximum mean discrepancy between blocks, and its permutation test (A. Gretton
//! and others, A kernel two-sample test, 2012).

use detecting::chance::Chance;

/// Inner products of all blocks, those of the reference first.
pub struct Blocks {
    products: Vec<f64>,
    /// Sum of each row of `products`.
    sums: Vec<f64>,
    reference: usize,
    /// Rows of a block.
    rows: f64,
}

impl Blocks {
    /// Of the means of reference and window, each over `rows` rows.
    #[must_use]
    pub fn new(reference: &[Vec<f64>], window: &[Vec<f64>], rows: usize) -> Self {
        let all: Vec<&Vec<f64>> = reference.iter().chain(window).collect();
        let mut products = Vec::with_capacity(all.len() * all.len());
        for a in &all {
            for b in &all {
                products.push(a.iter().zip(*b).map(|(x, y)| x * y).sum());
            }
        }
        let sums = products.chunks(all.len()).map(|row| row.iter().sum());
        Self {
            sums: sums.collect(),
            reference: reference.len(),
            products,
            rows: rows as f64,
        }
    }

    /// The unbiased square of the discrepancy between the blocks named in
    /// `window` and all others: the mean kernel within each side over pairs of
    /// different rows, less twice the mean kernel between the sides.
    #[must_use]
    pub fn statistic(&self, window: &[usize]) -> f64 {
        let count = self.sums.len();
        let within: f64 = window
            .iter()
            .map(|&a| {
                window
                    .iter()
                    .map(|&b| self.products[a * count + b])
                    .sum::<f64>()
            })
            .sum();
        let touching: f64 = window.iter().map(|&a| self.sums[a]).sum();
        let between = touching - within;
        let rest = self.sums.iter().sum::<f64>() - between - touching;
        let (m, n) = (window.len() as f64, (count - window.len()) as f64);
        // Of a side of `rows * blocks` rows, each row with itself gives 1.
        let unbiased = |sum: f64, blocks: f64| {
            let size = self.rows * blocks;
            (self.rows * self.rows * sum - size) / (size * (size - 1.0))
        };
        unbiased(rest, n) + unbiased(within, m) - 2.0 * between / (n * m)
    }

    /// The statistic of the window, and how often one at least as large comes up
    /// when blocks are dealt out at random (the deal at hand counted in).
    #[must_use]
    pub fn test(&self, permutations: usize, seed: u64) -> (f64, f64) {
        let mut order: Vec<usize> = (0..self.sums.len()).collect();
        let found = self.statistic(&order[self.reference..]);
        let mut chance = Chance::new(seed);
        let mut as_large = 1;
        for _ in 0..permutations {
            chance.shuffle(&mut order);
            // Sums in another order may differ in the last digits.
            if self.statistic(&order[self.reference..]) >= found - 1e-12 {
                as_large += 1;
            }
        }
        (found, f64::from(as_large) / (permutations + 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_like_the_reference_is_nothing_special() {
        let block = vec![0.6, 0.8];
        let blocks = Blocks::new(&vec![block.clone(); 8], &vec![block; 4], 10);
        let (statistic, p) = blocks.test(99, 1);
        assert!(statistic.abs() < 1e-12 && p == 1.0);
    }

    #[test]
    fn a_window_elsewhere_is_as_special_as_can_be() {
        let (here, there) = (vec![1.0, 0.0], vec![0.0, 1.0]);
        let blocks = Blocks::new(&vec![here; 20], &vec![there; 20], 10);
        let (statistic, p) = blocks.test(999, 1);
        assert!((statistic - 2.0).abs() < 1e-12);
        assert_eq!(p, 0.001);
    }
}
