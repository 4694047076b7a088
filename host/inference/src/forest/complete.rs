//! Shallow trees of plain comparisons, padded to complete trees.
//!
//! A complete tree of depth d needs no child indices: node `i` has children
//! `2i` and `2i + 1` (the root is 1), and after d steps `i - 2^d` is the leaf.
//! A node is 8 bytes, and eight trees are walked side by side so that their
//! memory reads overlap.

use super::{
    Node,
    flat::{Plain, Widths},
    kernel::{LANES, Split},
};

/// Deepest tree that is padded.
const MAX_DEPTH: usize = 8;
/// Most padded leaf values, so that hostile padding stays small.
const MAX_VALUES: usize = 1 << 24;

/// Up to eight trees of one depth and kind.
#[derive(Debug)]
pub(super) struct Group {
    /// 2^depth
    pub(super) size: usize,
    /// `LANES * size` splits of `splits`, from here.
    pub(super) first_split: usize,
    /// `LANES * size * width` values of `values`, from here.
    pub(super) first_value: usize,
    /// The only target, or all of them.
    pub(super) target: Option<usize>,
}

/// Trees in the complete layout.
#[derive(Debug, Default)]
pub(super) struct Complete {
    pub(super) groups: Vec<Group>,
    pub(super) splits: Vec<Split>,
    /// Leaf values: one per leaf, or one per leaf and target.
    pub(super) values: Vec<f32>,
}

impl Complete {
    /// Lays out the shallow trees; gives the others back, and those for which
    /// padding would take too much memory.
    pub(super) fn new(trees: &[Plain], widths: Widths, targets: usize) -> (Self, Vec<&Plain>) {
        let (mut order, mut rest): (Vec<_>, Vec<_>) =
            trees.iter().partition(|tree| tree.depth <= MAX_DEPTH);
        order.sort_by_key(|tree| (tree.target, tree.depth));
        let mut complete = Self::default();
        for kind in order.chunk_by(|a, b| a.target == b.target) {
            for trees in kind.chunks(LANES) {
                if complete.push(trees, widths, targets).is_none() {
                    rest.extend(trees);
                }
            }
        }
        complete.groups.shrink_to_fit();
        complete.splits.shrink_to_fit();
        complete.values.shrink_to_fit();
        (complete, rest)
    }

    fn push(&mut self, trees: &[&Plain], widths: Widths, targets: usize) -> Option<()> {
        let depth = trees.iter().map(|tree| tree.depth).max()?.max(1);
        let target = trees.first()?.target;
        let size = 1usize << depth;
        let width = if target.is_some() { 1 } else { targets };
        let cells = LANES.checked_mul(size)?.checked_mul(width)?;
        let (first_split, first_value) = (self.splits.len(), self.values.len());
        if first_value.checked_add(cells)? > MAX_VALUES {
            return None;
        }
        // A lane without a tree walks to leaves that say 0.
        self.splits.resize(first_split + LANES * size, Split::PASS);
        self.values.resize(first_value + cells, 0.0);
        for (lane, tree) in trees.iter().enumerate() {
            let splits = self
                .splits
                .get_mut(first_split + lane * size..)?
                .get_mut(..size)?;
            let values = self.values.get_mut(first_value + lane * size * width..)?;
            let values = values.get_mut(..size * width)?;
            fill(tree, widths, splits, values, width)?;
        }
        self.groups.push(Group {
            size,
            first_split,
            first_value,
            target: target.map(|target| target as usize),
        });
        Some(())
    }
}

/// Writes one tree into its lane. A leaf above the last level fills all places
/// below it; the splits there keep passing everything on.
fn fill(
    tree: &Plain,
    widths: Widths,
    splits: &mut [Split],
    values: &mut [f32],
    width: usize,
) -> Option<()> {
    let size = splits.len();
    let mut open = vec![(0usize, 1usize)];
    while let Some((at, place)) = open.pop() {
        match tree.tree.nodes.get(at)? {
            Node::Split {
                feature, yes, no, ..
            } => {
                let plain = (*tree.splits.get(at)?)?;
                *splits.get_mut(place)? = Split {
                    threshold: plain.threshold,
                    slot: widths.slot(*feature, plain.nan_low),
                };
                let (low, high) = if plain.low_is_yes {
                    (yes, no)
                } else {
                    (no, yes)
                };
                open.push((*low as usize, 2 * place));
                open.push((*high as usize, 2 * place + 1));
            }
            Node::Leaf { first, count } => {
                let weights = tree
                    .tree
                    .weights
                    .get(*first as usize..)?
                    .get(..*count as usize)?;
                let below = size >> place.ilog2();
                let from = place * below - size;
                for leaf in values
                    .get_mut(from * width..(from + below) * width)?
                    .chunks_exact_mut(width)
                {
                    for (target, weight) in weights {
                        let target = if width == 1 { 0 } else { *target as usize };
                        {
                            *leaf.get_mut(target)? += *weight as f32;
                        }
                    }
                }
            }
        }
    }
    Some(())
}
