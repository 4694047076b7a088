//! `ai.onnx.ml` tree ensembles, handed to the forest operator.

use super::{
    Build,
    ml_linear::{Labels, first_largest, post, table},
};
use crate::{
    forest::{
        Aggregation, Forest, ForestBuilder, Missing, Node as TreeNode, Post, Precision, Rows, Test,
        Tree,
    },
    onnx::{
        array::{Array, Shape},
        fault::{Fault, Refusal},
        node::{Built, Node, many, one},
    },
};
use domain::tensor::TensorData;
use std::collections::HashMap;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "TreeEnsembleClassifier" => classifier,
        "TreeEnsembleRegressor" => regressor,
        "TreeEnsemble" => ensemble,
        _ => return None,
    })
}

/// Numbers given as FLOATS or, for FP64 models, as a tensor.
fn numbers(node: &Node<'_>, name: &str) -> Result<Vec<f64>, Refusal> {
    if let Some(values) = node.floats(name)? {
        return Ok(values.iter().map(|&x| x.into()).collect());
    }
    match node.tensor(&format!("{name}_as_tensor"))? {
        None => Ok(Vec::new()),
        Some(tensor) => tensor
            .data()
            .to_f64()
            .ok_or_else(|| node.broken(&format!("{name}_as_tensor holds texts"))),
    }
}

/// Whether thresholds are FP64: then so are the rows.
fn precision(node: &Node<'_>, name: &str) -> Result<Precision, Refusal> {
    let wide = node
        .tensor(name)?
        .is_some_and(|t| matches!(t.data(), TensorData::Fp64(_)));
    Ok(if wide { Precision::F64 } else { Precision::F32 })
}

fn column(node: &Node<'_>, name: &str) -> Result<Vec<u32>, Refusal> {
    let values = node.ints(name)?.unwrap_or_default();
    let all: Result<Vec<u32>, _> = values.iter().map(|&x| u32::try_from(x)).collect();
    all.map_err(|_| node.broken(&format!("{name} out of range")))
}

/// One comparison of the operators of versions 1 and 3.
fn comparison(mode: &[u8], value: f64) -> Option<Test> {
    Some(match mode {
        b"BRANCH_LEQ" => Test::LessEqual(value),
        b"BRANCH_LT" => Test::Less(value),
        b"BRANCH_GTE" => Test::GreaterEqual(value),
        b"BRANCH_GT" => Test::Greater(value),
        b"BRANCH_EQ" => Test::Equal(value),
        b"BRANCH_NEQ" => Test::NotEqual(value),
        _ => return None,
    })
}

/// The trees of `TreeEnsembleClassifier` and `-Regressor`. Leaf weights are in
/// attributes that start with `prefix`.
fn trees(node: &Node<'_>, prefix: &str, targets: usize) -> Result<(Vec<Tree>, usize), Refusal> {
    let tree_ids = column(node, "nodes_treeids")?;
    let node_ids = column(node, "nodes_nodeids")?;
    let features = column(node, "nodes_featureids")?;
    let yes = column(node, "nodes_truenodeids")?;
    let no = column(node, "nodes_falsenodeids")?;
    let values = numbers(node, "nodes_values")?;
    let modes = node.strings("nodes_modes")?.unwrap_or_default();
    let missing = node
        .ints("nodes_missing_value_tracks_true")?
        .unwrap_or_default();
    for unused in ["nodes_hitrates", "nodes_hitrates_as_tensor"] {
        node.ignore(unused);
    }
    let count = tree_ids.len();
    let same = [
        node_ids.len(),
        features.len(),
        yes.len(),
        no.len(),
        values.len(),
        modes.len(),
    ];
    if count == 0 || same.iter().any(|&n| n != count) {
        return Err(node.broken("node attributes have different lengths"));
    }
    let mut places: HashMap<(u32, u32), (usize, u32)> = HashMap::with_capacity(count);
    let mut trees: Vec<Tree> = Vec::new();
    let mut by_id: HashMap<u32, usize> = HashMap::new();
    let mut sizes: Vec<u32> = Vec::new();
    for (&tree, &id) in tree_ids.iter().zip(&node_ids) {
        let at = *by_id.entry(tree).or_insert_with(|| {
            trees.push(Tree::default());
            sizes.push(0);
            trees.len() - 1
        });
        if places.insert((tree, id), (at, sizes[at])).is_some() {
            return Err(node.broken(&format!("tree {tree} has node {id} twice")));
        }
        sizes[at] += 1;
    }
    let mut weights = leaf_weights(node, prefix, targets, &places)?;
    for at in 0..count {
        let place = places[&(tree_ids[at], node_ids[at])];
        let tree = &mut trees[place.0];
        let made = if modes[at] == b"LEAF" {
            tree.leaf(&weights.remove(&place).unwrap_or_default())
        } else {
            let Some(test) = comparison(&modes[at], values[at]) else {
                let mode = String::from_utf8_lossy(&modes[at]);
                return Err(node.refuse(&format!("node mode {mode}")));
            };
            let child = |id: u32| match places.get(&(tree_ids[at], id)) {
                Some((_, place)) => Ok(*place),
                None => Err(node.broken(&format!("node {id} does not exist"))),
            };
            let missing = match missing.get(at) {
                Some(&flag) if flag != 0 => Missing::Yes,
                _ => Missing::Compared,
            };
            TreeNode::Split {
                feature: features[at],
                test,
                missing,
                yes: child(yes[at])?,
                no: child(no[at])?,
            }
        };
        tree.nodes.push(made);
    }
    let width = features
        .iter()
        .zip(modes)
        .filter(|(_, mode)| *mode != b"LEAF");
    let width = width
        .map(|(&feature, _)| feature as usize + 1)
        .max()
        .unwrap_or(1);
    Ok((trees, width))
}

type LeafWeights = HashMap<(usize, u32), Vec<(u32, f64)>>;

fn leaf_weights(
    node: &Node<'_>,
    prefix: &str,
    targets: usize,
    places: &HashMap<(u32, u32), (usize, u32)>,
) -> Result<LeafWeights, Refusal> {
    let tree_ids = column(node, &format!("{prefix}_treeids"))?;
    let node_ids = column(node, &format!("{prefix}_nodeids"))?;
    let ids = column(node, &format!("{prefix}_ids"))?;
    let weights = numbers(node, &format!("{prefix}_weights"))?;
    let count = tree_ids.len();
    if [node_ids.len(), ids.len(), weights.len()] != [count; 3] {
        return Err(node.broken("leaf attributes have different lengths"));
    }
    let mut all = LeafWeights::with_capacity(count);
    for at in 0..count {
        let Some(&place) = places.get(&(tree_ids[at], node_ids[at])) else {
            return Err(node.broken("a leaf weight belongs to no node"));
        };
        if ids[at] as usize >= targets {
            return Err(node.broken(&format!("leaf target {} does not exist", ids[at])));
        }
        all.entry(place).or_default().push((ids[at], weights[at]));
    }
    Ok(all)
}

struct Scorer {
    forest: Forest,
    precision: Precision,
}

impl Scorer {
    fn new(node: &Node<'_>, builder: ForestBuilder) -> Result<Self, Refusal> {
        let precision = builder.precision;
        let forest = builder.compile().map_err(|error| node.broken(&error.0))?;
        Ok(Self { forest, precision })
    }

    /// Rows, and their raw scores.
    fn score(&self, input: &Array) -> Result<(usize, Vec<f64>), Fault> {
        let (rows, columns) = table(input)?;
        if columns < self.forest.features() {
            return Err(Fault::shape(format!(
                "{columns} columns where at least {} are needed",
                self.forest.features()
            )));
        }
        let mut out = vec![0.0; rows.saturating_mul(self.forest.targets())];
        let width = self.forest.features();
        match (self.precision, input.data()) {
            (Precision::F32, TensorData::Fp32(values)) => {
                let narrowed = narrow(values, columns, width);
                self.forest.score(Rows::F32(&narrowed), &mut out);
            }
            (Precision::F32, _) => {
                let values = input.to_f32()?;
                let narrowed = narrow(&values, columns, width);
                self.forest.score(Rows::F32(&narrowed), &mut out);
            }
            (Precision::F64, data) => {
                let values = data
                    .to_f64()
                    .ok_or_else(|| Fault::Unsupported("texts as features".to_owned()))?;
                let narrowed = narrow(&values, columns, width);
                self.forest.score(Rows::F64(&narrowed), &mut out);
            }
        }
        Ok((rows, out))
    }
}

/// The first `width` of every `columns` values: a file says nothing of columns
/// that no split reads.
fn narrow<T: Copy>(values: &[T], columns: usize, width: usize) -> std::borrow::Cow<'_, [T]> {
    if columns == width {
        return values.into();
    }
    let rows = values.chunks_exact(columns.max(1));
    rows.flat_map(|row| row.iter().copied().take(width))
        .collect()
}

/// Scores become FP32 (the operators' result type), or FP64 for `TreeEnsemble`
/// over FP64.
fn outputs(scores: Vec<f64>, shape: Shape, wide: bool) -> Result<Array, Fault> {
    if wide {
        Array::of(shape, scores)
    } else {
        Array::of(shape, scores.into_iter().map(|x| x as f32).collect())
    }
}

/// How a single score for two classes becomes a label and two columns.
#[derive(Debug, Clone, Copy)]
struct Binary {
    /// No leaf weight is negative: scores are probabilities already.
    all_positive: bool,
}

impl Binary {
    fn is_second(self, score: f64) -> bool {
        (score as f32) > if self.all_positive { 0.5 } else { 0.0 }
    }

    fn columns(self, score: f64, post: Post) -> [f64; 2] {
        match post {
            Post::Probit => {
                let mut one = [score];
                post.apply(&mut one);
                [1.0 - one[0], one[0]]
            }
            Post::Logistic(_) => {
                let mut both = [-score, score];
                post.apply(&mut both);
                both
            }
            _ if self.all_positive => [1.0 - score, score],
            _ => [-score, score],
        }
    }
}

/// Two labels whose leaves all speak for one class are scored by one number
/// (as XGBoost and gradient boosting are exported).
fn classifier(node: &Node<'_>) -> Result<Built, Refusal> {
    let labels = Labels::read(node, "classlabels_int64s", "classlabels_strings")?;
    let post = post(node)?;
    let base = numbers(node, "base_values")?;
    let ids = column(node, "class_ids")?;
    let single = labels.len() == 2 && ids.windows(2).all(|w| w[0] == w[1]);
    let mut weights = numbers(node, "class_weights")?;
    let all_positive = weights.iter().all(|&w| w >= 0.0);
    weights.clear();
    let (mut trees, features) = trees(node, "class", labels.len())?;
    let targets = if single { 1 } else { labels.len() };
    if single {
        for weight in trees.iter_mut().flat_map(|tree| &mut tree.weights) {
            weight.0 = 0;
        }
    }
    // Two base values for one score: the second class's counts.
    let base = match (single, base.as_slice()) {
        (true, [_, second]) => vec![*second],
        _ => base,
    };
    if !base.is_empty() && base.len() != targets {
        return Err(node.broken("base_values do not fit the number of scores"));
    }
    let builder = ForestBuilder {
        features,
        targets,
        trees,
        base,
        aggregation: Aggregation::Sum,
        precision: precision(node, "nodes_values_as_tensor")?,
    };
    let scorer = Scorer::new(node, builder)?;
    let binary = Binary { all_positive };
    many(move |inputs| {
        let (rows, mut scores) = scorer.score(inputs.get(0)?)?;
        let best: Vec<usize> = if single {
            scores
                .iter()
                .map(|&s| usize::from(binary.is_second(s)))
                .collect()
        } else {
            scores.chunks_exact(targets).map(first_largest).collect()
        };
        if single {
            scores = scores
                .iter()
                .flat_map(|&s| binary.columns(s, post))
                .collect();
        } else {
            for row in scores.chunks_exact_mut(targets) {
                post.apply(row);
            }
        }
        let shape = Shape::new(&[rows, labels.len()])?;
        Ok(vec![labels.pick(&best)?, outputs(scores, shape, false)?])
    })
}

fn count(node: &Node<'_>) -> Result<usize, Refusal> {
    match usize::try_from(node.int("n_targets")?.unwrap_or(1)) {
        Ok(targets @ 1..=65_536) => Ok(targets),
        _ => Err(node.broken("n_targets out of range")),
    }
}

fn regressor(node: &Node<'_>) -> Result<Built, Refusal> {
    let targets = count(node)?;
    let post = post(node)?;
    let base = numbers(node, "base_values")?;
    if !base.is_empty() && base.len() != targets {
        return Err(node.broken("base_values do not fit the number of targets"));
    }
    let (trees, features) = trees(node, "target", targets)?;
    let trees_count = u32::try_from(trees.len()).unwrap_or(u32::MAX);
    let aggregation = match node.string("aggregate_function")?.as_deref() {
        None | Some("SUM") => Aggregation::Sum,
        Some("AVERAGE") => Aggregation::Average(trees_count),
        Some("MIN") => Aggregation::Min,
        Some("MAX") => Aggregation::Max,
        Some(other) => return Err(node.refuse(&format!("aggregate_function={other}"))),
    };
    let builder = ForestBuilder {
        features,
        targets,
        trees,
        base,
        aggregation,
        precision: precision(node, "nodes_values_as_tensor")?,
    };
    let scorer = Scorer::new(node, builder)?;
    one(move |inputs| run(&scorer, post, inputs.get(0)?, targets, false))
}

fn run(
    scorer: &Scorer,
    post: Post,
    input: &Array,
    targets: usize,
    wide: bool,
) -> Result<Array, Fault> {
    let (rows, mut scores) = scorer.score(input)?;
    if post != Post::None {
        for row in scores.chunks_exact_mut(targets) {
            post.apply(row);
        }
    }
    outputs(scores, Shape::new(&[rows, targets])?, wide)
}

/// `TreeEnsemble` of version 5: inner nodes and leaves in separate lists.
fn ensemble(node: &Node<'_>) -> Result<Built, Refusal> {
    let targets = count(node)?;
    let post = match node.int("post_transform")?.unwrap_or(0) {
        0 => Post::None,
        1 => Post::Softmax,
        2 => Post::Logistic(1.0),
        3 => Post::SoftmaxZero,
        4 => Post::Probit,
        other => return Err(node.refuse(&format!("post_transform={other}"))),
    };
    let splits = node.tensor("nodes_splits")?;
    let precision = precision(node, "nodes_splits")?;
    let splits = splits.and_then(|t| t.data().to_f64()).unwrap_or_default();
    let trees = super::ml_tree_v5::trees(node, &splits, targets)?;
    let trees_count = u32::try_from(trees.len()).unwrap_or(u32::MAX);
    let aggregation = match node.int("aggregate_function")?.unwrap_or(1) {
        0 => Aggregation::Average(trees_count),
        1 => Aggregation::Sum,
        2 => Aggregation::Min,
        3 => Aggregation::Max,
        other => return Err(node.refuse(&format!("aggregate_function={other}"))),
    };
    let features = node.ints("nodes_featureids")?.unwrap_or_default();
    let features = features.iter().copied().max().unwrap_or(0);
    let builder = ForestBuilder {
        features: usize::try_from(features).unwrap_or(0).saturating_add(1),
        targets,
        trees,
        base: Vec::new(),
        aggregation,
        precision,
    };
    let scorer = Scorer::new(node, builder)?;
    let wide = precision == Precision::F64;
    one(move |inputs| run(&scorer, post, inputs.get(0)?, targets, wide))
}
