//! Operators that pick elements by index, and put them there.

use super::Build;
use crate::onnx::{
    array::{Array, Element, Shape, same_data},
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};
use domain::tensor::TensorData;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Gather" => gather,
        "GatherElements" => gather_elements,
        "GatherND" => gather_nd,
        "ScatterElements" | "Scatter" => scatter_elements,
        "ScatterND" => scatter_nd,
        "OneHot" => one_hot,
        "Compress" => compress,
        "NonZero" => non_zero,
        _ => return None,
    })
}

/// An index into `size` places, counted from the back if negative.
pub(crate) fn index(at: i64, size: usize) -> Result<usize, Fault> {
    let place = if at < 0 {
        at.saturating_add(size as i64)
    } else {
        at
    };
    match usize::try_from(place) {
        Ok(place) if place < size => Ok(place),
        _ => Err(Fault::value(format!("index {at} is outside {size} places"))),
    }
}

/// Blocks of elements picked along one axis.
pub(crate) fn take(
    a: &Array,
    axis: usize,
    indices: &[i64],
    picked: &[usize],
) -> Result<Array, Fault> {
    let (outer, size, inner) = a.shape().around(axis);
    let mut dims = a.shape()[..axis].to_vec();
    dims.extend(picked);
    dims.extend(&a.shape()[axis + 1..]);
    let shape = Shape::new(&dims)?;
    let places: Result<Vec<usize>, _> = indices.iter().map(|&at| index(at, size)).collect();
    let places = places?;
    let data = same_data!(a.data(), v => {
        let mut out = Vec::with_capacity(shape.volume());
        for block in 0..outer {
            for &at in &places {
                let from = (block * size + at) * inner;
                out.extend_from_slice(&v[from..from + inner]);
            }
        }
        out
    });
    Array::new(shape, data)
}

fn gather(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(0);
    one(move |inputs| {
        let (a, indices) = (inputs.get(0)?, inputs.get(1)?);
        take(
            a,
            a.shape().axis(axis)?,
            &indices.to_i64()?,
            indices.shape(),
        )
    })
}

/// Offsets into `of` of the elements that `indices` (same rank) name along `axis`.
fn element_places(of: &Shape, indices: &Array, axis: usize) -> Result<Vec<usize>, Fault> {
    let shape = indices.shape();
    let fits = shape.len() == of.len()
        && shape
            .iter()
            .zip(of.iter())
            .enumerate()
            .all(|(at, (i, o))| at == axis || i <= o);
    if !fits {
        return Err(Fault::shape(format!(
            "indices of shape {:?} into shape {:?}",
            &**shape, &**of
        )));
    }
    let strides = of.strides();
    let mut places = Vec::with_capacity(shape.volume());
    let mut place = [0usize; crate::onnx::array::MAX_RANK];
    for at in indices.to_i64()? {
        let mut offset = index(at, of[axis])? * strides[axis];
        for (dim, stride) in (0..shape.len()).zip(strides) {
            if dim != axis {
                offset += place[dim] * stride;
            }
        }
        places.push(offset);
        for dim in (0..shape.len()).rev() {
            place[dim] += 1;
            if place[dim] < shape[dim] {
                break;
            }
            place[dim] = 0;
        }
    }
    Ok(places)
}

fn picked<T: Clone>(values: &[T], places: &[usize]) -> Vec<T> {
    places.iter().map(|&at| values[at].clone()).collect()
}

fn gather_elements(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(0);
    one(move |inputs| {
        let (a, indices) = (inputs.get(0)?, inputs.get(1)?);
        let places = element_places(a.shape(), indices, a.shape().axis(axis)?)?;
        let data = same_data!(a.data(), v => picked(v, &places));
        Array::new(*indices.shape(), data)
    })
}

/// Starts of the blocks that index tuples name, the size of a block, and the
/// shape of all blocks.
fn tuple_places(
    of: &Shape,
    indices: &Array,
    batch: usize,
) -> Result<(Vec<usize>, usize, Shape), Fault> {
    let shape = indices.shape();
    let Some((&width, lead)) = shape.split_last() else {
        return Err(Fault::shape("indices must have an axis"));
    };
    if batch + width > of.len() || batch > lead.len() || lead[..batch] != of[..batch] {
        return Err(Fault::shape(format!(
            "indices of shape {:?} into shape {:?}",
            &**shape, &**of
        )));
    }
    let strides = of.strides();
    let values = indices.to_i64()?;
    let per_batch: usize = lead[batch..].iter().product();
    let batch_size: usize = of[batch..].iter().product();
    let count: usize = lead.iter().product();
    let mut places = Vec::with_capacity(count);
    for at in 0..count {
        let mut offset = at.checked_div(per_batch).unwrap_or(0) * batch_size;
        for (dim, &i) in values[at * width..(at + 1) * width].iter().enumerate() {
            offset += index(i, of[batch + dim])? * strides[batch + dim];
        }
        places.push(offset);
    }
    let block: usize = of[batch + width..].iter().product();
    let mut dims = lead.to_vec();
    dims.extend(&of[batch + width..]);
    Ok((places, block, Shape::new(&dims)?))
}

fn gather_nd(node: &Node<'_>) -> Result<Built, Refusal> {
    let batch = usize::try_from(node.int("batch_dims")?.unwrap_or(0)).unwrap_or(usize::MAX / 2);
    one(move |inputs| {
        let a = inputs.get(0)?;
        let (places, block, shape) = tuple_places(a.shape(), inputs.get(1)?, batch)?;
        let data = same_data!(a.data(), v => {
            let mut out = Vec::with_capacity(shape.volume());
            for at in places {
                out.extend_from_slice(&v[at..at + block]);
            }
            out
        });
        Array::new(shape, data)
    })
}

/// What happens to the element that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meeting {
    Replace,
    Add,
    Mul,
    Max,
    Min,
}

fn meeting(node: &Node<'_>) -> Result<Meeting, Refusal> {
    Ok(match node.string("reduction")?.as_deref() {
        None | Some("none") => Meeting::Replace,
        Some("add") => Meeting::Add,
        Some("mul") => Meeting::Mul,
        Some("max") => Meeting::Max,
        Some("min") => Meeting::Min,
        Some(other) => return Err(node.refuse(&format!("reduction={other}"))),
    })
}

/// Puts `updates` (blocks of `block`) at `places` of a copy of `a`.
fn put(
    a: &Array,
    updates: &Array,
    places: &[usize],
    block: usize,
    how: Meeting,
) -> Result<Array, Fault> {
    macro_rules! blocks {
        ($v:expr, $u:expr, |$old:ident, $new:ident| $body:expr) => {{
            let mut out = $v.clone();
            for (&at, update) in places.iter().zip($u.chunks_exact(block.max(1))) {
                for ($old, $new) in out[at..at + block].iter_mut().zip(update) {
                    $body
                }
            }
            out
        }};
    }
    macro_rules! combine {
        ($v:expr, $add:expr, $mul:expr) => {{
            let u = updates.values()?;
            match how {
                Meeting::Add => blocks!($v, u, |old, new| *old = $add(*old, *new)),
                Meeting::Mul => blocks!($v, u, |old, new| *old = $mul(*old, *new)),
                Meeting::Max => blocks!($v, u, |old, new| if *new > *old {
                    *old = *new
                }),
                _ => blocks!($v, u, |old, new| if *new < *old {
                    *old = *new
                }),
            }
        }};
    }
    fn replaced<T: Element>(
        v: &[T],
        updates: &Array,
        places: &[usize],
        block: usize,
    ) -> Result<Vec<T>, Fault> {
        let mut out = v.to_vec();
        let updates = updates.values::<T>()?;
        for (&at, update) in places.iter().zip(updates.chunks_exact(block.max(1))) {
            out[at..at + block].clone_from_slice(update);
        }
        Ok(out)
    }
    if updates.len() != places.len() * block {
        return Err(Fault::shape("updates do not fit the indices"));
    }
    if block == 0 {
        return Ok(a.clone());
    }
    let data = match (how, a.data()) {
        (Meeting::Replace, data) => same_data!(data, v => replaced(v, updates, places, block)?),
        (_, TensorData::Fp32(v)) => {
            f32::wrap(combine!(v, |x: f32, y: f32| x + y, |x: f32, y: f32| x * y))
        }
        (_, TensorData::Fp64(v)) => {
            f64::wrap(combine!(v, |x: f64, y: f64| x + y, |x: f64, y: f64| x * y))
        }
        (_, TensorData::Int64(v)) => i64::wrap(combine!(v, i64::wrapping_add, i64::wrapping_mul)),
        (_, TensorData::Int32(v)) => i32::wrap(combine!(v, i32::wrapping_add, i32::wrapping_mul)),
        _ => return Err(super::no_types(&[a, updates])),
    };
    Array::new(*a.shape(), data)
}

fn scatter_elements(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(0);
    let how = meeting(node)?;
    one(move |inputs| {
        let (a, indices, updates) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        let places = element_places(a.shape(), indices, a.shape().axis(axis)?)?;
        put(a, updates, &places, 1, how)
    })
}

fn scatter_nd(node: &Node<'_>) -> Result<Built, Refusal> {
    let how = meeting(node)?;
    one(move |inputs| {
        let (a, indices, updates) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        let (places, block, _) = tuple_places(a.shape(), indices, 0)?;
        put(a, updates, &places, block, how)
    })
}

/// `values[0]` everywhere but `values[1]` at some places.
fn marked<T: Clone>(values: &[T], size: usize, places: &[usize]) -> Vec<T> {
    let mut out = vec![values[0].clone(); size];
    for &at in places {
        out[at] = values[1].clone();
    }
    out
}

/// Indices outside the depth give a row of off-values.
fn one_hot(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(-1);
    one(move |inputs| {
        let (indices, depth, values) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        let depth = super::cast::convert(depth, domain::tensor::DataType::Int64)?;
        let depth = depth.values::<i64>()?.first().copied().unwrap_or(0);
        let depth = usize::try_from(depth).map_err(|_| Fault::value("a negative depth"))?;
        if values.len() != 2 {
            return Err(Fault::shape("two values are needed"));
        }
        let at = crate::onnx::array::resolve_axis(axis, indices.rank() + 1)?;
        let mut dims = indices.shape().to_vec();
        dims.insert(at, depth);
        let shape = Shape::new(&dims)?;
        let (_, _, inner) = shape.around(at);
        let converted = super::cast::convert(indices, domain::tensor::DataType::Int64)?;
        let places = converted.values::<i64>()?.iter().enumerate();
        let places = places.filter_map(|(place, &i)| {
            let (block, lane) = (place / inner.max(1), place % inner.max(1));
            index(i, depth)
                .ok()
                .map(|i| (block * depth + i) * inner + lane)
        });
        let places: Vec<usize> = places.collect();
        let data = same_data!(values.data(), v => marked(v, shape.volume(), &places));
        Array::new(shape, data)
    })
}

fn compress(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?;
    one(move |inputs| {
        let (a, condition) = (inputs.get(0)?, inputs.get(1)?);
        let condition = condition.values::<bool>()?.iter().enumerate();
        let kept: Vec<i64> = condition
            .filter(|(_, c)| **c)
            .map(|(at, _)| at as i64)
            .collect();
        match axis {
            Some(axis) => take(a, a.shape().axis(axis)?, &kept, &[kept.len()]),
            None => take(
                &a.reshaped(Shape::new(&[a.len()])?)?,
                0,
                &kept,
                &[kept.len()],
            ),
        }
    })
}

fn non_zero(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let a = inputs.get(0)?;
        let values = a.data().to_f64().ok_or_else(|| super::no_types(&[a]))?;
        let set: Vec<usize> = (0..values.len()).filter(|&at| values[at] != 0.0).collect();
        let strides = a.shape().strides();
        let mut out = Vec::new();
        for (axis, &dim) in a.shape().iter().enumerate() {
            out.extend(
                set.iter()
                    .map(|at| (at / strides[axis] % dim.max(1)) as i64),
            );
        }
        Array::of(Shape::new(&[a.rank(), set.len()])?, out)
    })
}
