//! LightGBM models in the text format (versions 2 to 4; the format is described
//! by what LightGBM's `Tree::ToString` and `GBDT::SaveModelToString` write).
//!
//! LightGBM compares `f64` with `<=`. Rows are FP32 here, for which comparing
//! against the threshold rounded down to `f32` decides the same.

mod objective;
mod text;

use crate::{
    ensemble::{Ensemble, Scorer},
    forest::{Aggregation, ForestBuilder, Missing, Node, Precision, Test, Tree},
};
use domain::{
    model::Format,
    ports::engine::{Model, ModelLoadError},
};
use std::sync::Arc;
use text::{File, Section};

/// Longest message that is passed on: it may quote the file.
const MESSAGE_CHARS: usize = 300;

/// Loads a text model.
pub(crate) fn load(bytes: &[u8]) -> Result<Arc<dyn Model>, ModelLoadError> {
    let format = Format::Lightgbm;
    let malformed = |message: String| ModelLoadError::Malformed {
        format,
        message: message.chars().take(MESSAGE_CHARS).collect(),
    };
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    let file = File::parse(text).map_err(malformed)?;
    let what = unsupported(&file);
    if !what.is_empty() {
        return Err(ModelLoadError::Unsupported { format, what });
    }
    build(&file)
        .map(|model| Arc::new(model) as Arc<dyn Model>)
        .map_err(malformed)
}

/// Everything in the file that is not implemented.
fn unsupported(file: &File<'_>) -> Vec<String> {
    let mut what = Vec::new();
    let short = |text: &str| text.chars().take(64).collect::<String>();
    match file.header.get("version") {
        Some("v2" | "v3" | "v4") => {}
        version => what.push(format!(
            "file version {:?}",
            short(version.unwrap_or("none"))
        )),
    }
    let name = file.header.get("objective").unwrap_or_default();
    if objective::find(name).is_none() {
        what.push(format!("objective {:?}", short(name)));
    }
    if file
        .trees
        .iter()
        .any(|tree| tree.get("is_linear").is_some_and(|value| value != "0"))
    {
        what.push("linear trees (linear_tree=true)".to_owned());
    }
    what.sort();
    what
}

fn build(file: &File<'_>) -> Result<Ensemble, String> {
    let header = &file.header;
    let features = header.number::<usize>("max_feature_idx")?.checked_add(1);
    let features = features.ok_or("max_feature_idx is too large")?;
    let targets: usize = header.number("num_tree_per_iteration")?;
    let objective = header.get("objective").unwrap_or_default();
    let objective = objective::find(objective).ok_or("the objective is not known")?;
    let head = objective.head(targets)?;
    let fields: Vec<String> = header
        .get("feature_names")
        .map(|names| names.split_ascii_whitespace().map(str::to_owned).collect())
        .unwrap_or_default();
    if !fields.is_empty() && fields.len() != features {
        return Err(format!(
            "{} feature_names for {features} features",
            fields.len()
        ));
    }
    let rounds = file.trees.len().checked_div(targets).unwrap_or(0);
    if rounds.checked_mul(targets) != Some(file.trees.len()) {
        return Err(format!(
            "{} trees do not make rounds of {targets}",
            file.trees.len()
        ));
    }
    let mut trees = Vec::with_capacity(file.trees.len());
    for (index, section) in file.trees.iter().enumerate() {
        let target = u32::try_from(index % targets).map_err(|_| "too many classes")?;
        trees.push(tree(section, target).map_err(|what| format!("tree {index}: {what}"))?);
    }
    let aggregation = match u32::try_from(rounds) {
        Ok(rounds) if file.averages && rounds > 0 => Aggregation::Average(rounds),
        _ => Aggregation::Sum,
    };
    let precision = Precision::F32;
    let forest = ForestBuilder {
        features,
        targets,
        trees,
        base: Vec::new(),
        aggregation,
        precision,
    };
    let forest = forest.compile().map_err(|error| error.to_string())?;
    Ok(Ensemble::new(
        Format::Lightgbm,
        Scorer::Forest(Box::new(forest)),
        head,
        fields,
    ))
}

/// Bits of `decision_type`.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;

/// Inner nodes come first, then leaves. A child index below zero is the
/// complement of a leaf's index.
fn tree(section: &Section<'_>, target: u32) -> Result<Tree, String> {
    let leaves = section.number::<usize>("num_leaves")?;
    let inner = leaves.checked_sub(1).ok_or("it has no leaves")?;
    let values: Vec<f64> = section.list("leaf_value", leaves)?;
    let mut tree = Tree::default();
    if inner > 0 {
        let features: Vec<u32> = section.list("split_feature", inner)?;
        let thresholds: Vec<f64> = section.list("threshold", inner)?;
        let decisions: Vec<u8> = section.list("decision_type", inner)?;
        let left: Vec<i64> = section.list("left_child", inner)?;
        let right: Vec<i64> = section.list("right_child", inner)?;
        let mut sets = Sets::new(section)?;
        let columns = features.iter().zip(&thresholds).zip(&decisions);
        for (at, ((feature, threshold), decision)) in columns.enumerate() {
            let child = |children: &[i64]| {
                let child = children.get(at).copied().unwrap_or(0);
                let index = if child < 0 {
                    (inner as i64).checked_add(!child)
                } else {
                    Some(child)
                };
                let index = index.and_then(|index| u32::try_from(index).ok());
                index.ok_or_else(|| format!("node {at}: child {child}"))
            };
            let (yes, no) = (child(&left)?, child(&right)?);
            let (test, missing) = split(*threshold, *decision, &mut sets)
                .map_err(|what| format!("node {at}: {what}"))?;
            tree.nodes.push(Node::Split {
                feature: *feature,
                test,
                missing,
                yes,
                no,
            });
        }
    }
    for value in values {
        let leaf = tree.leaf(&[(target, value)]);
        tree.nodes.push(leaf);
    }
    Ok(tree)
}

fn split(threshold: f64, decision: u8, sets: &mut Sets) -> Result<(Test, Missing), String> {
    if decision & CATEGORICAL != 0 {
        // NaN and what is no category go right.
        let test = Test::Category {
            bits: sets.take(threshold)?,
            truncate_negative: true,
        };
        return Ok((test, Missing::No));
    }
    let left = decision & DEFAULT_LEFT != 0;
    let missing = match (decision >> 2) & 3 {
        0 => Missing::Zero,
        1 => Missing::WithZero(left),
        2 if left => Missing::Yes,
        2 => Missing::No,
        other => return Err(format!("missing type {other}")),
    };
    Ok((Test::LessEqual(threshold), missing))
}

/// Category sets of one tree: words, and where each set's words begin. A set
/// belongs to one split; shared sets could be made to fill the memory.
struct Sets {
    boundaries: Vec<usize>,
    words: Vec<u32>,
    taken: Vec<bool>,
}

impl Sets {
    fn new(section: &Section<'_>) -> Result<Self, String> {
        let count = section.number_or("num_cat", 0usize)?;
        let (mut boundaries, mut words): (Vec<usize>, _) = (Vec::new(), Vec::new());
        if count > 0 {
            let places = count.checked_add(1).ok_or("num_cat is too large")?;
            boundaries = section.list("cat_boundaries", places)?;
            words = section.list("cat_threshold", boundaries.last().copied().unwrap_or(0))?;
        }
        if !boundaries.is_sorted() {
            return Err("cat_boundaries do not ascend".to_owned());
        }
        Ok(Self {
            taken: vec![false; boundaries.len()],
            boundaries,
            words,
        })
    }

    /// The set that a categorical split's threshold points at.
    fn take(&mut self, threshold: f64) -> Result<Vec<u32>, String> {
        let missing = || format!("category set {threshold} does not exist");
        if threshold < 0.0 || threshold.fract() != 0.0 {
            return Err(missing());
        }
        // `as` saturates; no set has the largest index.
        let index = threshold as usize;
        let (from, to) = (
            self.boundaries.get(index),
            self.boundaries.get(index.saturating_add(1)),
        );
        let words = from
            .zip(to)
            .and_then(|(from, to)| self.words.get(*from..*to));
        let words = words.ok_or_else(missing)?;
        match self.taken.get_mut(index) {
            Some(taken) if !*taken => *taken = true,
            _ => return Err(format!("category set {threshold} is used twice")),
        }
        Ok(words.to_vec())
    }
}
