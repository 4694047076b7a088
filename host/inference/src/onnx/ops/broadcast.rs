//! Walking over values under broadcasting and other strides.

use crate::onnx::{
    array::{Array, MAX_RANK, Shape, broadcast_shape, broadcast_strides},
    fault::Fault,
};

/// Calls `row` with one offset per operand for each run along the last axis.
pub(crate) fn walk<const N: usize>(
    shape: &Shape,
    strides: [&[usize; MAX_RANK]; N],
    mut row: impl FnMut([usize; N]),
) {
    if shape.volume() == 0 {
        return;
    }
    let outer = shape.len().saturating_sub(1);
    let mut index = [0usize; MAX_RANK];
    let mut offsets = [0usize; N];
    loop {
        row(offsets);
        let mut axis = outer;
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset += strides[axis];
            }
            if index[axis] < shape[axis] {
                break;
            }
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset -= strides[axis] * shape[axis];
            }
            index[axis] = 0;
        }
    }
}

/// Applies `f` to two operands element by element, broadcast to a common shape.
pub(crate) fn zip<A, B, O>(
    (a, x): (&Array, &[A]),
    (b, y): (&Array, &[B]),
    f: impl Fn(&A, &B) -> O,
) -> Result<(Shape, Vec<O>), Fault> {
    let shape = broadcast_shape(a.shape(), b.shape())?;
    if **a.shape() == **b.shape() {
        return Ok((shape, x.iter().zip(y).map(|(x, y)| f(x, y)).collect()));
    }
    if let [y] = y {
        return Ok((shape, x.iter().map(|x| f(x, y)).collect()));
    }
    if let [x] = x {
        return Ok((shape, y.iter().map(|y| f(x, y)).collect()));
    }
    let left = broadcast_strides(a.shape(), &shape);
    let right = broadcast_strides(b.shape(), &shape);
    let last = shape.len() - 1;
    let width = shape[last];
    let mut out = Vec::with_capacity(shape.volume());
    walk(&shape, [&left, &right], |[i, j]| {
        match (left[last], right[last]) {
            (0, 0) => out.extend((0..width).map(|_| f(&x[i], &y[j]))),
            (0, _) => out.extend(y[j..j + width].iter().map(|y| f(&x[i], y))),
            (_, 0) => out.extend(x[i..i + width].iter().map(|x| f(x, &y[j]))),
            _ => {
                let pairs = x[i..i + width].iter().zip(&y[j..j + width]);
                out.extend(pairs.map(|(x, y)| f(x, y)));
            }
        }
    });
    Ok((shape, out))
}

/// Copies elements seen under `strides` from `offset` on, row-major in `shape`.
/// The caller has checked that every element lies inside `values`.
pub(crate) fn gather_strided<T: Clone>(
    values: &[T],
    shape: &Shape,
    strides: &[usize; MAX_RANK],
) -> Vec<T> {
    let mut out = Vec::with_capacity(shape.volume());
    if shape.is_empty() {
        out.extend(values.first().cloned());
        return out;
    }
    let last = shape.len() - 1;
    let (width, step) = (shape[last], strides[last]);
    walk(shape, [strides], |[from]| match step {
        0 => out.extend(std::iter::repeat_n(values[from].clone(), width)),
        1 => out.extend_from_slice(&values[from..from + width]),
        _ => out.extend(values[from..].iter().step_by(step).take(width).cloned()),
    });
    out
}

/// The value repeated to `shape`.
pub(crate) fn expand(array: &Array, shape: &Shape) -> Result<Array, Fault> {
    if array.shape() == shape {
        return Ok(array.clone());
    }
    if broadcast_shape(array.shape(), shape)? != *shape {
        return Err(Fault::shape(format!(
            "shape {:?} does not broadcast to {:?}",
            &**array.shape(),
            &**shape
        )));
    }
    let strides = broadcast_strides(array.shape(), shape);
    let data =
        crate::onnx::array::same_data!(array.data(), v => gather_strided(v, shape, &strides));
    Array::new(*shape, data)
}
