//! The tree-ensemble operator that every tree format is turned into.
//!
//! A format's reader fills a [`ForestBuilder`] with plain trees; `compile`
//! checks them and lays them out flat. All thresholds are `f64`: an `f32`
//! threshold compares the same after widening both sides, which is exact.
//!
//! [`Forest::score`] gives raw scores (leaf sums plus base scores) per row and
//! target; what a format makes of them ([`Post`], labels) happens outside.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod check;
mod complete;
mod deep;
mod flat;
mod kernel;
mod post;
#[cfg(test)]
mod tests;
mod threshold;
mod walk;

pub(crate) use post::Post;

use flat::{Flat, Plain};
use walk::Walk;

/// How a split compares the feature's value `x`. True goes to `yes`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// `x < t`
    Less(f64),
    /// `x <= t`
    LessEqual(f64),
    /// `x > t`
    Greater(f64),
    /// `x >= t`
    GreaterEqual(f64),
    /// `x == t`
    Equal(f64),
    /// `x != t`
    NotEqual(f64),
    /// `x` equals one of the values (any order).
    Member(Vec<f64>),
    /// `x`, truncated to an integer, is a bit that is set (bit `i` is bit
    /// `i % 32` of word `i / 32`). Negative values are in no set, except that
    /// with `truncate_negative` those above -1 truncate to 0 (LightGBM).
    Category {
        /// The set.
        bits: Vec<u32>,
        /// Whether -0.5 is category 0.
        truncate_negative: bool,
    },
}

/// What a split does with NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Goes to `yes`.
    Yes,
    /// Goes to `no`.
    No,
    /// Is compared as IEEE 754 says: only `!=` is true.
    Compared,
    /// Is taken for 0.
    Zero,
    /// NaN and values within 1e-35 of zero both go to `yes` (true) or `no`
    /// (false): LightGBM's `zero_as_missing`.
    WithZero(bool),
}

/// One node of a tree under construction. Indices point into [`Tree::nodes`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// An inner node.
    Split {
        /// Column of the input.
        feature: u32,
        /// The comparison.
        test: Test,
        /// What happens to NaN.
        missing: Missing,
        /// Node for true.
        yes: u32,
        /// Node for false.
        no: u32,
    },
    /// A leaf: `weights[first..first + count]` of its tree.
    Leaf {
        /// First weight.
        first: u32,
        /// Number of weights.
        count: u32,
    },
}

/// A tree under construction; node 0 is the root. Nodes that the root does not
/// reach are allowed and dropped.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tree {
    /// The nodes.
    pub(crate) nodes: Vec<Node>,
    /// (target, weight) of all leaves.
    pub(crate) weights: Vec<(u32, f64)>,
}

impl Tree {
    /// A leaf node with these (target, weight) pairs, to be put into `nodes`.
    pub(crate) fn leaf(&mut self, weights: &[(u32, f64)]) -> Node {
        let first = u32::try_from(self.weights.len()).unwrap_or(u32::MAX);
        self.weights.extend_from_slice(weights);
        Node::Leaf {
            first,
            count: u32::try_from(weights.len()).unwrap_or(u32::MAX),
        }
    }
}

/// How the trees' contributions to one target become one number. Base scores
/// are added afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Aggregation {
    /// Sum.
    #[default]
    Sum,
    /// Sum divided by a number (of trees, or of boosting rounds).
    Average(u32),
    /// Smallest contribution of the trees that have one for the target.
    Min,
    /// Largest contribution of the trees that have one for the target.
    Max,
}

/// Element type of the rows a forest is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// `f32` rows: the fast layout is possible.
    F32,
    /// `f64` rows: always the general layout.
    F64,
}

/// A forest under construction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForestBuilder {
    /// Columns of the input.
    pub(crate) features: usize,
    /// Scores per row.
    pub(crate) targets: usize,
    /// The trees.
    pub(crate) trees: Vec<Tree>,
    /// Added to the scores: empty, or one per target.
    pub(crate) base: Vec<f64>,
    /// How contributions are combined.
    pub(crate) aggregation: Aggregation,
    /// What rows will be given.
    pub(crate) precision: Precision,
}

/// A forest that breaks a rule or a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ForestError(pub(crate) String);

/// Most nodes in one forest.
const MAX_NODES: usize = 1 << 24;
/// Most scores per row.
const MAX_TARGETS: usize = 1 << 14;
/// Most columns.
const MAX_FEATURES: usize = 1 << 20;

/// A compiled forest. Trees of plain comparisons are in [`Flat`], all others in
/// [`Walk`].
#[derive(Debug)]
pub(crate) struct Forest {
    features: usize,
    targets: usize,
    base: Vec<f64>,
    aggregation: Aggregation,
    flat: Option<Flat>,
    walk: Option<Walk>,
}

/// Rows, row-major, `features` values each.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// `f32` values, for [`Precision::F32`].
    F32(&'a [f32]),
    /// `f64` values.
    F64(&'a [f64]),
}

impl ForestBuilder {
    /// Checks the trees and lays them out. Trees with nothing to say are dropped.
    pub(crate) fn compile(self) -> Result<Forest, ForestError> {
        let depths = check::check(&self)?;
        let mut base = self.base;
        base.resize(self.targets, 0.0);
        let sums = matches!(self.aggregation, Aggregation::Sum | Aggregation::Average(_));
        let fast = sums && self.precision == Precision::F32;
        let (mut plain, mut others) = (Vec::new(), Vec::new());
        for (tree, depth) in self.trees.into_iter().zip(depths) {
            if !fast {
                others.push(tree);
                continue;
            }
            match Plain::new(tree, depth) {
                Ok(tree) => plain.push(tree),
                Err(tree) => others.push(tree),
            }
        }
        let mut flat = None;
        if !plain.is_empty() {
            match Flat::new(plain, self.features, self.targets) {
                Ok(laid_out) => flat = Some(laid_out),
                Err(plain) => others.extend(plain.into_iter().map(|plain| plain.tree)),
            }
        }
        Ok(Forest {
            features: self.features,
            targets: self.targets,
            base,
            aggregation: self.aggregation,
            flat,
            walk: Walk::new(&others),
        })
    }
}

impl Forest {
    /// Columns of the input.
    pub(crate) const fn features(&self) -> usize {
        self.features
    }

    /// Scores per row.
    pub(crate) const fn targets(&self) -> usize {
        self.targets
    }

    /// Does without this processor's vector kernel.
    #[cfg(test)]
    fn make_portable(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if let Some(flat) = &mut self.flat {
            flat.complete.avx512 = None;
        }
    }

    /// Raw scores, row-major, `targets` per row. Rows that `out` has no room
    /// for are not read; scores that have no row are base scores.
    pub(crate) fn score(&self, rows: Rows<'_>, out: &mut [f64]) {
        match self.aggregation {
            Aggregation::Min | Aggregation::Max => match &self.walk {
                Some(walk) => return walk.extreme(rows, self, out),
                None => out.fill(0.0),
            },
            Aggregation::Sum | Aggregation::Average(_) => out.fill(0.0),
        }
        if let (Some(flat), Rows::F32(rows)) = (&self.flat, rows) {
            flat.add(rows, out);
        }
        if let Some(walk) = &self.walk {
            walk.add(rows, self.features, self.targets, out);
        }
        if let Aggregation::Average(count) = self.aggregation {
            let scale = f64::from(count);
            out.iter_mut().for_each(|score| *score /= scale);
        }
        for row in out.chunks_exact_mut(self.targets) {
            for (score, base) in row.iter_mut().zip(&self.base) {
                *score += base;
            }
        }
    }
}
