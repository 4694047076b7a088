//! Normalisations and softmax.

use super::{Build, no_types, shape::permute};
use crate::onnx::{
    array::{Array, Shape},
    fault::{Fault, Refusal},
    node::{Built, Node, many, one},
};
use domain::tensor::TensorData;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Softmax" | "LogSoftmax" | "Hardmax" => softmax,
        "BatchNormalization" => batch,
        "LayerNormalization" => layer,
        "RMSNormalization" => rms,
        "InstanceNormalization" => instance,
        "GroupNormalization" => group,
        "LpNormalization" => lp,
        "LRN" => local_response,
        _ => return None,
    })
}

/// One row of a softmax-like operator.
macro_rules! soft_row {
    ($op:expr, $row:expr, $float:ty) => {{
        let row: &mut [$float] = $row;
        let most = row
            .iter()
            .copied()
            .fold(<$float>::NEG_INFINITY, <$float>::max);
        match $op {
            "Hardmax" => {
                let first = row.iter().position(|&x| x == most);
                for (at, x) in row.iter_mut().enumerate() {
                    *x = if Some(at) == first { 1.0 } else { 0.0 };
                }
            }
            "LogSoftmax" => {
                let sum: $float = row.iter().map(|&x| (x - most).exp()).sum();
                let log = sum.ln() + most;
                for x in row {
                    *x -= log;
                }
            }
            _ => {
                let mut sum = 0.0;
                for x in row.iter_mut() {
                    *x = (*x - most).exp();
                    sum += *x;
                }
                for x in row {
                    *x /= sum;
                }
            }
        }
    }};
}

/// Along one axis; up to version 12 over all axes from it on.
fn softmax(node: &Node<'_>) -> Result<Built, Refusal> {
    let op = node.op().to_owned();
    let flattens = node.version < 13;
    let axis = node.int("axis")?.unwrap_or(if flattens { 1 } else { -1 });
    one(move |inputs| {
        let a = inputs.get(0)?;
        let at = if axis == 0 && a.rank() == 0 {
            0
        } else {
            a.shape().axis(axis)?
        };
        let group: usize = if flattens {
            a.shape()[at..].iter().product()
        } else {
            a.shape().get(at).copied().unwrap_or(1)
        };
        let last = a.rank().saturating_sub(1);
        let order: Vec<usize> = (0..a.rank()).filter(|&x| x != at).chain([at]).collect();
        let moves = !flattens && at != last;
        let rows = if moves {
            permute(a, &order)?
        } else {
            a.clone()
        };
        let shape = *rows.shape();
        let done = match rows.data() {
            TensorData::Fp32(v) => {
                let mut out = v.clone();
                for row in out.chunks_exact_mut(group.max(1)) {
                    soft_row!(&*op, row, f32);
                }
                Array::of(shape, out)?
            }
            TensorData::Fp64(v) => {
                let mut out = v.clone();
                for row in out.chunks_exact_mut(group.max(1)) {
                    soft_row!(&*op, row, f64);
                }
                Array::of(shape, out)?
            }
            _ => return Err(no_types(&[a])),
        };
        if !moves {
            return Ok(done);
        }
        let mut back = vec![0; order.len()];
        for (place, &axis) in order.iter().enumerate() {
            back[axis] = place;
        }
        permute(&done, &back)
    })
}

/// `x * scale[c] + shift[c]` for axis 1.
fn by_channel(a: &Array, factors: &[(f64, f64)]) -> Result<Array, Fault> {
    if a.rank() < 2 || a.shape()[1] != factors.len() {
        return Err(Fault::shape(format!(
            "shape {:?} for {} channels",
            &**a.shape(),
            factors.len()
        )));
    }
    let (_, channels, inner) = a.shape().around(1);
    let of = |at: usize| factors[at % channels];
    macro_rules! scaled {
        ($v:expr, $float:ty) => {{
            let mut out = Vec::with_capacity($v.len());
            for (at, run) in $v.chunks_exact(inner.max(1)).enumerate() {
                let (scale, shift) = of(at);
                let (scale, shift) = (scale as $float, shift as $float);
                out.extend(run.iter().map(|x| x * scale + shift));
            }
            Array::of(*a.shape(), out)
        }};
    }
    match a.data() {
        TensorData::Fp32(v) => scaled!(v, f32),
        TensorData::Fp64(v) => scaled!(v, f64),
        _ => Err(no_types(&[a])),
    }
}

fn numbers(a: &Array) -> Result<Vec<f64>, Fault> {
    a.data().to_f64().ok_or_else(|| no_types(&[a]))
}

/// With the statistics of training: one factor and one shift per channel.
fn batch(node: &Node<'_>) -> Result<Built, Refusal> {
    let epsilon = f64::from(node.float("epsilon")?.unwrap_or(1e-5));
    node.ignore("momentum");
    if node.int("training_mode")?.unwrap_or(0) != 0 {
        return Err(node.refuse("training_mode on"));
    }
    if node.int("spatial")?.unwrap_or(1) != 1 {
        return Err(node.refuse("spatial=0"));
    }
    if (1..5).any(|at| node.has_output(at)) {
        return Err(node.refuse("its training outputs"));
    }
    let factors = move |part: [&Array; 4]| -> Result<Vec<(f64, f64)>, Fault> {
        let [scale, bias, mean, var] = [
            numbers(part[0])?,
            numbers(part[1])?,
            numbers(part[2])?,
            numbers(part[3])?,
        ];
        if [bias.len(), mean.len(), var.len()] != [scale.len(); 3] {
            return Err(Fault::shape("statistics of different lengths"));
        }
        let all = (0..scale.len()).map(|c| {
            let factor = scale[c] / (var[c] + epsilon).sqrt();
            (factor, bias[c] - mean[c] * factor)
        });
        Ok(all.collect())
    };
    if let (Some(scale), Some(bias), Some(mean), Some(var)) = (
        node.constant(1),
        node.constant(2),
        node.constant(3),
        node.constant(4),
    ) {
        let fixed = factors([scale, bias, mean, var])?;
        return one(move |inputs| by_channel(inputs.get(0)?, &fixed));
    }
    one(move |inputs| {
        let parts = [
            inputs.get(1)?,
            inputs.get(2)?,
            inputs.get(3)?,
            inputs.get(4)?,
        ];
        by_channel(inputs.get(0)?, &factors(parts)?)
    })
}

/// Rows brought to mean 0 (if `centre`) and mean square 1.
fn standardise(values: &mut [f32], width: usize, epsilon: f32, centre: bool) {
    for row in values.chunks_exact_mut(width.max(1)) {
        let n = row.len() as f64;
        let mean = if centre {
            row.iter().map(|&x| f64::from(x)).sum::<f64>() / n
        } else {
            0.0
        };
        let square = |x: f32| (f64::from(x) - mean).powi(2);
        let variance = row.iter().map(|&x| square(x)).sum::<f64>() / n;
        let scale = ((variance + f64::from(epsilon)).sqrt().recip()) as f32;
        let mean = mean as f32;
        for x in row {
            *x = (*x - mean) * scale;
        }
    }
}

fn over_last_axes(
    a: &Array,
    axis: i64,
    epsilon: f32,
    centre: bool,
    weight: &Array,
    bias: Option<&Array>,
) -> Result<Array, Fault> {
    let at = a.shape().axis(axis)?;
    let tail = &a.shape()[at..];
    let width: usize = tail.iter().product();
    let full = Shape::new(tail)?;
    let weight = super::broadcast::expand(weight, &full)?;
    let bias = bias
        .map(|bias| super::broadcast::expand(bias, &full))
        .transpose()?;
    let mut out = a.values::<f32>()?.to_vec();
    standardise(&mut out, width, epsilon, centre);
    let weight = weight.values::<f32>()?;
    let bias = bias.as_ref().map(Array::values::<f32>).transpose()?;
    for row in out.chunks_exact_mut(width.max(1)) {
        for (x, weight) in row.iter_mut().zip(weight) {
            *x *= weight;
        }
        for (x, bias) in row.iter_mut().zip(bias.unwrap_or_default()) {
            *x += bias;
        }
    }
    Array::of(*a.shape(), out)
}

fn layer(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(-1);
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    node.ignore("stash_type");
    if node.has_output(1) || node.has_output(2) {
        return Err(node.refuse("its mean or deviation output"));
    }
    one(move |inputs| {
        let (a, weight) = (inputs.get(0)?, inputs.get(1)?);
        over_last_axes(a, axis, epsilon, true, weight, inputs.optional(2))
    })
}

fn rms(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(-1);
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    node.ignore("stash_type");
    one(move |inputs| over_last_axes(inputs.get(0)?, axis, epsilon, false, inputs.get(1)?, None))
}

/// Groups of channels standardised, then scaled: by channel, or by group in
/// version 18 of GroupNormalization.
fn grouped(a: &Array, groups: usize, epsilon: f32, parts: [&Array; 2]) -> Result<Array, Fault> {
    if a.rank() < 2 || groups == 0 || !a.shape()[1].is_multiple_of(groups) {
        return Err(Fault::shape(format!(
            "shape {:?} for {groups} groups of channels",
            &**a.shape()
        )));
    }
    let (_, channels, inner) = a.shape().around(1);
    let mut out = a.values::<f32>()?.to_vec();
    standardise(&mut out, channels / groups * inner, epsilon, true);
    let (scale, bias) = (numbers(parts[0])?, numbers(parts[1])?);
    if scale.is_empty() || scale.len() != bias.len() || channels % scale.len() != 0 {
        return Err(Fault::shape("scale and bias do not fit the channels"));
    }
    let each = channels / scale.len();
    let factors: Vec<_> = (0..channels)
        .map(|c| (scale[c / each], bias[c / each]))
        .collect();
    by_channel(&Array::of(*a.shape(), out)?, &factors)
}

fn instance(node: &Node<'_>) -> Result<Built, Refusal> {
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    one(move |inputs| {
        let a = inputs.get(0)?;
        let channels = a.shape().get(1).copied().unwrap_or(0);
        grouped(a, channels, epsilon, [inputs.get(1)?, inputs.get(2)?])
    })
}

fn group(node: &Node<'_>) -> Result<Built, Refusal> {
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    node.ignore("stash_type");
    let groups = usize::try_from(node.int("num_groups")?.unwrap_or(0)).unwrap_or(0);
    one(move |inputs| {
        grouped(
            inputs.get(0)?,
            groups,
            epsilon,
            [inputs.get(1)?, inputs.get(2)?],
        )
    })
}

fn lp(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(-1);
    let p = node.int("p")?.unwrap_or(2);
    if p != 1 && p != 2 {
        return Err(node.refuse(&format!("p={p}")));
    }
    many(move |inputs| {
        let a = inputs.get(0)?;
        let (outer, size, inner) = a.shape().around(a.shape().axis(axis)?);
        let mut out = a.values::<f32>()?.to_vec();
        for block in 0..outer {
            for lane in 0..inner {
                let places = (0..size).map(|step| (block * size + step) * inner + lane);
                let norm = places.clone().fold(0f32, |sum, at| {
                    sum + if p == 1 {
                        out[at].abs()
                    } else {
                        out[at] * out[at]
                    }
                });
                let norm = if p == 1 { norm } else { norm.sqrt() };
                for at in places {
                    out[at] = if norm == 0.0 { 0.0 } else { out[at] / norm };
                }
            }
        }
        Ok(vec![Array::of(*a.shape(), out)?])
    })
}

/// Local response normalisation across channels.
fn local_response(node: &Node<'_>) -> Result<Built, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(1e-4);
    let beta = node.float("beta")?.unwrap_or(0.75);
    let bias = node.float("bias")?.unwrap_or(1.0);
    let size = match node
        .int("size")?
        .and_then(|size| usize::try_from(size).ok())
    {
        Some(size) if size > 0 => size,
        _ => return Err(node.broken("size")),
    };
    one(move |inputs| {
        let a = inputs.get(0)?;
        if a.rank() < 2 {
            return Err(Fault::shape("channels are needed"));
        }
        let (outer, channels, inner) = a.shape().around(1);
        let v = a.values::<f32>()?;
        let mut out = v.to_vec();
        for block in 0..outer {
            for c in 0..channels {
                let from = c.saturating_sub((size - 1) / 2);
                let to = c.saturating_add(size / 2).min(channels - 1);
                for lane in 0..inner {
                    let at = |c: usize| (block * channels + c) * inner + lane;
                    let sum: f32 = (from..=to).map(|c| v[at(c)] * v[at(c)]).sum();
                    out[at(c)] /= (bias + alpha / size as f32 * sum).powf(beta);
                }
            }
        }
        Array::of(*a.shape(), out)
    })
}
