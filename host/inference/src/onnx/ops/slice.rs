//! Windows, borders, and values made from nothing but numbers.

use super::{Build, no_types};
use crate::onnx::{
    array::{Array, Element, MAX_ELEMENTS, Shape, same_data},
    fault::{Fault, Refusal},
    node::{Built, IntList, Node, one},
};
use domain::tensor::TensorData;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Slice" => slice,
        "Pad" => pad,
        "Range" => range,
        "Trilu" => triangle,
        "EyeLike" => eye,
        _ => return None,
    })
}

/// One axis of a slice: first place, step, number of places.
fn window(start: i64, end: i64, step: i64, size: usize) -> Result<(i64, i64, usize), Fault> {
    let size = size as i64;
    let from_back = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let (start, end) = (from_back(start), from_back(end));
    let (start, span) = if step > 0 {
        let start = start.clamp(0, size);
        (start, end.clamp(0, size).saturating_sub(start))
    } else {
        let start = start.clamp(-1, size - 1);
        (start, start.saturating_sub(end.clamp(-1, size - 1)))
    };
    let stride = step
        .checked_abs()
        .filter(|&stride| stride > 0)
        .ok_or_else(|| Fault::value("a step of zero"))?;
    let count = span.max(0).saturating_add(stride - 1) / stride;
    Ok((start, step, count as usize))
}

/// Attributes up to version 9, inputs since.
fn slice(node: &Node<'_>) -> Result<Built, Refusal> {
    let starts = node.ints_or_input("starts", 1)?;
    let ends = node.ints_or_input("ends", 2)?;
    let axes = node.ints_or_input("axes", 3)?;
    let steps = node.ints_or_input("steps", 4)?;
    if starts == IntList::Absent || ends == IntList::Absent {
        return Err(node.broken("no starts or ends"));
    }
    one(move |inputs| {
        let a = inputs.get(0)?;
        let starts = starts.read(inputs)?.unwrap_or_default();
        let ends = ends.read(inputs)?.unwrap_or_default();
        let axes = axes.read(inputs)?;
        let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = steps.read(inputs)?.unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err(Fault::shape(
                "starts, ends, axes and steps differ in length",
            ));
        }
        let mut windows: Vec<(i64, i64, usize)> =
            a.shape().iter().map(|&size| (0, 1, size)).collect();
        for at in 0..starts.len() {
            let axis = a.shape().axis(axes[at])?;
            windows[axis] = window(starts[at], ends[at], steps[at], a.shape()[axis])?;
        }
        let mut result = a.clone();
        for (axis, &(start, step, count)) in windows.iter().enumerate() {
            if (start, step, count) == (0, 1, result.shape()[axis]) {
                continue;
            }
            result = if step == 1 {
                super::shape::cut(&result, axis, start as usize, count)?
            } else {
                let places =
                    (0..count as i64).map(|at| start.saturating_add(at.saturating_mul(step)));
                let places: Vec<i64> = places.collect();
                super::gather::take(&result, axis, &places, &[count])?
            };
        }
        Ok(result)
    })
}

/// How a border is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Border {
    Constant,
    Edge,
    Reflect,
    Wrap,
}

/// The place along an axis that a padded place shows; `None` for the constant.
fn mirrored(at: i64, size: i64, border: Border) -> Option<usize> {
    if (0..size).contains(&at) {
        return Some(at as usize);
    }
    match border {
        Border::Constant => None,
        Border::Edge => Some(at.clamp(0, size - 1) as usize),
        Border::Wrap => Some(at.rem_euclid(size) as usize),
        Border::Reflect => {
            if size == 1 {
                return Some(0);
            }
            let period = 2 * (size - 1);
            let at = at.rem_euclid(period);
            Some(at.min(period - at) as usize)
        }
    }
}

fn pad(node: &Node<'_>) -> Result<Built, Refusal> {
    let border = match node.string("mode")?.as_deref() {
        None | Some("constant") => Border::Constant,
        Some("edge") => Border::Edge,
        Some("reflect") => Border::Reflect,
        Some("wrap") => Border::Wrap,
        Some(other) => return Err(node.refuse(&format!("mode={other}"))),
    };
    let pads = node.ints_or_input("pads", 1)?;
    let axes = node.ints_or_input("axes", 3)?;
    let value = node.float("value")?;
    if pads == IntList::Absent {
        return Err(node.broken("no pads"));
    }
    one(move |inputs| {
        let a = inputs.get(0)?;
        let pads = pads.read(inputs)?.unwrap_or_default();
        let axes = axes
            .read(inputs)?
            .unwrap_or_else(|| (0..a.rank() as i64).collect());
        if pads.len() != 2 * axes.len() {
            return Err(Fault::shape("two pads per axis are needed"));
        }
        let mut result = a.clone();
        for (at, &axis) in axes.iter().enumerate() {
            let axis = a.shape().axis(axis)?;
            let (before, after) = (pads[at], pads[axes.len() + at]);
            if before != 0 || after != 0 {
                result = pad_axis(&result, axis, (before, after), border, |fill| {
                    constant(fill, inputs.optional(2), value)
                })?;
            }
        }
        Ok(result)
    })
}

/// The border's constant, in the type of the padded value.
fn constant(like: &Array, given: Option<&Array>, attribute: Option<f32>) -> Result<Array, Fault> {
    match (given, attribute) {
        (Some(given), _) if given.len() == 1 && given.datatype() == like.datatype() => {
            given.reshaped(Shape::SCALAR)
        }
        (Some(_), _) => Err(Fault::shape(
            "the constant must be one element of the same type",
        )),
        (None, value) => {
            super::cast::convert(&Array::scalar(value.unwrap_or(0.0)), like.datatype())
        }
    }
}

fn pad_axis(
    a: &Array,
    axis: usize,
    (before, after): (i64, i64),
    border: Border,
    fill: impl Fn(&Array) -> Result<Array, Fault>,
) -> Result<Array, Fault> {
    let (outer, size, inner) = a.shape().around(axis);
    let wide = (size as i64).saturating_add(before).saturating_add(after);
    let wide = usize::try_from(wide).map_err(|_| Fault::shape("pads cut more than there is"))?;
    let shape = a.shape().with(axis, wide)?;
    if size == 0 && border != Border::Constant && wide > 0 {
        return Err(Fault::shape("no elements to repeat at the border"));
    }
    let places: Vec<Option<usize>> = (0..wide as i64)
        .map(|at| mirrored(at.saturating_sub(before), size as i64, border))
        .collect();
    let fill = fill(a)?;
    fn filled<T: Element>(
        v: &[T],
        fill: &Array,
        (outer, size, inner): (usize, usize, usize),
        places: &[Option<usize>],
    ) -> Result<Vec<T>, Fault> {
        let fill = fill.only::<T>()?;
        let mut out = Vec::with_capacity(outer * places.len() * inner);
        for block in 0..outer {
            for place in places {
                match place {
                    Some(at) => {
                        let from = (block * size + at) * inner;
                        out.extend_from_slice(&v[from..from + inner]);
                    }
                    None => out.extend(std::iter::repeat_n(fill.clone(), inner)),
                }
            }
        }
        Ok(out)
    }
    let data = same_data!(a.data(), v => filled(v, &fill, (outer, size, inner), &places)?);
    Array::new(shape, data)
}

fn range(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let (start, limit, delta) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        let number = |a: &Array| {
            let values = a.data().to_f64().ok_or_else(|| no_types(&[a]))?;
            match *values.as_slice() {
                [x] => Ok(x),
                _ => Err(Fault::shape("one number is needed")),
            }
        };
        if number(delta)? == 0.0 {
            return Err(Fault::value("a step of zero"));
        }
        let count = ((number(limit)? - number(start)?) / number(delta)?).ceil();
        if count.is_nan() || count > MAX_ELEMENTS as f64 {
            return Err(Fault::Limit("a range of too many elements".to_owned()));
        }
        let count = count.max(0.0) as usize;
        macro_rules! steps {
            ($rust:ty, |$i:ident, $s:ident, $d:ident| $body:expr) => {{
                let ($s, $d) = (start.only::<$rust>()?, delta.only::<$rust>()?);
                Array::vector((0..count).map(|$i| $body).collect::<Vec<$rust>>())
            }};
        }
        match start.data() {
            TensorData::Fp32(_) => steps!(f32, |i, s, d| s + i as f32 * d),
            TensorData::Fp64(_) => steps!(f64, |i, s, d| s + i as f64 * d),
            TensorData::Int64(_) => {
                steps!(i64, |i, s, d| s.wrapping_add((i as i64).wrapping_mul(d)))
            }
            TensorData::Int32(_) => {
                steps!(i32, |i, s, d| s.wrapping_add((i as i32).wrapping_mul(d)))
            }
            _ => Err(no_types(&[start])),
        }
    })
}

fn triangle(node: &Node<'_>) -> Result<Built, Refusal> {
    let upper = node.int("upper")?.unwrap_or(1) != 0;
    one(move |inputs| {
        let a = inputs.get(0)?;
        let k = match inputs.optional(1) {
            Some(k) => k.to_i64()?.first().copied().unwrap_or(0),
            None => 0,
        };
        let Some((_, &[rows, columns])) = a.shape().split_last_chunk::<2>() else {
            return Err(Fault::shape("a matrix is needed"));
        };
        let zero = super::cast::convert(&Array::scalar(0f32), a.datatype())?;
        fn kept<T: Element>(
            v: &[T],
            zero: &Array,
            keep: impl Fn(usize) -> bool,
        ) -> Result<Vec<T>, Fault> {
            let zero = zero.only::<T>()?;
            let all = v.iter().enumerate();
            Ok(all
                .map(|(at, x)| if keep(at) { x } else { &zero }.clone())
                .collect())
        }
        let keep = |at: usize| {
            let row = (at / columns.max(1) % rows.max(1)) as i64;
            let distance = ((at % columns.max(1)) as i64).saturating_sub(row);
            if upper { distance >= k } else { distance <= k }
        };
        let data = same_data!(a.data(), v => kept(v, &zero, keep)?);
        Array::new(*a.shape(), data)
    })
}

fn eye(node: &Node<'_>) -> Result<Built, Refusal> {
    let k = node.int("k")?.unwrap_or(0);
    let to = match node.int("dtype")?.map(i32::try_from) {
        None => None,
        Some(Ok(code)) => Some(crate::onnx::constant::datatype(code)?),
        Some(Err(_)) => return Err(node.broken("dtype")),
    };
    one(move |inputs| {
        let a = inputs.get(0)?;
        let [rows, columns] = **a.shape() else {
            return Err(Fault::shape("a matrix is needed"));
        };
        let mut out = vec![0f32; a.len()];
        for row in 0..rows {
            let column = usize::try_from((row as i64).saturating_add(k)).ok();
            if let Some(column) = column.filter(|&column| column < columns) {
                out[row * columns + column] = 1.0;
            }
        }
        let made = Array::of(*a.shape(), out)?;
        super::cast::convert(&made, to.unwrap_or_else(|| a.datatype()))
    })
}
