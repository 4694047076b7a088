//! The inner loop over complete trees. Sizes are constants of the code here,
//! so that masks replace bounds checks.

use super::complete::{Complete, Group};

/// Trees walked side by side.
pub(super) const LANES: usize = 8;
/// Rows that share one pass over the trees.
const BLOCK: usize = 16;

/// One inner node: `row[slot] <= threshold` goes to the low child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub(super) threshold: f32,
    pub(super) slot: u32,
}

impl Split {
    /// Everything goes low.
    pub(super) const PASS: Self = Self {
        threshold: f32::INFINITY,
        slot: 0,
    };
}

/// Width of a laid-out row: a power of two that holds two copies of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Widths {
    row: usize,
}

const ROW_WIDTHS: [usize; 4] = [64, 256, 2048, 16384];

impl Widths {
    /// The smallest width for so many features; `None` beyond the largest.
    pub(super) fn new(features: usize) -> Option<Self> {
        let row = ROW_WIDTHS.into_iter().find(|width| width / 2 >= features)?;
        Some(Self { row })
    }

    /// Where the copy of a feature stands that sends NaN low or high.
    pub(super) const fn slot(self, feature: u32, nan_low: bool) -> u32 {
        if nan_low {
            feature
        } else {
            feature + (self.row / 2) as u32
        }
    }
}

impl Complete {
    /// Adds the leaf sums of each row to its scores.
    pub(super) fn add(&self, rows: &[f32], features: usize, out: &mut [f64]) {
        match self.widths.row {
            64 => self.add_wide::<64>(rows, features, out),
            256 => self.add_wide::<256>(rows, features, out),
            2048 => self.add_wide::<2048>(rows, features, out),
            _ => self.add_wide::<16384>(rows, features, out),
        }
    }

    fn add_wide<const W: usize>(&self, rows: &[f32], features: usize, out: &mut [f64]) {
        let count = (rows.len() / features).min(out.len() / self.targets);
        if count == 1 && W <= 256 {
            let mut block = [[0.0; W]];
            return self.add_blocks(rows, features, out, &mut block);
        }
        let mut block = vec![[0.0; W]; count.min(BLOCK)];
        self.add_blocks(rows, features, out, &mut block);
    }

    fn add_blocks<const W: usize>(
        &self,
        rows: &[f32],
        features: usize,
        out: &mut [f64],
        block: &mut [[f32; W]],
    ) {
        let rows = rows.chunks(features * block.len().max(1));
        for (rows, out) in rows.zip(out.chunks_mut(self.targets * block.len().max(1))) {
            let mut count = 0;
            for (row, wide) in rows.chunks_exact(features).zip(&mut *block) {
                lay_out(row, wide);
                count += 1;
            }
            let block = block.get(..count).unwrap_or_default();
            for group in &self.groups {
                self.add_group(group, block, out);
            }
        }
    }

    fn add_group<const W: usize>(&self, group: &Group, block: &[[f32; W]], out: &mut [f64]) {
        match group.size {
            2 => self.add_sized::<2, W>(group, block, out),
            4 => self.add_sized::<4, W>(group, block, out),
            8 => self.add_sized::<8, W>(group, block, out),
            16 => self.add_sized::<16, W>(group, block, out),
            32 => self.add_sized::<32, W>(group, block, out),
            64 => self.add_sized::<64, W>(group, block, out),
            128 => self.add_sized::<128, W>(group, block, out),
            _ => self.add_sized::<256, W>(group, block, out),
        }
    }

    fn add_sized<const N: usize, const W: usize>(
        &self,
        group: &Group,
        block: &[[f32; W]],
        out: &mut [f64],
    ) {
        let Some(trees) = lanes::<Split, N>(&self.splits, group.first_split) else {
            return;
        };
        if let Some(target) = group.target {
            let Some(values) = lanes::<f32, N>(&self.values, group.first_value) else {
                return;
            };
            for (row, scores) in block.iter().zip(out.chunks_exact_mut(self.targets)) {
                let leaves = descend(trees, row);
                let mut sums = [0.0; LANES];
                for ((sum, values), leaf) in sums.iter_mut().zip(values).zip(leaves) {
                    *sum = f64::from(values[leaf & (N - 1)]);
                }
                let [a, b, c, d, e, f, g, h] = sums;
                if let Some(score) = scores.get_mut(target) {
                    *score += ((a + b) + (c + d)) + ((e + f) + (g + h));
                }
            }
            return;
        }
        for (row, scores) in block.iter().zip(out.chunks_exact_mut(self.targets)) {
            for (lane, leaf) in descend(trees, row).into_iter().enumerate() {
                let at = group.first_value + (lane * N + leaf) * self.targets;
                let values = self.values.get(at..).unwrap_or_default();
                for (score, value) in scores.iter_mut().zip(values) {
                    *score += f64::from(*value);
                }
            }
        }
    }
}

/// The leaf that each of the trees leads the row to.
#[inline(always)]
fn descend<const N: usize, const W: usize>(
    trees: &[[Split; N]; LANES],
    row: &[f32; W],
) -> [usize; LANES] {
    let mut at = [1usize; LANES];
    for _ in 0..N.trailing_zeros() {
        for (at, tree) in at.iter_mut().zip(trees) {
            let split = tree[*at & (N - 1)];
            let low = row[split.slot as usize & (W - 1)] <= split.threshold;
            *at = (*at << 1) | usize::from(!low);
        }
    }
    at.map(|at| at & (N - 1))
}

/// Eight lanes of `N` cells, from `first`.
fn lanes<T, const N: usize>(cells: &[T], first: usize) -> Option<&[[T; N]; LANES]> {
    let cells = cells.get(first..)?.get(..LANES * N)?;
    cells.as_chunks::<N>().0.try_into().ok()
}

/// Two copies of the row: NaN as -inf in the first half, as +inf in the second.
fn lay_out<const W: usize>(row: &[f32], wide: &mut [f32; W]) {
    let (low, high) = wide.split_at_mut(W / 2);
    for ((x, low), high) in row.iter().zip(low).zip(high) {
        *low = if x.is_nan() { f32::NEG_INFINITY } else { *x };
        *high = if x.is_nan() { f32::INFINITY } else { *x };
    }
}
