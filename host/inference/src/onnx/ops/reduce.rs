//! Reductions along axes, and places of extremes.

use super::{Build, no_types, shape::permute};
use crate::onnx::{
    array::{Array, MAX_RANK, Shape},
    fault::{Fault, Refusal},
    node::{Built, IntList, Node, many, one},
};
use domain::tensor::TensorData;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1"
        | "ReduceL2" | "ReduceSumSquare" | "ReduceLogSum" | "ReduceLogSumExp" => reduce,
        "ArgMax" | "ArgMin" => arg,
        "TopK" => top_k,
        "CumSum" => cumulate,
        _ => return None,
    })
}

/// The value with reduced axes last, the number of kept and reduced elements,
/// and the shape of the result.
fn arrange(a: &Array, axes: &[usize], keep: bool) -> Result<(Array, usize, Shape), Fault> {
    let is_reduced = |axis: &usize| axes.contains(axis);
    let kept: Vec<usize> = (0..a.rank()).filter(|axis| !is_reduced(axis)).collect();
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    let moved = permute(a, &order)?;
    let group: usize = axes.iter().map(|&axis| a.shape()[axis]).product();
    let dims: Vec<usize> = if keep {
        let size = |axis| {
            if is_reduced(&axis) {
                1
            } else {
                a.shape()[axis]
            }
        };
        (0..a.rank()).map(size).collect()
    } else {
        kept.iter().map(|&axis| a.shape()[axis]).collect()
    };
    Ok((moved, group, Shape::new(&dims)?))
}

fn groups<T, O>(values: &[T], group: usize, shape: &Shape, f: impl Fn(&[T]) -> O) -> Vec<O> {
    if group == 0 {
        return (0..shape.volume()).map(|_| f(&[])).collect();
    }
    values.chunks_exact(group).map(f).collect()
}

/// Sums of long runs in eight lanes, which is faster and more exact than one.
macro_rules! lanes {
    ($name:ident, $float:ty) => {
        fn $name(values: &[$float], f: impl Fn($float) -> $float) -> $float {
            let (chunks, rest) = values.as_chunks::<8>();
            let mut sums = [0.0; 8];
            for chunk in chunks {
                for (sum, &x) in sums.iter_mut().zip(chunk) {
                    *sum += f(x);
                }
            }
            let tail: $float = rest.iter().map(|&x| f(x)).sum();
            sums.iter().sum::<$float>() + tail
        }
    };
}
lanes!(sum32, f32);
lanes!(sum64, f64);

macro_rules! float_reduce {
    ($op:expr, $g:ident, $float:ident, $sum:ident) => {
        match $op {
            "ReduceSum" => $sum($g, |x| x),
            "ReduceMean" => $sum($g, |x| x) / $g.len() as $float,
            "ReduceMax" => $g.iter().fold($float::NEG_INFINITY, |m, &x| {
                if x > m || x.is_nan() { x } else { m }
            }),
            "ReduceMin" => {
                $g.iter().fold(
                    $float::INFINITY,
                    |m, &x| {
                        if x < m || x.is_nan() { x } else { m }
                    },
                )
            }
            "ReduceProd" => $g.iter().product(),
            "ReduceL1" => $sum($g, |x| x.abs()),
            "ReduceL2" => $sum($g, |x| x * x).sqrt(),
            "ReduceSumSquare" => $sum($g, |x| x * x),
            "ReduceLogSum" => $sum($g, |x| x).ln(),
            _ => {
                let most = $g.iter().copied().fold($float::NEG_INFINITY, $float::max);
                if most.is_infinite() {
                    most
                } else {
                    most + $sum($g, |x| (x - most).exp()).ln()
                }
            }
        }
    };
}

macro_rules! int_reduce {
    ($op:expr, $g:ident, $int:ident) => {
        match $op {
            "ReduceSum" => Some($g.iter().fold(0, |s: $int, &x| s.wrapping_add(x))),
            "ReduceMean" => {
                let sum = $g.iter().fold(0i128, |s, &x| s + i128::from(x));
                sum.checked_div($g.len() as i128).map(|mean| mean as $int)
            }
            "ReduceMax" => $g.iter().copied().max(),
            "ReduceMin" => $g.iter().copied().min(),
            "ReduceProd" => Some($g.iter().fold(1, |s: $int, &x| s.wrapping_mul(x))),
            "ReduceL1" => Some(
                $g.iter()
                    .fold(0, |s: $int, &x| s.wrapping_add(x.wrapping_abs())),
            ),
            "ReduceSumSquare" => Some(
                $g.iter()
                    .fold(0, |s: $int, &x| s.wrapping_add(x.wrapping_mul(x))),
            ),
            _ => None,
        }
    };
}

/// One reduction over resolved axes.
pub(crate) fn reduce_with(op: &str, a: &Array, axes: &[usize], keep: bool) -> Result<Array, Fault> {
    let (moved, group, shape) = arrange(a, axes, keep)?;
    match moved.data() {
        TensorData::Fp32(v) => Array::of(
            shape,
            groups(v, group, &shape, |g| float_reduce!(op, g, f32, sum32)),
        ),
        TensorData::Fp64(v) => Array::of(
            shape,
            groups(v, group, &shape, |g| float_reduce!(op, g, f64, sum64)),
        ),
        TensorData::Int64(v) => {
            let all = groups(v, group, &shape, |g| int_reduce!(op, g, i64));
            let all: Option<Vec<i64>> = all.into_iter().collect();
            Array::of(shape, all.ok_or_else(|| no_types(&[a]))?)
        }
        TensorData::Int32(v) => {
            let all = groups(v, group, &shape, |g| int_reduce!(op, g, i32));
            let all: Option<Vec<i32>> = all.into_iter().collect();
            Array::of(shape, all.ok_or_else(|| no_types(&[a]))?)
        }
        _ => Err(no_types(&[a])),
    }
}

/// Axes are an attribute up to version 12 or 17 and an input since.
fn reduce(node: &Node<'_>) -> Result<Built, Refusal> {
    let op = node.op().to_owned();
    let keep = node.int("keepdims")?.unwrap_or(1) != 0;
    let axes: IntList = node.ints_or_input("axes", 1)?;
    let empty_is_none = node.int("noop_with_empty_axes")?.unwrap_or(0) != 0;
    one(move |inputs| {
        let a = inputs.get(0)?;
        let mut axes = axes.read(inputs)?.unwrap_or_default();
        if axes.is_empty() {
            if empty_is_none {
                return Ok(a.clone());
            }
            axes = (0..a.rank() as i64).collect();
        }
        let resolved: Result<Vec<usize>, _> = axes.iter().map(|&x| a.shape().axis(x)).collect();
        let mut resolved = resolved?;
        resolved.sort_unstable();
        resolved.dedup();
        reduce_with(&op, a, &resolved, keep)
    })
}

/// Runs `$body` with `$v` bound to the elements of any ordered numeric type.
macro_rules! ordered {
    ($a:expr, $v:ident => $body:expr) => {
        match $a.data() {
            TensorData::Fp32($v) => $body,
            TensorData::Fp64($v) => $body,
            TensorData::Int64($v) => $body,
            TensorData::Int32($v) => $body,
            TensorData::Int8($v) => $body,
            TensorData::Uint8($v) => $body,
            _ => return Err(no_types(&[$a])),
        }
    };
}

fn arg(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(0);
    let keep = node.int("keepdims")?.unwrap_or(1) != 0;
    let last = node.int("select_last_index")?.unwrap_or(0) != 0;
    let largest = node.op() == "ArgMax";
    one(move |inputs| {
        let a = inputs.get(0)?;
        let at = a.shape().axis(axis)?;
        if a.shape()[at] == 0 {
            return Err(Fault::shape("an extreme of no elements"));
        }
        let (moved, group, shape) = arrange(a, &[at], keep)?;
        let places = ordered!(&moved, v => groups(v, group, &shape, |g| {
            let mut best = 0;
            for (at, x) in g.iter().enumerate() {
                let wins = if largest { *x > g[best] } else { *x < g[best] };
                if wins || (last && *x == g[best]) {
                    best = at;
                }
            }
            best as i64
        }));
        Array::of(shape, places)
    })
}

/// The `k` largest (or smallest) along an axis, in order; ties by place.
fn top_k(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(-1);
    let largest = node.int("largest")?.unwrap_or(1) != 0;
    node.ignore("sorted");
    let fixed = node.int("k")?;
    many(move |inputs| {
        let a = inputs.get(0)?;
        let k = match fixed {
            Some(k) => k,
            None => inputs.get(1)?.to_i64()?.first().copied().unwrap_or(-1),
        };
        let at = a.shape().axis(axis)?;
        let k = usize::try_from(k).ok().filter(|&k| k <= a.shape()[at]);
        let Some(k) = k else {
            return Err(Fault::shape("k is larger than the axis"));
        };
        let order: Vec<usize> = (0..a.rank()).filter(|&x| x != at).chain([at]).collect();
        let moved = permute(a, &order)?;
        let group = a.shape()[at];
        let last = moved.rank() - 1;
        let shape = moved.shape().with(last, k)?;
        let mut back = [0usize; MAX_RANK];
        for (place, &axis) in order.iter().enumerate() {
            back[axis] = place;
        }
        let mut places = Vec::with_capacity(shape.volume());
        let values = ordered!(&moved, v => {
            let mut picked = Vec::with_capacity(shape.volume());
            for row in v.chunks_exact(group.max(1)) {
                let mut order: Vec<usize> = (0..row.len()).collect();
                order.sort_by(|&x, &y| {
                    let by = row[x].partial_cmp(&row[y]).unwrap_or(std::cmp::Ordering::Equal);
                    if largest { by.reverse() } else { by }
                });
                picked.extend(order[..k].iter().map(|&at| row[at]));
                places.extend(order[..k].iter().map(|&at| at as i64));
            }
            Array::of(shape, picked)?
        });
        let back = &back[..order.len()];
        let places = permute(&Array::of(shape, places)?, back)?;
        Ok(vec![permute(&values, back)?, places])
    })
}

fn cumulate(node: &Node<'_>) -> Result<Built, Refusal> {
    let exclusive = node.int("exclusive")?.unwrap_or(0) != 0;
    let reverse = node.int("reverse")?.unwrap_or(0) != 0;
    one(move |inputs| {
        let a = inputs.get(0)?;
        let axis = inputs.get(1)?.to_i64()?.first().copied().unwrap_or(0);
        let (outer, size, inner) = a.shape().around(a.shape().axis(axis)?);
        macro_rules! sums {
            ($v:ident, $zero:expr, $add:expr) => {{
                let mut out = $v.clone();
                for block in 0..outer {
                    for lane in 0..inner {
                        let mut sum = $zero;
                        for step in 0..size {
                            let step = if reverse { size - 1 - step } else { step };
                            let at = (block * size + step) * inner + lane;
                            let next = $add(sum, $v[at]);
                            out[at] = if exclusive { sum } else { next };
                            sum = next;
                        }
                    }
                }
                Array::of(*a.shape(), out)
            }};
        }
        match a.data() {
            TensorData::Fp32(v) => sums!(v, 0f32, |s, x| s + x),
            TensorData::Fp64(v) => sums!(v, 0f64, |s, x| s + x),
            TensorData::Int64(v) => sums!(v, 0i64, i64::wrapping_add),
            TensorData::Int32(v) => sums!(v, 0i32, i32::wrapping_add),
            _ => Err(no_types(&[a])),
        }
    })
}
