//! Shallow trees of plain comparisons, padded to complete trees.
//!
//! A complete tree of depth d needs no child indices: node `i` has children
//! `2i` and `2i + 1` (the root is 1), and after d steps `i - 2^d` is the leaf.
//! Sixteen trees are laid side by side, one node of all of them in a cell, so
//! that their memory reads overlap and fill vectors.

#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
use super::{
    Node,
    flat::{Plain, Widths},
};

/// Trees side by side.
pub(super) const LANES: usize = 16;
/// Nodes below this one (the first four levels) have their thresholds apart
/// from their slots: the vector kernel reads all of them.
pub(super) const TOP: usize = 16;
/// Deepest tree that is padded.
const MAX_DEPTH: usize = 8;
/// Most padded leaf values, so that hostile padding stays small.
const MAX_VALUES: usize = 1 << 24;

/// `row[slot] <= threshold` goes to the low child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub(super) threshold: f32,
    pub(super) slot: u32,
}

/// One node of all lanes: two cache lines. Of a node below [`TOP`], sixteen
/// thresholds and then sixteen slots; of another, each threshold beside its
/// slot, so that one read of 8 bytes gets both. Thresholds are bits of `f32`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Cell(pub(super) [u32; 2 * LANES]);

impl Cell {
    /// Everything goes low, at any node.
    fn passing(node: usize) -> Self {
        let mut cell = Self([0; 2 * LANES]);
        let pass = Split {
            threshold: f32::INFINITY,
            slot: 0,
        };
        for lane in 0..LANES {
            cell.put(node, lane, pass);
        }
        cell
    }

    /// Where threshold and slot of a lane are.
    #[inline(always)]
    const fn places(top: bool, lane: usize) -> (usize, usize) {
        let lane = lane % LANES;
        if top {
            (lane, LANES + lane)
        } else {
            (2 * lane, 2 * lane + 1)
        }
    }

    fn put(&mut self, node: usize, lane: usize, split: Split) {
        let (threshold, slot) = Self::places(node < TOP, lane);
        self.0[threshold] = split.threshold.to_bits();
        self.0[slot] = split.slot;
    }

    /// The split of a lane; `top` says whether the node is below [`TOP`].
    #[inline(always)]
    pub(super) const fn split(&self, top: bool, lane: usize) -> Split {
        let (threshold, slot) = Self::places(top, lane);
        Split {
            threshold: f32::from_bits(self.0[threshold]),
            slot: self.0[slot],
        }
    }
}

/// Up to sixteen trees of one depth and kind.
#[derive(Debug)]
pub(super) struct Group {
    /// How many lanes have a tree: the first ones.
    pub(super) trees: usize,
    /// 2^depth
    pub(super) size: usize,
    /// `size` cells of `cells`, from here.
    pub(super) first_cell: usize,
    /// `LANES * size * width` values of `values`, from here.
    pub(super) first_value: usize,
    /// The only target, or all of them.
    pub(super) target: Option<usize>,
}

/// Trees in the complete layout.
#[derive(Debug, Default)]
pub(super) struct Complete {
    pub(super) groups: Vec<Group>,
    pub(super) cells: Vec<Cell>,
    /// Leaf values, lane by lane: one per leaf, or one per leaf and target.
    pub(super) values: Vec<f32>,
    /// Whether this processor runs the vector kernel.
    #[cfg(target_arch = "x86_64")]
    pub(super) avx512: Option<Avx512>,
}

impl Complete {
    /// Lays out the shallow trees; gives the others back, and those for which
    /// padding would take too much memory.
    pub(super) fn new(trees: &[Plain], widths: Widths, targets: usize) -> (Self, Vec<&Plain>) {
        let (mut order, mut rest): (Vec<_>, Vec<_>) =
            trees.iter().partition(|tree| tree.depth <= MAX_DEPTH);
        order.sort_by_key(|tree| (tree.target, tree.depth));
        let mut complete = Self {
            #[cfg(target_arch = "x86_64")]
            avx512: Avx512::detect(),
            ..Self::default()
        };
        for kind in order.chunk_by(|a, b| a.target == b.target) {
            for trees in kind.chunks(LANES) {
                if complete.push(trees, widths, targets).is_none() {
                    rest.extend(trees);
                }
            }
        }
        complete.groups.shrink_to_fit();
        complete.cells.shrink_to_fit();
        complete.values.shrink_to_fit();
        (complete, rest)
    }

    fn push(&mut self, trees: &[&Plain], widths: Widths, targets: usize) -> Option<()> {
        let depth = trees.iter().map(|tree| tree.depth).max()?.max(1);
        let target = trees.first()?.target;
        let size = 1usize << depth;
        let width = if target.is_some() { 1 } else { targets };
        let count = LANES.checked_mul(size)?.checked_mul(width)?;
        let (first_cell, first_value) = (self.cells.len(), self.values.len());
        if first_value.checked_add(count)? > MAX_VALUES {
            return None;
        }
        // A lane without a tree walks to leaves that say 0.
        self.cells.extend((0..size).map(Cell::passing));
        self.values.resize(first_value + count, 0.0);
        let cells = self.cells.get_mut(first_cell..)?;
        for (lane, tree) in trees.iter().enumerate() {
            let values = self.values.get_mut(first_value + lane * size * width..)?;
            let values = values.get_mut(..size * width)?;
            fill(tree, widths, (cells, lane), values, width)?;
        }
        self.groups.push(Group {
            trees: trees.len(),
            size,
            first_cell,
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
    (cells, lane): (&mut [Cell], usize),
    values: &mut [f32],
    width: usize,
) -> Option<()> {
    let size = cells.len();
    let mut open = vec![(0usize, 1usize)];
    while let Some((at, place)) = open.pop() {
        match tree.tree.nodes.get(at)? {
            Node::Split {
                feature, yes, no, ..
            } => {
                let plain = (*tree.splits.get(at)?)?;
                let split = Split {
                    threshold: plain.threshold,
                    slot: widths.slot(*feature, plain.nan_low),
                };
                cells.get_mut(place)?.put(place, lane, split);
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
                        *leaf.get_mut(target)? += *weight as f32;
                    }
                }
            }
        }
    }
    Some(())
}
