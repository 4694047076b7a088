//! Trees of plain comparisons on FP32 rows: the fast layouts.
//!
//! NaN costs no branch: each row is laid out twice, once with NaN replaced by
//! -inf and once by +inf, and a node reads the copy that sends NaN its way.

use super::{Node, Tree, complete::Complete, deep::Deep, threshold};

/// Rows that share one pass over the trees.
const BLOCK: usize = 16;

/// A tree with the plain form of each split.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) tree: Tree,
    /// Per node; `None` for leaves.
    pub(super) splits: Vec<Option<threshold::Ordered<f32>>>,
    /// Splits from the root to the deepest leaf.
    pub(super) depth: usize,
    /// The only target of all leaves, if there is only one.
    pub(super) target: Option<u32>,
}

impl Plain {
    /// A checked tree of that depth; given back if it has other splits.
    pub(super) fn new(tree: Tree, depth: usize) -> Result<Self, Tree> {
        let mut splits = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            let plain = match node {
                Node::Split { test, missing, .. } => threshold::plain(test, *missing),
                Node::Leaf { .. } => None,
            };
            if plain.is_none() && matches!(node, Node::Split { .. }) {
                return Err(tree);
            }
            splits.push(plain);
        }
        let mut targets = tree.weights.iter().map(|(target, _)| *target);
        let first = targets.next().unwrap_or(0);
        let target = targets.all(|target| target == first).then_some(first);
        Ok(Self {
            tree,
            splits,
            depth,
            target,
        })
    }
}

/// Trees in the fast layouts.
#[derive(Debug)]
pub(super) struct Flat {
    features: usize,
    targets: usize,
    widths: Widths,
    pub(super) complete: Complete,
    deep: Deep,
}

impl Flat {
    /// Lays the trees out; gives them back if rows are too wide.
    pub(super) fn new(
        trees: Vec<Plain>,
        features: usize,
        targets: usize,
    ) -> Result<Self, Vec<Plain>> {
        let Some(widths) = Widths::new(features) else {
            return Err(trees);
        };
        let (complete, rest) = Complete::new(&trees, widths, targets);
        Ok(Self {
            features,
            targets,
            widths,
            complete,
            deep: Deep::new(&rest, widths),
        })
    }

    /// Adds the leaf sums of each row to its scores.
    pub(super) fn add(&self, rows: &[f32], out: &mut [f64]) {
        match self.widths.row {
            64 => self.add_wide::<64>(rows, out),
            256 => self.add_wide::<256>(rows, out),
            2048 => self.add_wide::<2048>(rows, out),
            _ => self.add_wide::<16384>(rows, out),
        }
    }

    fn add_wide<const W: usize>(&self, rows: &[f32], out: &mut [f64]) {
        let count = (rows.len() / self.features).min(out.len() / self.targets);
        if count == 1 && W <= 256 {
            let mut block = [[0.0; W]];
            return self.add_blocks(rows, out, &mut block);
        }
        let mut block = vec![[0.0; W]; count.clamp(1, BLOCK)];
        self.add_blocks(rows, out, &mut block);
    }

    fn add_blocks<const W: usize>(&self, rows: &[f32], out: &mut [f64], block: &mut [[f32; W]]) {
        let rows = rows.chunks(self.features * block.len());
        for (rows, out) in rows.zip(out.chunks_mut(self.targets * block.len())) {
            let (mut count, mut missing) = (0, false);
            for (row, wide) in rows.chunks_exact(self.features).zip(&mut *block) {
                missing |= lay_out(row, wide);
                count += 1;
            }
            let rows = block.get(..count).unwrap_or_default();
            let block = Block { rows, missing };
            self.complete.add(block, self.targets, out);
            self.deep.add(rows, self.targets, out);
        }
    }
}

/// Rows that are laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a, const W: usize> {
    pub(super) rows: &'a [[f32; W]],
    /// Whether some value is NaN: if none is, both copies of a row are equal.
    pub(super) missing: bool,
}

/// Width of a laid-out row: a power of two that holds two copies of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Widths {
    row: usize,
}

const ROW_WIDTHS: [usize; 4] = [64, 256, 2048, 16384];

impl Widths {
    /// The smallest width for so many features; `None` beyond the largest.
    fn new(features: usize) -> Option<Self> {
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

/// Two copies of the row: NaN as -inf in the first half, as +inf in the second.
/// Says whether there was one.
fn lay_out<const W: usize>(row: &[f32], wide: &mut [f32; W]) -> bool {
    let (low, high) = wide.split_at_mut(W / 2);
    let mut missing = false;
    for ((x, low), high) in row.iter().zip(low).zip(high) {
        missing |= x.is_nan();
        *low = if x.is_nan() { f32::NEG_INFINITY } else { *x };
        *high = if x.is_nan() { f32::INFINITY } else { *x };
    }
    missing
}
