//! Plain trees too deep to pad: 12 bytes a node, siblings side by side, eight
//! trees walked at once. A leaf is its own low child, so that a tree that is
//! done waits for the others without a branch.

use super::{
    Node,
    flat::{Plain, Widths},
};

/// Trees walked at once.
const LANES: usize = 8;

/// `row[slot] <= threshold` goes to `low`, else to `low + 1`.
#[derive(Debug, Clone, Copy)]
struct DeepNode {
    threshold: f32,
    slot: u32,
    low: u32,
}

impl DeepNode {
    /// A leaf at that place.
    const fn leaf(place: u32) -> Self {
        Self {
            threshold: f32::INFINITY,
            slot: 0,
            low: place,
        }
    }
}

/// Trees in the deep layout.
#[derive(Debug)]
pub(super) struct Deep {
    /// Roots of eight trees of similar depth; missing trees are node 0.
    groups: Vec<[u32; LANES]>,
    nodes: Vec<DeepNode>,
    /// Per node, its weights: empty but for leaves.
    spans: Vec<(u32, u32)>,
    weights: Vec<(u32, f32)>,
}

impl Deep {
    /// Lays the trees out.
    pub(super) fn new(trees: &[&Plain], widths: Widths) -> Self {
        let mut deep = Self {
            groups: Vec::new(),
            nodes: vec![DeepNode::leaf(0)],
            spans: vec![(0, 0)],
            weights: Vec::new(),
        };
        let mut order = trees.to_vec();
        order.sort_by_key(|tree| tree.depth);
        for trees in order.chunks(LANES) {
            let mut roots = [0; LANES];
            for (root, tree) in roots.iter_mut().zip(trees) {
                *root = deep.nodes.len() as u32;
                deep.push(tree, widths);
            }
            deep.groups.push(roots);
        }
        deep.nodes.shrink_to_fit();
        deep.spans.shrink_to_fit();
        deep.weights.shrink_to_fit();
        deep
    }

    /// Appends what the root reaches, breadth first.
    fn push(&mut self, tree: &Plain, widths: Widths) {
        let first = self.nodes.len() as u32;
        let mut order = vec![0u32];
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            let place = first + next as u32;
            next += 1;
            let split = tree.splits.get(at as usize).copied().flatten();
            let start = self.weights.len() as u32;
            let node = match (tree.tree.nodes.get(at as usize), split) {
                (
                    Some(Node::Split {
                        feature, yes, no, ..
                    }),
                    Some(split),
                ) => {
                    let low = first + order.len() as u32;
                    order.extend(if split.low_is_yes {
                        [*yes, *no]
                    } else {
                        [*no, *yes]
                    });
                    DeepNode {
                        threshold: split.threshold,
                        slot: widths.slot(*feature, split.nan_low),
                        low,
                    }
                }
                (Some(Node::Leaf { first, count }), _) => {
                    let range = *first as usize..*first as usize + *count as usize;
                    let weights = tree.tree.weights.get(range).unwrap_or_default();
                    self.weights
                        .extend(weights.iter().map(|(target, x)| (*target, *x as f32)));
                    DeepNode::leaf(place)
                }
                _ => DeepNode::leaf(place),
            };
            self.nodes.push(node);
            self.spans.push((start, self.weights.len() as u32));
        }
    }

    /// Adds the leaf sums of each laid-out row to its scores.
    pub(super) fn add<const W: usize>(&self, block: &[[f32; W]], targets: usize, out: &mut [f64]) {
        for roots in &self.groups {
            for (row, scores) in block.iter().zip(out.chunks_exact_mut(targets)) {
                for leaf in self.descend(*roots, row) {
                    let (from, to) = self.spans.get(leaf as usize).copied().unwrap_or((0, 0));
                    let weights = self.weights.get(from as usize..to as usize);
                    for &(target, weight) in weights.unwrap_or_default() {
                        if let Some(score) = scores.get_mut(target as usize) {
                            *score += f64::from(weight);
                        }
                    }
                }
            }
        }
    }

    /// The leaves that a row falls into, from these roots.
    #[inline(always)]
    fn descend<const W: usize>(&self, mut at: [u32; LANES], row: &[f32; W]) -> [u32; LANES] {
        loop {
            let mut moved = 0;
            for at in &mut at {
                let Some(node) = self.nodes.get(*at as usize) else {
                    continue;
                };
                let low = row[node.slot as usize & (W - 1)] <= node.threshold;
                let next = node.low + u32::from(!low);
                moved |= next ^ *at;
                *at = next;
            }
            if moved == 0 {
                return at;
            }
        }
    }
}
