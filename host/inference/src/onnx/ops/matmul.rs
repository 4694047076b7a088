//! Products of matrices that are not known when the model is loaded, on candle.
//! Products with constant weights become `linear` layers.

use super::{Build, broadcast::expand, no_types, shape::permute};
use crate::onnx::{
    array::{Array, MAX_ELEMENTS, Shape, broadcast_shape},
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};
use candle_core::{Device, Tensor, WithDType};
use domain::tensor::TensorData;

/// Most multiply-adds of one product, about a second's work.
const MAX_WORK: usize = 1 << 36;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "MatMul" => |_| one(|inputs| matmul(inputs.get(0)?, inputs.get(1)?)),
        "Gemm" => gemm,
        _ => return None,
    })
}

/// `batch` products of `[m, k]` by `[k, n]`, by candle.
pub(crate) fn products<T: WithDType>(
    a: &[T],
    b: &[T],
    (batch, m, k, n): (usize, usize, usize, usize),
) -> Result<Vec<T>, Fault> {
    let size = product_size((batch, m, k, n))?;
    if size == 0 || k == 0 {
        return Ok(vec![T::zero(); size]);
    }
    let a = Tensor::from_slice(a, (batch, m, k), &Device::Cpu)?;
    let b = Tensor::from_slice(b, (batch, k, n), &Device::Cpu)?;
    Ok(a.matmul(&b)?.flatten_all()?.to_vec1()?)
}

/// Elements of a product that is small enough.
fn product_size((batch, m, k, n): (usize, usize, usize, usize)) -> Result<usize, Fault> {
    let size = batch.saturating_mul(m).saturating_mul(n);
    if size > MAX_ELEMENTS {
        return Err(Fault::Limit(format!("a product of {size} elements")));
    }
    if size.saturating_mul(k) > MAX_WORK {
        return Err(Fault::Limit("a product of too many operations".to_owned()));
    }
    Ok(size)
}

/// Integer products are rare and small: plain loops.
fn integer_products(
    a: &[i64],
    b: &[i64],
    (batch, m, k, n): (usize, usize, usize, usize),
) -> Vec<i64> {
    let mut out = vec![0i64; batch * m * n];
    for (at, row) in out.chunks_exact_mut(n.max(1)).enumerate() {
        let (of, line) = (at / m.max(1), at % m.max(1));
        for step in 0..k {
            let x = a[(of * m + line) * k + step];
            let ys = &b[(of * k + step) * n..(of * k + step + 1) * n];
            for (sum, y) in row.iter_mut().zip(ys) {
                *sum = sum.wrapping_add(x.wrapping_mul(*y));
            }
        }
    }
    out
}

/// NumPy's `matmul`: vectors become matrices, leading axes broadcast.
pub(crate) fn matmul(a: &Array, b: &Array) -> Result<Array, Fault> {
    let misfit = || {
        Fault::shape(format!(
            "shapes {:?} and {:?} do not multiply",
            &**a.shape(),
            &**b.shape()
        ))
    };
    if a.rank() == 0 || b.rank() == 0 {
        return Err(misfit());
    }
    let left = match **a.shape() {
        [k] => a.reshaped(Shape::new(&[1, k])?)?,
        _ => a.clone(),
    };
    let right = match **b.shape() {
        [k] => b.reshaped(Shape::new(&[k, 1])?)?,
        _ => b.clone(),
    };
    let (Some((lead_a, &[m, k])), Some((lead_b, &[l, n]))) = (
        left.shape().split_last_chunk::<2>(),
        right.shape().split_last_chunk::<2>(),
    ) else {
        return Err(misfit());
    };
    if k != l {
        return Err(misfit());
    }
    let lead = broadcast_shape(lead_a, lead_b)?;
    let full = |rows, columns| {
        let mut dims = lead.to_vec();
        dims.extend([rows, columns]);
        Shape::new(&dims)
    };
    let left = expand(&left, &full(m, k)?)?;
    let right = expand(&right, &full(k, n)?)?;
    let size = (lead.volume(), m, k, n);
    let mut dims = lead.to_vec();
    if a.rank() > 1 {
        dims.push(m);
    }
    if b.rank() > 1 {
        dims.push(n);
    }
    let shape = Shape::new(&dims)?;
    product_size(size)?;
    match (left.data(), right.data()) {
        (TensorData::Fp32(x), TensorData::Fp32(y)) => Array::of(shape, products(x, y, size)?),
        (TensorData::Fp64(x), TensorData::Fp64(y)) => Array::of(shape, products(x, y, size)?),
        (TensorData::Int64(x), TensorData::Int64(y)) => {
            Array::of(shape, integer_products(x, y, size))
        }
        (TensorData::Int32(_), TensorData::Int32(_)) => {
            let (x, y) = (left.to_i64()?, right.to_i64()?);
            let sums = integer_products(&x, &y, size);
            Array::of(shape, sums.into_iter().map(|sum| sum as i32).collect())
        }
        _ => Err(no_types(&[a, b])),
    }
}

/// `alpha A' B' + beta C`
fn gemm(node: &Node<'_>) -> Result<Built, Refusal> {
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    let beta = node.float("beta")?.unwrap_or(1.0);
    let trans_a = node.int("transA")?.unwrap_or(0) != 0;
    let trans_b = node.int("transB")?.unwrap_or(0) != 0;
    one(move |inputs| {
        let turned = |a: &Array, turn: bool| match (a.rank(), turn) {
            (2, true) => permute(a, &[1, 0]),
            (2, false) => Ok(a.clone()),
            _ => Err(Fault::shape("matrices of rank 2 are needed")),
        };
        let a = turned(inputs.get(0)?, trans_a)?;
        let b = turned(inputs.get(1)?, trans_b)?;
        let product = matmul(&a, &b)?;
        let shape = *product.shape();
        let c = match inputs.optional(2) {
            Some(c) => Some(expand(c, &shape)?),
            None => None,
        };
        macro_rules! add {
            ($sums:expr, $float:ty) => {{
                let c = c.as_ref().map(Array::values::<$float>).transpose()?;
                let (alpha, beta) = (<$float>::from(alpha), <$float>::from(beta));
                let all = match c {
                    Some(c) => {
                        let pairs = $sums.iter().zip(c);
                        pairs.map(|(sum, c)| alpha * sum + beta * c).collect()
                    }
                    None => $sums.iter().map(|sum| alpha * sum).collect(),
                };
                Array::of(shape, all)
            }};
        }
        match product.data() {
            TensorData::Fp32(sums) => add!(sums, f32),
            TensorData::Fp64(sums) => add!(sums, f64),
            _ => Err(no_types(&[&a, &b])),
        }
    })
}
