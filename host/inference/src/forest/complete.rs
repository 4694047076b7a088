//! Shallow trees of plain comparisons, padded to complete trees.
//!
//! A complete tree of depth d needs no child indices: node `i` has children
//! `2i` and `2i + 1` (the root is 1), and after d steps `i - 2^d` is the leaf.
//! A node is 8 bytes, and eight trees are walked side by side so that their
//! memory reads overlap.
//!
//! NaN costs no branch: each row is laid out twice, once with NaN replaced by
//! -inf and once by +inf, and a node reads the copy that sends NaN its way.

use super::{
    Node, Tree,
    kernel::{LANES, Split, Widths},
    threshold,
};

/// Deepest tree that is padded.
const MAX_DEPTH: usize = 8;
/// Most padded nodes and leaf values, so that hostile padding stays small.
const MAX_CELLS: usize = 1 << 26;

/// A tree with the plain form of each split.
#[derive(Debug)]
pub(super) struct Plain {
    tree: Tree,
    splits: Vec<Option<threshold::Plain>>,
    depth: usize,
    /// The only target of all leaves, if there is only one.
    target: Option<u32>,
}

impl Plain {
    /// A checked tree of that depth; `None` if it does not fit this layout.
    pub(super) fn new(tree: &Tree, depth: usize) -> Option<Self> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut splits = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            splits.push(match node {
                Node::Split { test, missing, .. } => Some(threshold::plain(test, *missing)?),
                Node::Leaf { .. } => None,
            });
        }
        let mut targets = tree.weights.iter().map(|(target, _)| *target);
        let first = targets.next().unwrap_or(0);
        Some(Self {
            splits,
            depth: depth.max(1),
            target: targets.all(|target| target == first).then_some(first),
            tree: tree.clone(),
        })
    }

    pub(super) fn into_tree(self) -> Tree {
        self.tree
    }
}

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
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) targets: usize,
    pub(super) widths: Widths,
    pub(super) groups: Vec<Group>,
    pub(super) splits: Vec<Split>,
    /// Leaf values: one per leaf, or one per leaf and target.
    pub(super) values: Vec<f32>,
}

impl Complete {
    /// Lays the trees out; `None` if there are none, or rows are too wide, or
    /// padding would take too much memory.
    pub(super) fn new(trees: &[Plain], features: usize, targets: usize) -> Option<Self> {
        if trees.is_empty() {
            return None;
        }
        let widths = Widths::new(features)?;
        let mut order: Vec<&Plain> = trees.iter().collect();
        order.sort_by_key(|tree| (tree.target, tree.depth));
        let mut complete = Self {
            targets,
            widths,
            groups: Vec::new(),
            splits: Vec::new(),
            values: Vec::new(),
        };
        for kind in order.chunk_by(|a, b| a.target == b.target) {
            for trees in kind.chunks(LANES) {
                complete.push(trees)?;
            }
        }
        complete.groups.shrink_to_fit();
        complete.splits.shrink_to_fit();
        complete.values.shrink_to_fit();
        Some(complete)
    }

    fn push(&mut self, trees: &[&Plain]) -> Option<()> {
        let depth = trees.iter().map(|tree| tree.depth).max()?;
        let target = trees.first()?.target;
        let size = 1usize << depth;
        let width = if target.is_some() { 1 } else { self.targets };
        let cells = LANES.checked_mul(size)?.checked_mul(width)?;
        let (first_split, first_value) = (self.splits.len(), self.values.len());
        if first_value.checked_add(cells)? > MAX_CELLS || first_split > MAX_CELLS {
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
            fill(tree, self.widths, splits, values, width)?;
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
                        #[expect(clippy::cast_possible_truncation, reason = "leaves are f32 here")]
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
