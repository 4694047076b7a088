//! The portable inner loop over complete trees. Sizes are constants of the code
//! here, so that masks replace bounds checks.

use super::{
    complete::{Cell, Complete, Group, LANES, TOP},
    flat::Block,
};

/// Trees walked side by side: as many as there are registers for.
const HALF: usize = LANES / 2;

impl Complete {
    /// Adds the leaf sums of each laid-out row to its scores.
    pub(super) fn add<const W: usize>(&self, block: Block<'_, W>, targets: usize, out: &mut [f64]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx512) = self.avx512 {
            return avx512.add(self, block, targets, out);
        }
        for group in &self.groups {
            self.add_group(group, block.rows, targets, out);
        }
    }

    fn add_group<const W: usize>(
        &self,
        group: &Group,
        rows: &[[f32; W]],
        targets: usize,
        out: &mut [f64],
    ) {
        match group.size {
            2 => self.add_sized::<2, W>(group, rows, targets, out),
            4 => self.add_sized::<4, W>(group, rows, targets, out),
            8 => self.add_sized::<8, W>(group, rows, targets, out),
            16 => self.add_sized::<16, W>(group, rows, targets, out),
            32 => self.add_sized::<32, W>(group, rows, targets, out),
            64 => self.add_sized::<64, W>(group, rows, targets, out),
            128 => self.add_sized::<128, W>(group, rows, targets, out),
            _ => self.add_sized::<256, W>(group, rows, targets, out),
        }
    }

    fn add_sized<const N: usize, const W: usize>(
        &self,
        group: &Group,
        rows: &[[f32; W]],
        targets: usize,
        out: &mut [f64],
    ) {
        let Some(cells) = self.cells::<N>(group) else {
            return;
        };
        for (row, scores) in rows.iter().zip(out.chunks_exact_mut(targets)) {
            let mut leaves = [0; LANES];
            let (first, second) = leaves.split_at_mut(HALF);
            descend(cells, row, 0, first);
            if group.trees > HALF {
                descend(cells, row, HALF, second);
            }
            let Some(target) = group.target else {
                self.add_leaves(group, leaves, scores);
                continue;
            };
            let (Some(values), Some(score)) = (self.values::<N>(group), scores.get_mut(target))
            else {
                return;
            };
            let mut sums = [0.0; LANES];
            for ((sum, values), leaf) in sums.iter_mut().zip(values).zip(leaves) {
                *sum = f64::from(values[leaf & (N - 1)]);
            }
            *score += sum(sums);
        }
    }

    /// Adds leaves that speak about several targets, lane after lane.
    pub(super) fn add_leaves(&self, group: &Group, leaves: [usize; LANES], scores: &mut [f64]) {
        for (lane, leaf) in leaves.into_iter().enumerate().take(group.trees) {
            let at = group.first_value + (lane * group.size + leaf) * scores.len();
            let values = self.values.get(at..).unwrap_or_default();
            for (score, value) in scores.iter_mut().zip(values) {
                *score += f64::from(*value);
            }
        }
    }

    /// The nodes of a group of size `N`.
    pub(super) fn cells<const N: usize>(&self, group: &Group) -> Option<&[Cell; N]> {
        self.cells.get(group.first_cell..)?.first_chunk()
    }

    /// The leaves of a group of size `N` with one target.
    pub(super) fn values<const N: usize>(&self, group: &Group) -> Option<&[[f32; N]; LANES]> {
        let values = self.values.get(group.first_value..)?;
        values.as_chunks::<N>().0.first_chunk()
    }
}

/// The leaf that each of the trees from a lane on leads the row to.
#[inline(always)]
fn descend<const N: usize, const W: usize>(
    cells: &[Cell; N],
    row: &[f32; W],
    first: usize,
    leaves: &mut [usize],
) {
    let mut at = [1usize; HALF];
    let depth = N.trailing_zeros();
    for _ in 0..depth.min(TOP.trailing_zeros()) {
        step(cells, row, true, first, &mut at);
    }
    for _ in TOP.trailing_zeros()..depth {
        step(cells, row, false, first, &mut at);
    }
    for (leaf, at) in leaves.iter_mut().zip(at) {
        *leaf = at & (N - 1);
    }
}

/// One level down in each tree; `top` says whether its nodes are below [`TOP`].
#[inline(always)]
fn step<const N: usize, const W: usize>(
    cells: &[Cell; N],
    row: &[f32; W],
    top: bool,
    first: usize,
    at: &mut [usize; HALF],
) {
    for (lane, at) in at.iter_mut().enumerate() {
        let split = cells[*at & (N - 1)].split(top, first + lane);
        let low = row[split.slot as usize & (W - 1)] <= split.threshold;
        *at = (*at << 1) | usize::from(!low);
    }
}

/// The sum, in the order in which vectors are added up by halves.
fn sum(x: [f64; LANES]) -> f64 {
    let pair = |i: usize| x[i % HALF] + x[i % HALF + HALF];
    ((pair(0) + pair(4)) + (pair(2) + pair(6))) + ((pair(1) + pair(5)) + (pair(3) + pair(7)))
}
