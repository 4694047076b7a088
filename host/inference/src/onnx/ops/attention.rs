//! Scaled dot-product attention as one operator, without a cache of past keys.

use super::{Build, broadcast::expand, matmul::matmul, no_types, shape::permute};
use crate::onnx::{
    array::{Array, Shape},
    fault::{Fault, Refusal},
    node::{Built, Inputs, Node, one},
};
use domain::tensor::TensorData;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    (op == "Attention").then_some(attention as Build)
}

/// The attributes.
struct Rule {
    causal: bool,
    /// 1/√(size of a head) if not given.
    scale: Option<f32>,
    /// Scores go through `cap * tanh(score / cap)`; 0 is off.
    cap: f32,
    /// Heads of queries and of keys, for inputs of rank 3; else 0.
    heads: (usize, usize),
}

fn attention(node: &Node<'_>) -> Result<Built, Refusal> {
    if (4..7).any(|at| node.has_input(at)) || (1..4).any(|at| node.has_output(at)) {
        return Err(node.refuse("past or present keys, or scores as an output"));
    }
    node.ignore("qk_matmul_output_mode");
    node.ignore("softmax_precision");
    let heads = |name: &str| match usize::try_from(node.int(name)?.unwrap_or(0)) {
        Ok(heads) if heads <= 4096 => Ok(heads),
        _ => Err(node.broken(name)),
    };
    let rule = Rule {
        causal: node.int("is_causal")?.unwrap_or(0) != 0,
        scale: node.float("scale")?,
        cap: node.float("softcap")?.unwrap_or(0.0),
        heads: (heads("q_num_heads")?, heads("kv_num_heads")?),
    };
    one(move |inputs| attend(inputs, &rule))
}

/// `[batch, heads, steps, size]`, from that or from `[batch, steps, heads * size]`.
fn split(a: &Array, heads: usize) -> Result<Array, Fault> {
    match **a.shape() {
        [_, _, _, _] => Ok(a.clone()),
        [batch, steps, width] if heads > 0 && width % heads == 0 => {
            let parts = Shape::new(&[batch, steps, heads, width / heads])?;
            permute(&a.reshaped(parts)?, &[0, 2, 1, 3])
        }
        _ => Err(misfit(a)),
    }
}

fn misfit(a: &Array) -> Fault {
    Fault::shape(format!("heads of shape {:?}", &**a.shape()))
}

fn attend(inputs: Inputs<'_>, rule: &Rule) -> Result<Array, Fault> {
    let joined = inputs.get(0)?.rank() == 3;
    let q = split(inputs.get(0)?, rule.heads.0)?;
    let (k, v) = (
        split(inputs.get(1)?, rule.heads.1)?,
        split(inputs.get(2)?, rule.heads.1)?,
    );
    let (&[batch, heads, steps, size], &[_, groups, keys, _], &[.., wide]) =
        (&**q.shape(), &**k.shape(), &**v.shape())
    else {
        return Err(misfit(&q));
    };
    if groups == 0
        || heads % groups != 0
        || **k.shape() != [batch, groups, keys, size]
        || **v.shape() != [batch, groups, keys, wide]
    {
        return Err(misfit(&k));
    }
    // Heads that share keys are more rows of one product.
    let rows = Shape::new(&[batch, groups, heads / groups * steps, size])?;
    let scores = matmul(&q.reshaped(rows)?, &permute(&k, &[0, 1, 3, 2])?)?;
    let shape = Shape::new(&[batch, heads, steps, keys])?;
    let weights = weigh(&scores.reshaped(shape)?, inputs.optional(3), rule, size)?;
    let made = matmul(&weights.reshaped(*scores.shape())?, &v)?;
    let made = made.reshaped(Shape::new(&[batch, heads, steps, wide])?)?;
    if joined {
        let whole = Shape::new(&[batch, steps, heads.saturating_mul(wide)])?;
        permute(&made, &[0, 2, 1, 3])?.reshaped(whole)
    } else {
        Ok(made)
    }
}

/// Scores to weights: scaled, masked, and a softmax over the keys. A row that
/// may see no key is zero.
fn weigh(scores: &Array, mask: Option<&Array>, rule: &Rule, size: usize) -> Result<Array, Fault> {
    let (steps, keys) = (scores.shape()[2].max(1), scores.shape()[3].max(1));
    let mut out = scores.values::<f32>()?.to_vec();
    let scale = rule.scale.unwrap_or((size.max(1) as f32).sqrt().recip());
    for x in &mut out {
        *x *= scale;
        if rule.cap != 0.0 {
            *x = rule.cap * (*x / rule.cap).tanh();
        }
    }
    if let Some(mask) = mask {
        let mask = expand(mask, scores.shape())?;
        match mask.data() {
            TensorData::Bool(seen) => hide(&mut out, |at| seen[at]),
            TensorData::Fp32(bias) => out.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias),
            _ => return Err(no_types(&[scores, &mask])),
        }
    }
    if rule.causal {
        hide(&mut out, |at| at % keys <= at / keys % steps);
    }
    for row in out.chunks_exact_mut(keys) {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exp = |x: f32| {
            if most == f32::NEG_INFINITY {
                0.0
            } else {
                (x - most).exp()
            }
        };
        row.iter_mut().for_each(|x| *x = exp(*x));
        let sum: f32 = row.iter().sum();
        let sum = if sum == 0.0 { 1.0 } else { sum };
        row.iter_mut().for_each(|x| *x /= sum);
    }
    Array::of(*scores.shape(), out)
}

fn hide(scores: &mut [f32], seen: impl Fn(usize) -> bool) {
    for (at, x) in scores.iter_mut().enumerate() {
        if !seen(at) {
            *x = f32::NEG_INFINITY;
        }
    }
}
