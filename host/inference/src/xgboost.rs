//! XGBoost models, in JSON and UBJSON (same structure; documented in XGBoost's
//! `doc/tutorials/saving_model.rst` and `doc/model.schema`).
//!
//! Predictions are those of `Booster.predict` over all trees. `best_iteration`,
//! which only the Python wrapper for scikit-learn applies, is not looked at: cut the
//! booster (`booster[:best_iteration + 1]`) before saving it.

mod file;
mod objective;
mod ubjson;

use crate::{
    ensemble::{Ensemble, Linear, Scorer},
    forest::{Aggregation, Forest, ForestBuilder, Missing, Node, Precision, Test, Tree},
};
use domain::{
    model::Format,
    ports::engine::{Model, ModelLoadError},
};
use file::{Booster, File, TreeArrays};
use std::sync::Arc;

/// Loads a JSON model.
pub(crate) fn load_json(bytes: &[u8]) -> Result<Arc<dyn Model>, ModelLoadError> {
    let file = serde_json::from_slice(bytes).map_err(|error| error.to_string());
    finish(file, Format::XgboostJson)
}

/// Loads a UBJSON model.
pub(crate) fn load_ubjson(bytes: &[u8]) -> Result<Arc<dyn Model>, ModelLoadError> {
    let file = ubjson::from_slice(bytes).map_err(|error| error.to_string());
    finish(file, Format::XgboostUbjson)
}

/// Most words of category sets in one model.
const MAX_SET_WORDS: usize = 1 << 23;
/// Longest part of a parser's message that is passed on: it may quote the file.
const MESSAGE_CHARS: usize = 300;

fn finish(file: Result<File, String>, format: Format) -> Result<Arc<dyn Model>, ModelLoadError> {
    let malformed = |message: String| ModelLoadError::Malformed {
        format,
        message: message.chars().take(MESSAGE_CHARS).collect(),
    };
    let file = file.map_err(malformed)?;
    let mut what = unsupported(&file);
    if !what.is_empty() {
        what.sort();
        what.dedup();
        return Err(ModelLoadError::Unsupported { format, what });
    }
    build(file, format)
        .map(|model| Arc::new(model) as Arc<dyn Model>)
        .map_err(malformed)
}

/// Everything in the file that is not implemented.
fn unsupported(file: &File) -> Vec<String> {
    let mut what = Vec::new();
    let objective = &file.learner.objective.name;
    if objective::find(objective).is_none() {
        what.push(format!(
            "objective {:?}",
            objective.chars().take(64).collect::<String>()
        ));
    }
    let booster = &file.learner.gradient_booster;
    match booster.name.as_str() {
        "gbtree" | "dart" | "gblinear" => {}
        name => what.push(format!(
            "booster {:?}",
            name.chars().take(64).collect::<String>()
        )),
    }
    let trees = booster.model().map_or(&[][..], |model| &model.trees);
    if trees
        .iter()
        .any(|tree| tree.tree_param.size_leaf_vector.0 > 1)
    {
        what.push("trees with vector leaves (multi_strategy=multi_output_tree)".to_owned());
    }
    let param = &file.learner.learner_model_param;
    if param.num_class.0 > 1 && param.num_target.0 > 1 {
        what.push("several targets of several classes each".to_owned());
    }
    what
}

fn build(file: File, format: Format) -> Result<Ensemble, String> {
    let learner = file.learner;
    let param = &learner.learner_model_param;
    let targets = param.num_class.0.max(param.num_target.0).max(1);
    let features = param.num_feature.0;
    let (targets, features) = (size(targets, "num_class")?, size(features, "num_feature")?);
    if !learner.feature_names.is_empty() && learner.feature_names.len() != features {
        return Err(format!(
            "{} feature_names for {features} features",
            learner.feature_names.len()
        ));
    }
    let objective = objective::find(&learner.objective.name).ok_or("the objective is not known")?;
    let base = objective.margins(&param.base_score.0, targets)?;
    let booster = learner.gradient_booster;
    let scorer = if booster.name == "gblinear" {
        Scorer::Linear(linear(&booster, features, &base)?)
    } else {
        Scorer::Forest(Box::new(forest(&booster, features, targets, base)?))
    };
    Ok(Ensemble::new(
        format,
        scorer,
        objective.head(targets),
        learner.feature_names,
    ))
}

/// Sizes that a model states; beyond the forest's own limits nothing works.
fn size(value: u64, name: &str) -> Result<usize, String> {
    usize::try_from(value)
        .ok()
        .filter(|size| (1..=1 << 24).contains(size))
        .ok_or_else(|| format!("{name} is {value}"))
}

fn linear(booster: &Booster, features: usize, base: &[f64]) -> Result<Linear, String> {
    let model = booster.model().ok_or("gradient_booster.model is missing")?;
    // With several base scores XGBoost (3.2) adds the first to every output here.
    let targets = base.len();
    let base = base.first().copied().unwrap_or(0.0);
    let expected = (features + 1).checked_mul(targets);
    if Some(model.weights.len()) != expected {
        return Err(format!(
            "{} weights for {features} features, a bias and {targets} outputs",
            model.weights.len()
        ));
    }
    let mut weights: Vec<f64> = model
        .weights
        .iter()
        .map(|&weight| f64::from(weight))
        .collect();
    if weights
        .iter()
        .chain([&base])
        .any(|weight| !weight.is_finite())
    {
        return Err("a weight is not finite".to_owned());
    }
    let bias = weights.split_off(features * targets);
    let bias = bias.iter().map(|bias| bias + base).collect();
    Ok(Linear { weights, bias })
}

fn forest(
    booster: &Booster,
    features: usize,
    targets: usize,
    base: Vec<f64>,
) -> Result<Forest, String> {
    let model = booster.model().ok_or("gradient_booster.model is missing")?;
    if model.tree_info.len() != model.trees.len() {
        return Err(format!(
            "tree_info has {} entries for {} trees",
            model.tree_info.len(),
            model.trees.len()
        ));
    }
    let drops = booster.weight_drop.as_deref();
    if drops.is_some_and(|drops| drops.len() != model.trees.len()) {
        return Err("weight_drop does not have one entry per tree".to_owned());
    }
    let mut trees = Vec::with_capacity(model.trees.len());
    let mut words = MAX_SET_WORDS;
    for (index, (arrays, &target)) in model.trees.iter().zip(&model.tree_info).enumerate() {
        let weight = drops
            .and_then(|drops| drops.get(index))
            .copied()
            .unwrap_or(1.0);
        let tree = tree(arrays, target, weight, &mut words)
            .map_err(|what| format!("tree {index}: {what}"))?;
        trees.push(tree);
    }
    let aggregation = Aggregation::Sum;
    let precision = Precision::F32;
    ForestBuilder {
        features,
        targets,
        trees,
        base,
        aggregation,
        precision,
    }
    .compile()
    .map_err(|error| error.to_string())
}

/// A tree from its parallel arrays. A node without a left child is a leaf whose
/// value stands in `split_conditions`.
fn tree(arrays: &TreeArrays, target: u32, weight: f32, words: &mut usize) -> Result<Tree, String> {
    let count = arrays.left_children.len();
    let lengths = [
        ("right_children", arrays.right_children.len()),
        ("split_indices", arrays.split_indices.len()),
        ("split_conditions", arrays.split_conditions.len()),
        ("default_left", arrays.default_left.len()),
    ];
    for (name, length) in lengths {
        if length != count {
            return Err(format!(
                "{name} has {length} entries, left_children {count}"
            ));
        }
    }
    let sets = arrays.sets(count, words)?;
    let mut tree = Tree::default();
    for (at, set) in sets.into_iter().enumerate() {
        let get = |values: &[i32]| values.get(at).copied().unwrap_or(-1);
        let condition = arrays.split_conditions.get(at).copied().unwrap_or(f32::NAN);
        let left = get(&arrays.left_children);
        if left == -1 {
            let leaf = tree.leaf(&[(target, f64::from(condition * weight))]);
            tree.nodes.push(leaf);
            continue;
        }
        let child =
            |index: i32| u32::try_from(index).map_err(|_| format!("node {at}: child {index}"));
        let (left, right) = (child(left)?, child(get(&arrays.right_children))?);
        let default_left = arrays.default_left.get(at).is_some_and(|flag| flag.0);
        let feature = arrays.split_indices.get(at).copied().unwrap_or(u32::MAX);
        let node = match set {
            // Categories in the set go right; all others, and values that are
            // no category, go left.
            Some(bits) => Node::Split {
                feature,
                test: Test::Category {
                    bits,
                    truncate_negative: false,
                },
                missing: if default_left {
                    Missing::No
                } else {
                    Missing::Yes
                },
                yes: right,
                no: left,
            },
            None => Node::Split {
                feature,
                test: Test::Less(f64::from(condition)),
                missing: if default_left {
                    Missing::Yes
                } else {
                    Missing::No
                },
                yes: left,
                no: right,
            },
        };
        tree.nodes.push(node);
    }
    Ok(tree)
}
