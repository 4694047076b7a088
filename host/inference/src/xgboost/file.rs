//! The parts of the file that matter to predictions.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use std::fmt;

#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) learner: Learner,
}

#[derive(Debug, Deserialize)]
pub(super) struct Learner {
    #[serde(default)]
    pub(super) feature_names: Vec<String>,
    pub(super) gradient_booster: Booster,
    pub(super) learner_model_param: LearnerParam,
    pub(super) objective: Objective,
}

#[derive(Debug, Deserialize)]
pub(super) struct Objective {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct LearnerParam {
    pub(super) base_score: Text,
    #[serde(default)]
    pub(super) num_class: Count,
    pub(super) num_feature: Count,
    #[serde(default)]
    pub(super) num_target: Count,
}

/// `gbtree` and `gblinear` hold their model, `dart` holds a `gbtree`.
#[derive(Debug, Deserialize)]
pub(super) struct Booster {
    pub(super) name: String,
    model: Option<BoosterModel>,
    gbtree: Option<Inner>,
    pub(super) weight_drop: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
struct Inner {
    model: BoosterModel,
}

impl Booster {
    pub(super) fn model(&self) -> Option<&BoosterModel> {
        self.model
            .as_ref()
            .or(self.gbtree.as_ref().map(|inner| &inner.model))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct BoosterModel {
    #[serde(default)]
    pub(super) trees: Vec<TreeArrays>,
    /// Output (class) of each tree.
    #[serde(default)]
    pub(super) tree_info: Vec<u32>,
    /// `gblinear`: outputs side by side for each feature, then the biases.
    #[serde(default)]
    pub(super) weights: Vec<f32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TreeArrays {
    pub(super) left_children: Vec<i32>,
    pub(super) right_children: Vec<i32>,
    pub(super) split_indices: Vec<u32>,
    pub(super) split_conditions: Vec<f32>,
    pub(super) default_left: Vec<Flag>,
    /// 1 for a categorical split.
    #[serde(default)]
    split_type: Vec<u8>,
    #[serde(default)]
    categories: Vec<i32>,
    #[serde(default)]
    categories_nodes: Vec<u32>,
    #[serde(default)]
    categories_segments: Vec<u64>,
    #[serde(default)]
    categories_sizes: Vec<u64>,
    #[serde(default)]
    pub(super) tree_param: TreeParam,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct TreeParam {
    #[serde(default)]
    pub(super) size_leaf_vector: Count,
}

/// Largest category: above it an `f32` cannot tell integers apart.
const MAX_CATEGORY: i32 = 1 << 24;

impl TreeArrays {
    /// The category set of each node that has one, as bits; `words` is how many
    /// words of bits the model may still take.
    pub(super) fn sets(
        &self,
        nodes: usize,
        words: &mut usize,
    ) -> Result<Vec<Option<Vec<u32>>>, String> {
        let mut sets = vec![None; nodes];
        let count = self.categories_nodes.len();
        if self.categories_segments.len() != count || self.categories_sizes.len() != count {
            return Err(
                "categories_segments and categories_sizes must fit categories_nodes".into(),
            );
        }
        let spans = self.categories_segments.iter().zip(&self.categories_sizes);
        for (&node, (&start, &size)) in self.categories_nodes.iter().zip(spans) {
            let set = sets
                .get_mut(node as usize)
                .ok_or_else(|| format!("categories of node {node}, which does not exist"))?;
            let span = usize::try_from(start).ok().zip(start.checked_add(size));
            let members = span
                .and_then(|(start, end)| self.categories.get(start..usize::try_from(end).ok()?))
                .ok_or_else(|| format!("categories {start} and {size} on do not exist"))?;
            let bits = bits(members)?;
            *words = words
                .checked_sub(bits.len())
                .ok_or("its category sets are too large")?;
            *set = Some(bits);
        }
        for (at, kind) in self.split_type.iter().enumerate() {
            let leaf = self.left_children.get(at) == Some(&-1);
            match (kind, sets.get(at)) {
                (0, Some(None)) | (1, Some(Some(_))) => {}
                _ if leaf => {}
                _ => {
                    return Err(format!(
                        "node {at}: split_type {kind} does not fit its categories"
                    ));
                }
            }
        }
        Ok(sets)
    }
}

fn bits(members: &[i32]) -> Result<Vec<u32>, String> {
    let mut bits = Vec::new();
    for &member in members {
        let Some(category) = usize::try_from(member)
            .ok()
            .filter(|_| member < MAX_CATEGORY)
        else {
            return Err(format!("category {member}"));
        };
        if bits.len() <= category / 32 {
            bits.resize(category / 32 + 1, 0u32);
        }
        if let Some(word) = bits.get_mut(category / 32) {
            *word |= 1 << (category % 32);
        }
    }
    Ok(bits)
}

/// A count, as a number or as text (XGBoost writes its parameters as text).
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count(pub(super) u64);

/// Text, or a number taken as text.
#[derive(Debug)]
pub(super) struct Text(pub(super) String);

/// A truth value, as such or as 0 and 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag(pub(super) bool);

struct AnyText;

impl Visitor<'_> for AnyText {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a number")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyText).map(Self)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(AnyText)?;
        let count = text.trim().parse();
        count
            .map(Self)
            .map_err(|_| D::Error::custom("expected a count"))
    }
}

struct AnyFlag;

impl Visitor<'_> for AnyFlag {
    type Value = Flag;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, 0 or 1")
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Flag, E> {
        Ok(Flag(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Flag, E> {
        Ok(Flag(value != 0))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Flag, E> {
        Ok(Flag(value != 0))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyFlag)
    }
}
