//! `ai.onnx.ml` preparation of numeric columns.

use super::{Build, no_types, shape::join};
use crate::onnx::{
    array::{Array, Shape},
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};
use domain::tensor::TensorData;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Normalizer" => normalizer,
        "Imputer" => imputer,
        "Binarizer" => binarizer,
        "FeatureVectorizer" => vectorizer,
        _ => return None,
    })
}

/// Each row divided by its largest absolute value, absolute sum, or length.
fn normalizer(node: &Node<'_>) -> Result<Built, Refusal> {
    let norm = node.string("norm")?.unwrap_or_else(|| "MAX".to_owned());
    if !["MAX", "L1", "L2"].contains(&norm.as_str()) {
        return Err(node.refuse(&format!("norm={norm}")));
    }
    one(move |inputs| {
        let a = inputs.get(0)?;
        let width = a.shape().last().copied().unwrap_or(1).max(1);
        let mut out = a.to_f32()?;
        for row in out.chunks_exact_mut(width) {
            let size = match norm.as_str() {
                // The specification's "MAX" is the largest value, as it is.
                "MAX" => row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                "L1" => row.iter().map(|x| x.abs()).sum(),
                _ => row.iter().map(|x| x * x).sum::<f32>().sqrt(),
            };
            if size != 0.0 {
                row.iter_mut().for_each(|x| *x /= size);
            }
        }
        Array::of(*a.shape(), out)
    })
}

/// A value, NaN included, replaced by another, per column or the same for all.
fn imputer(node: &Node<'_>) -> Result<Built, Refusal> {
    let floats = node
        .floats("imputed_value_floats")?
        .unwrap_or_default()
        .to_vec();
    let ints = node
        .ints("imputed_value_int64s")?
        .unwrap_or_default()
        .to_vec();
    let replaced = node.float("replaced_value_float")?.unwrap_or(0.0);
    let replaced_int = node.int("replaced_value_int64")?.unwrap_or(0);
    if floats.is_empty() && ints.is_empty() {
        return Err(node.broken("no imputed values"));
    }
    one(move |inputs| {
        let a = inputs.get(0)?;
        let width = a.shape().last().copied().unwrap_or(1).max(1);
        macro_rules! impute {
            ($v:expr, $with:expr, $hit:expr) => {{
                if $with.len() != 1 && $with.len() != width {
                    return Err(Fault::shape(format!(
                        "{width} columns where {} are needed",
                        $with.len()
                    )));
                }
                let all = $v
                    .iter()
                    .enumerate()
                    .map(|(at, &x)| match $with.as_slice() {
                        [one] if $hit(x) => (*one).into(),
                        many if $hit(x) => many[at % width].into(),
                        _ => x,
                    });
                Array::of(*a.shape(), all.collect())
            }};
        }
        match a.data() {
            TensorData::Fp32(v) if !floats.is_empty() => impute!(v, floats, |x: f32| {
                x == replaced || (x.is_nan() && replaced.is_nan())
            }),
            TensorData::Fp64(v) if !floats.is_empty() => impute!(v, floats, |x: f64| {
                x == f64::from(replaced) || (x.is_nan() && replaced.is_nan())
            }),
            TensorData::Int64(v) if !ints.is_empty() => {
                impute!(v, ints, |x: i64| x == replaced_int)
            }
            _ => Err(no_types(&[a])),
        }
    })
}

/// 1 above the threshold, else 0.
fn binarizer(node: &Node<'_>) -> Result<Built, Refusal> {
    let threshold = node.float("threshold")?.unwrap_or(0.0);
    one(move |inputs| {
        let a = inputs.get(0)?;
        match a.data() {
            TensorData::Fp32(v) => {
                let all = v.iter().map(|&x| if x > threshold { 1f32 } else { 0.0 });
                Array::of(*a.shape(), all.collect())
            }
            TensorData::Fp64(v) => {
                let above = |x: f64| x > f64::from(threshold);
                let all = v.iter().map(|&x| if above(x) { 1f64 } else { 0.0 });
                Array::of(*a.shape(), all.collect())
            }
            TensorData::Int64(v) => {
                let above = |x: i64| x as f64 > f64::from(threshold);
                Array::of(*a.shape(), v.iter().map(|&x| i64::from(above(x))).collect())
            }
            _ => Err(no_types(&[a])),
        }
    })
}

/// Columns of all inputs side by side, as FP32. An input gives exactly the
/// columns its declared size says: more are cut off, fewer filled with 0.
fn vectorizer(node: &Node<'_>) -> Result<Built, Refusal> {
    let sizes = node.ints("inputdimensions")?.unwrap_or_default();
    let sizes: Result<Vec<usize>, _> = sizes.iter().map(|&size| usize::try_from(size)).collect();
    let sizes = sizes.map_err(|_| node.broken("inputdimensions"))?;
    one(move |inputs| {
        let rows = inputs.get(0)?.shape().first().copied().unwrap_or(1);
        let mut parts = Vec::new();
        for (at, input) in inputs.all().enumerate() {
            let width = input.len().checked_div(rows).unwrap_or(0);
            if width.checked_mul(rows) != Some(input.len()) {
                return Err(Fault::shape("inputs with different numbers of rows"));
            }
            let wanted = sizes.get(at).copied().unwrap_or(width);
            let shape = Shape::new(&[rows, wanted])?;
            let values = input.to_f32()?;
            let mut out = Vec::with_capacity(shape.volume());
            for row in 0..rows {
                let given = &values[row * width..(row + 1) * width];
                out.extend(
                    given
                        .iter()
                        .copied()
                        .chain(std::iter::repeat(0.0))
                        .take(wanted),
                );
            }
            parts.push(Array::of(shape, out)?);
        }
        let all: Vec<&Array> = parts.iter().collect();
        join(&all, 1)
    })
}
