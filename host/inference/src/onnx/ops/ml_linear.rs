//! `ai.onnx.ml` linear models and Scaler.

use super::{
    Build,
    linear::{Activation, Layout, Linear},
    no_types,
};
use crate::{
    forest::Post,
    onnx::{
        array::{Array, Shape},
        fault::{Fault, Refusal},
        node::{Built, Node, many, one},
    },
};
use domain::tensor::TensorData;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "LinearClassifier" => classifier,
        "LinearRegressor" => regressor,
        "Scaler" => scaler,
        _ => return None,
    })
}

/// The `post_transform` attribute.
pub(crate) fn post(node: &Node<'_>) -> Result<Post, Refusal> {
    Ok(match node.string("post_transform")?.as_deref() {
        None | Some("NONE") => Post::None,
        Some("LOGISTIC") => Post::Logistic(1.0),
        Some("SOFTMAX") => Post::Softmax,
        Some("SOFTMAX_ZERO") => Post::SoftmaxZero,
        Some("PROBIT") => Post::Probit,
        Some(other) => return Err(node.refuse(&format!("post_transform={other}"))),
    })
}

/// Rows and columns of a table; a vector is one row.
pub(crate) fn table(array: &Array) -> Result<(usize, usize), Fault> {
    match **array.shape() {
        [columns] => Ok((1, columns)),
        [rows, columns] => Ok((rows, columns)),
        _ => Err(Fault::shape(format!(
            "shape {:?} where rows and columns are needed",
            &**array.shape()
        ))),
    }
}

/// Class labels.
#[derive(Debug, Clone)]
pub(crate) enum Labels {
    /// Numbers.
    Ints(Vec<i64>),
    /// Texts.
    Strings(Vec<Vec<u8>>),
}

impl Labels {
    /// Reads one of two attributes.
    pub(crate) fn read(node: &Node<'_>, ints: &str, strings: &str) -> Result<Self, Refusal> {
        let texts = node.strings(strings)?.unwrap_or_default();
        let numbers = node.ints(ints)?.unwrap_or_default();
        match (numbers, texts) {
            ([], []) => Err(node.broken("no class labels")),
            (numbers, []) => Ok(Self::Ints(numbers.to_vec())),
            (_, texts) => Ok(Self::Strings(texts.to_vec())),
        }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ints(all) => all.len(),
            Self::Strings(all) => all.len(),
        }
    }

    /// The labels at these places, which exist.
    pub(crate) fn pick(&self, places: &[usize]) -> Result<Array, Fault> {
        let out = |at: &usize| Fault::Internal(format!("class {at} has no label"));
        match self {
            Self::Ints(all) => {
                let picked = places
                    .iter()
                    .map(|at| all.get(*at).copied().ok_or_else(|| out(at)));
                Array::vector(picked.collect::<Result<Vec<_>, _>>()?)
            }
            Self::Strings(all) => {
                let picked = places
                    .iter()
                    .map(|at| all.get(*at).cloned().ok_or_else(|| out(at)));
                Array::vector(picked.collect::<Result<Vec<_>, _>>()?)
            }
        }
    }
}

/// The first largest of a row.
pub(crate) fn first_largest<T: PartialOrd + Copy>(row: &[T]) -> usize {
    let mut best = 0;
    for (at, score) in row.iter().enumerate() {
        if row.get(best).is_some_and(|most| score > most) {
            best = at;
        }
    }
    best
}

/// The layer in the attributes `coefficients` and `intercepts`.
fn layer(node: &Node<'_>, targets: usize) -> Result<Linear, Refusal> {
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    let intercepts = node.floats("intercepts")?.unwrap_or_default();
    if targets == 0 || coefficients.is_empty() || coefficients.len() % targets != 0 {
        return Err(node.broken("coefficients do not fit the number of outputs"));
    }
    if !intercepts.is_empty() && intercepts.len() != targets {
        return Err(node.broken("intercepts do not fit the number of outputs"));
    }
    let inputs = coefficients.len() / targets;
    Linear::new(
        coefficients,
        (inputs, targets),
        Layout::OutIn,
        intercepts,
        Activation::Identity,
    )
}

fn apply(layer: &Linear, input: &Array) -> Result<(usize, Vec<f32>), Fault> {
    let (rows, columns) = table(input)?;
    if columns != layer.inputs() {
        return Err(Fault::shape(format!(
            "{columns} columns where {} are needed",
            layer.inputs()
        )));
    }
    let scores = match input.data() {
        TensorData::Fp32(values) => layer.rows(values),
        _ => layer.rows(&input.to_f32()?),
    };
    Ok((rows, scores?))
}

/// Applies the transformation row by row.
fn transform(post: Post, scores: &mut [f32], width: usize) {
    if post == Post::None || width == 0 {
        return;
    }
    let mut row64 = vec![0.0; width];
    for row in scores.chunks_exact_mut(width) {
        for (wide, score) in row64.iter_mut().zip(&*row) {
            *wide = f64::from(*score);
        }
        post.apply(&mut row64);
        for (score, wide) in row.iter_mut().zip(&row64) {
            *score = *wide as f32;
        }
    }
}

/// Labels by the largest score before the transformation. One row of
/// coefficients for two labels gives the second label's score `s` where `s > 0`,
/// and the columns `1 - s, s`.
fn classifier(node: &Node<'_>) -> Result<Built, Refusal> {
    let labels = Labels::read(node, "classlabels_ints", "classlabels_strings")?;
    let post = post(node)?;
    node.ignore("multi_class");
    let intercepts = node.floats("intercepts")?.unwrap_or_default().len();
    let targets = if intercepts == 0 {
        labels.len()
    } else {
        intercepts
    };
    let layer = layer(node, targets)?;
    let second = targets == 1 && labels.len() == 2;
    if !second && targets != labels.len() {
        return Err(node.broken("class labels do not fit the number of scores"));
    }
    many(move |inputs| {
        let (rows, mut scores) = apply(&layer, inputs.get(0)?)?;
        let best: Vec<usize> = if second {
            scores
                .iter()
                .map(|&score| usize::from(score > 0.0))
                .collect()
        } else {
            scores.chunks_exact(targets).map(first_largest).collect()
        };
        if second {
            transform(post, &mut scores, 1);
            scores = scores.iter().flat_map(|&s| [1.0 - s, s]).collect();
        } else {
            transform(post, &mut scores, targets);
        }
        let shape = Shape::new(&[rows, labels.len()])?;
        Ok(vec![labels.pick(&best)?, Array::of(shape, scores)?])
    })
}

fn regressor(node: &Node<'_>) -> Result<Built, Refusal> {
    let targets = usize::try_from(node.int("targets")?.unwrap_or(1)).unwrap_or(0);
    let post = post(node)?;
    let layer = layer(node, targets)?;
    one(move |inputs| {
        let (rows, mut scores) = apply(&layer, inputs.get(0)?)?;
        transform(post, &mut scores, targets);
        Array::of(Shape::new(&[rows, targets])?, scores)
    })
}

/// `(x - offset) * scale`, per column or the same for all.
fn scaler(node: &Node<'_>) -> Result<Built, Refusal> {
    let offset = node.floats("offset")?.unwrap_or(&[0.0]).to_vec();
    let scale = node.floats("scale")?.unwrap_or(&[1.0]).to_vec();
    if offset.is_empty() || scale.is_empty() {
        return Err(node.broken("offset or scale is empty"));
    }
    one(move |inputs| {
        let a = inputs.get(0)?;
        let columns = a.shape().last().copied().unwrap_or(1);
        let fits = |v: &[f32]| v.len() == 1 || v.len() == columns;
        if !fits(&offset) || !fits(&scale) {
            return Err(Fault::shape(format!(
                "{columns} columns where {} are needed",
                offset.len().max(scale.len())
            )));
        }
        let converted;
        let values = match a.data() {
            TensorData::Fp32(values) => values,
            TensorData::Bytes(_) | TensorData::Bool(_) => return Err(no_types(&[a])),
            _ => {
                converted = a.to_f32()?;
                &converted
            }
        };
        let mut out = Vec::with_capacity(values.len());
        for row in values.chunks_exact(columns.max(1)) {
            if offset.len() == row.len() && scale.len() == row.len() {
                let factors = offset.iter().zip(&scale);
                out.extend(row.iter().zip(factors).map(|(x, (o, s))| (x - o) * s));
            } else {
                let factors = offset.iter().cycle().zip(scale.iter().cycle());
                out.extend(row.iter().zip(factors).map(|(x, (o, s))| (x - o) * s));
            }
        }
        Array::of(*a.shape(), out)
    })
}
