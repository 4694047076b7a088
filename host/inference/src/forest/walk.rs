//! Trees walked node by node: sets, deep trees, `f64` rows, mixed comparisons.

use super::{
    Aggregation, Forest, Missing, Node, Rows, Test, Tree,
    threshold::{Ordered, ZERO_BAND, holds, ordered},
};

/// Any trees, every comparison. Indices were checked when it was built.
#[derive(Debug)]
pub(super) struct Walk {
    roots: Vec<u32>,
    nodes: Vec<WalkNode>,
    weights: Vec<(u32, f64)>,
}

#[derive(Debug)]
struct WalkNode {
    step: Step,
    yes: u32,
    no: u32,
}

#[derive(Debug)]
enum Step {
    /// `x <= t`; NaN goes to `no`.
    Low { feature: u32, t: f64 },
    /// `x <= t`; NaN goes to `yes`.
    LowOrNan { feature: u32, t: f64 },
    /// Any other split.
    Other {
        feature: u32,
        missing: Missing,
        test: Box<Test>,
    },
    /// Weights `yes..no`.
    Leaf,
}

impl Step {
    fn new(feature: u32, test: &Test, missing: Missing) -> Self {
        match ordered(test, missing) {
            Some(Ordered {
                threshold: t,
                nan_low: false,
                ..
            }) => Self::Low { feature, t },
            Some(Ordered {
                threshold: t,
                nan_low: true,
                ..
            }) => Self::LowOrNan { feature, t },
            None => Self::Other {
                feature,
                missing,
                test: Box::new(test.clone()),
            },
        }
    }
}

/// Which way a value goes.
#[inline]
pub(super) fn goes_yes(test: &Test, missing: Missing, x: f64) -> bool {
    if x.is_nan() {
        return match missing {
            Missing::Yes => true,
            Missing::No => false,
            Missing::Compared => holds(test, x),
            Missing::Zero => holds(test, 0.0),
            Missing::WithZero(yes) => yes,
        };
    }
    match missing {
        Missing::WithZero(yes) if x.abs() <= ZERO_BAND => yes,
        _ => holds(test, x),
    }
}

impl Walk {
    /// Lays out checked trees; `None` if there are none.
    pub(super) fn new(trees: &[Tree]) -> Option<Self> {
        if trees.is_empty() {
            return None;
        }
        let mut walk = Self {
            roots: Vec::new(),
            nodes: Vec::new(),
            weights: Vec::new(),
        };
        for tree in trees {
            walk.roots.push(walk.nodes.len() as u32);
            walk.push(tree);
        }
        walk.nodes.shrink_to_fit();
        walk.weights.shrink_to_fit();
        Some(walk)
    }

    /// Appends the nodes that the root reaches, siblings side by side.
    fn push(&mut self, tree: &Tree) {
        let offset = self.nodes.len() as u32;
        let mut order = vec![0u32];
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            next += 1;
            let Some(node) = tree.nodes.get(at as usize) else {
                continue;
            };
            let placed = match node {
                Node::Split {
                    feature,
                    test,
                    missing,
                    yes,
                    no,
                } => {
                    let first = offset + order.len() as u32;
                    let ordered = ordered(test, *missing);
                    let low_is_yes = ordered.is_none_or(|ordered| ordered.low_is_yes);
                    order.extend(if low_is_yes { [*yes, *no] } else { [*no, *yes] });
                    WalkNode {
                        step: Step::new(*feature, test, *missing),
                        yes: first,
                        no: first + 1,
                    }
                }
                Node::Leaf { first, count } => {
                    let start = self.weights.len() as u32;
                    let weights = *first as usize..*first as usize + *count as usize;
                    self.weights
                        .extend_from_slice(tree.weights.get(weights).unwrap_or_default());
                    WalkNode {
                        step: Step::Leaf,
                        yes: start,
                        no: self.weights.len() as u32,
                    }
                }
            };
            self.nodes.push(placed);
        }
    }

    /// The weights of the leaf that a row falls into.
    fn leaf(&self, root: u32, value: impl Fn(usize) -> f64) -> &[(u32, f64)] {
        let mut at = root;
        while let Some(node) = self.nodes.get(at as usize) {
            let yes = match &node.step {
                Step::Low { feature, t } => value(*feature as usize) <= *t,
                Step::LowOrNan { feature, t } => {
                    let x = value(*feature as usize);
                    x <= *t || x.is_nan()
                }
                Step::Other {
                    feature,
                    missing,
                    test,
                } => goes_yes(test, *missing, value(*feature as usize)),
                Step::Leaf => {
                    let range = node.yes as usize..node.no as usize;
                    return self.weights.get(range).unwrap_or_default();
                }
            };
            at = if yes { node.yes } else { node.no };
        }
        &[]
    }

    fn each_leaf(&self, rows: Rows<'_>, row: usize, features: usize, mut f: impl FnMut(u32, f64)) {
        let start = row * features;
        for &root in &self.roots {
            let weights = match rows {
                Rows::F32(rows) => {
                    let row = rows.get(start..start + features).unwrap_or_default();
                    self.leaf(root, |i| row.get(i).map_or(f64::NAN, |&x| f64::from(x)))
                }
                Rows::F64(rows) => {
                    let row = rows.get(start..start + features).unwrap_or_default();
                    self.leaf(root, |i| row.get(i).copied().unwrap_or(f64::NAN))
                }
            };
            for &(target, weight) in weights {
                f(target, weight);
            }
        }
    }

    /// Adds every leaf to the scores.
    pub(super) fn add(&self, rows: Rows<'_>, features: usize, targets: usize, out: &mut [f64]) {
        for (row, scores) in out.chunks_exact_mut(targets).enumerate() {
            self.each_leaf(rows, row, features, |target, weight| {
                if let Some(score) = scores.get_mut(target as usize) {
                    *score += weight;
                }
            });
        }
    }

    /// The smallest or largest leaf per target, plus base scores. Targets that
    /// no leaf speaks about keep their base score.
    pub(super) fn extreme(&self, rows: Rows<'_>, forest: &Forest, out: &mut [f64]) {
        let smallest = forest.aggregation == Aggregation::Min;
        for (row, scores) in out.chunks_exact_mut(forest.targets).enumerate() {
            scores.fill(f64::NAN);
            self.each_leaf(rows, row, forest.features, |target, weight| {
                if let Some(score) = scores.get_mut(target as usize) {
                    // `min` and `max` take the number where one side is NaN.
                    *score = if smallest {
                        score.min(weight)
                    } else {
                        score.max(weight)
                    };
                }
            });
            for (score, base) in scores.iter_mut().zip(&forest.base) {
                *score = if score.is_nan() { *base } else { *score + base };
            }
        }
    }
}
