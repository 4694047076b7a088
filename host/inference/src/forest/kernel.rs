//! The inner loop over complete trees. Sizes are constants of the code here,
//! so that masks replace bounds checks.

use super::complete::{Complete, Group};

/// Trees walked side by side.
pub(super) const LANES: usize = 8;

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

impl Complete {
    /// Adds the leaf sums of each laid-out row to its scores.
    pub(super) fn add<const W: usize>(&self, block: &[[f32; W]], targets: usize, out: &mut [f64]) {
        for group in &self.groups {
            self.add_group(group, block, targets, out);
        }
    }

    fn add_group<const W: usize>(
        &self,
        group: &Group,
        block: &[[f32; W]],
        targets: usize,
        out: &mut [f64],
    ) {
        match group.size {
            2 => self.add_sized::<2, W>(group, block, targets, out),
            4 => self.add_sized::<4, W>(group, block, targets, out),
            8 => self.add_sized::<8, W>(group, block, targets, out),
            16 => self.add_sized::<16, W>(group, block, targets, out),
            32 => self.add_sized::<32, W>(group, block, targets, out),
            64 => self.add_sized::<64, W>(group, block, targets, out),
            128 => self.add_sized::<128, W>(group, block, targets, out),
            _ => self.add_sized::<256, W>(group, block, targets, out),
        }
    }

    fn add_sized<const N: usize, const W: usize>(
        &self,
        group: &Group,
        block: &[[f32; W]],
        targets: usize,
        out: &mut [f64],
    ) {
        let Some(trees) = lanes::<Split, N>(&self.splits, group.first_split) else {
            return;
        };
        if let Some(target) = group.target {
            let Some(values) = lanes::<f32, N>(&self.values, group.first_value) else {
                return;
            };
            for (row, scores) in block.iter().zip(out.chunks_exact_mut(targets)) {
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
        for (row, scores) in block.iter().zip(out.chunks_exact_mut(targets)) {
            for (lane, leaf) in descend(trees, row).into_iter().enumerate() {
                let at = group.first_value + (lane * N + leaf) * targets;
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
