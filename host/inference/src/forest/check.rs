//! The rules every forest keeps, whatever file it came from.

use super::{
    Aggregation, ForestBuilder, ForestError, MAX_FEATURES, MAX_NODES, MAX_TARGETS, Node, Test, Tree,
};

/// Longest path from a root to a leaf, in splits. Bounds the time of one row.
const MAX_DEPTH: usize = 4096;

fn refuse<T>(message: String) -> Result<T, ForestError> {
    Err(ForestError(message))
}

/// Checks everything; gives the depth of each tree.
pub(super) fn check(builder: &ForestBuilder) -> Result<Vec<usize>, ForestError> {
    let ForestBuilder {
        features,
        targets,
        trees,
        ..
    } = builder;
    if !(1..=MAX_FEATURES).contains(features) {
        return refuse(format!("{features} features: must be 1 to {MAX_FEATURES}"));
    }
    if !(1..=MAX_TARGETS).contains(targets) {
        return refuse(format!("{targets} outputs: must be 1 to {MAX_TARGETS}"));
    }
    if !matches!(builder.base.len(), 0) && builder.base.len() != *targets {
        return refuse(format!(
            "{} base scores for {targets} outputs",
            builder.base.len()
        ));
    }
    if builder.base.iter().any(|score| !score.is_finite()) {
        return refuse("a base score is not finite".to_owned());
    }
    if builder.aggregation == Aggregation::Average(0) {
        return refuse("an average over no trees".to_owned());
    }
    let nodes: usize = trees.iter().map(|tree| tree.nodes.len()).sum();
    if nodes > MAX_NODES {
        return refuse(format!("{nodes} tree nodes: at most {MAX_NODES}"));
    }
    let mut depths = Vec::with_capacity(trees.len());
    for (index, tree) in trees.iter().enumerate() {
        let depth = check_tree(tree, *features, *targets)
            .map_err(|message| ForestError(format!("tree {index}: {message}")))?;
        depths.push(depth);
    }
    Ok(depths)
}

/// Visits what the root reaches; each node may be reached once.
fn check_tree(tree: &Tree, features: usize, targets: usize) -> Result<usize, String> {
    let mut reached = vec![false; tree.nodes.len()];
    let mut open = vec![(0usize, 0usize)];
    let mut deepest = 0;
    while let Some((at, depth)) = open.pop() {
        let Some(node) = tree.nodes.get(at) else {
            return Err(format!(
                "node {at} does not exist, there are {}",
                tree.nodes.len()
            ));
        };
        match reached.get_mut(at) {
            Some(seen) if !*seen => *seen = true,
            _ => {
                return Err(format!(
                    "node {at} is reached twice (a cycle or a shared node)"
                ));
            }
        }
        if depth > MAX_DEPTH {
            return Err(format!("is deeper than {MAX_DEPTH}"));
        }
        deepest = deepest.max(depth);
        match node {
            Node::Split {
                feature,
                test,
                yes,
                no,
                ..
            } => {
                if *feature as usize >= features {
                    return Err(format!("node {at}: feature {feature} of {features}"));
                }
                check_test(test).map_err(|what| format!("node {at}: {what}"))?;
                open.push((*yes as usize, depth + 1));
                open.push((*no as usize, depth + 1));
            }
            Node::Leaf { first, count } => {
                check_leaf(tree, *first, *count, targets)
                    .map_err(|what| format!("node {at}: {what}"))?;
            }
        }
    }
    Ok(deepest)
}

fn check_test(test: &Test) -> Result<(), String> {
    let threshold = match test {
        Test::Less(t) | Test::LessEqual(t) | Test::Greater(t) => *t,
        Test::GreaterEqual(t) | Test::Equal(t) | Test::NotEqual(t) => *t,
        Test::Member(_) | Test::Category { .. } => return Ok(()),
    };
    if threshold.is_nan() {
        return Err("the threshold is not a number".to_owned());
    }
    Ok(())
}

fn check_leaf(tree: &Tree, first: u32, count: u32, targets: usize) -> Result<(), String> {
    let (first, count) = (first as usize, count as usize);
    let weights = first
        .checked_add(count)
        .and_then(|end| tree.weights.get(first..end))
        .ok_or_else(|| "its weights do not exist".to_owned())?;
    for (target, weight) in weights {
        if *target as usize >= targets {
            return Err(format!("output {target} of {targets}"));
        }
        if !weight.is_finite() {
            return Err(format!("weight {weight} is not finite"));
        }
    }
    Ok(())
}
