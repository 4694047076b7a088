//! Operators that change a value's shape, order or size and keep its elements.

use super::{
    Build,
    broadcast::{expand, gather_strided},
};
use crate::onnx::{
    array::{Array, Element, MAX_RANK, Shape, broadcast_shape, resolve_axis, same_data},
    fault::{Fault, Refusal},
    node::{Built, IntList, Node, many, one},
};

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Reshape" => reshape,
        "Flatten" => flatten,
        "Squeeze" => squeeze,
        "Unsqueeze" => unsqueeze,
        "Transpose" => transpose,
        "Expand" => expand_to,
        "Tile" => tile,
        "Concat" => concat,
        "Split" => split,
        "Shape" => shape,
        "Size" => size,
        "DepthToSpace" => depth_to_space,
        "SpaceToDepth" => space_to_depth,
        _ => return None,
    })
}

/// Sizes as dimensions.
pub(crate) fn dims(sizes: &[i64]) -> Result<Shape, Fault> {
    let all: Result<Vec<usize>, _> = sizes
        .iter()
        .map(|&size| usize::try_from(size).map_err(|_| Fault::shape(format!("dimension {size}"))))
        .collect();
    Shape::new(&all?)
}

/// -1 is what is left over, 0 the size the input has there (unless `allowzero`).
fn reshape(node: &Node<'_>) -> Result<Built, Refusal> {
    let allow_zero = node.int("allowzero")?.unwrap_or(0) != 0;
    let list = node.ints_or_input("shape", 1)?;
    one(move |inputs| {
        let a = inputs.get(0)?;
        let wanted = list.read(inputs)?.unwrap_or_default();
        if wanted.len() > MAX_RANK {
            return Err(Fault::Limit(format!("rank {}", wanted.len())));
        }
        let mut sizes = [0i64; MAX_RANK];
        let mut open = None;
        let mut product = 1i64;
        for (at, &size) in wanted.iter().enumerate() {
            sizes[at] = match size {
                0 if !allow_zero => a.shape().get(at).map_or(0, |&dim| dim as i64),
                size => size,
            };
            if size == -1 {
                if open.replace(at).is_some() {
                    return Err(Fault::shape("more than one -1 in a shape"));
                }
            } else {
                product = product
                    .checked_mul(sizes[at])
                    .ok_or_else(|| Fault::Limit("a shape overflows".to_owned()))?;
            }
        }
        if let Some(at) = open {
            let all = a.len() as i64;
            if product <= 0 || all % product != 0 {
                return Err(Fault::shape(format!(
                    "shape {:?} cannot become {wanted:?}",
                    &**a.shape()
                )));
            }
            sizes[at] = all / product;
        }
        a.reshaped(dims(&sizes[..wanted.len()])?)
    })
}

fn flatten(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(1);
    one(move |inputs| {
        let a = inputs.get(0)?;
        let at = if axis == a.rank() as i64 {
            a.rank()
        } else {
            a.shape().axis(axis)?
        };
        let (front, back) = a.shape().split_at(at);
        a.reshaped(Shape::new(&[
            front.iter().product(),
            back.iter().product(),
        ])?)
    })
}

fn squeeze(node: &Node<'_>) -> Result<Built, Refusal> {
    let axes = node.ints_or_input("axes", 1)?;
    one(move |inputs| {
        let a = inputs.get(0)?;
        let mut drop = [false; MAX_RANK];
        match axes.read(inputs)? {
            Some(axes) => {
                for axis in axes {
                    let at = a.shape().axis(axis)?;
                    if a.shape()[at] != 1 {
                        return Err(Fault::shape(format!("axis {axis} is not of size 1")));
                    }
                    drop[at] = true;
                }
            }
            None => {
                for (drop, &dim) in drop.iter_mut().zip(a.shape().iter()) {
                    *drop = dim == 1;
                }
            }
        }
        let kept = a.shape().iter().zip(drop).filter(|(_, drop)| !drop);
        let kept: Vec<usize> = kept.map(|(&dim, _)| dim).collect();
        a.reshaped(Shape::new(&kept)?)
    })
}

fn unsqueeze(node: &Node<'_>) -> Result<Built, Refusal> {
    let axes = node.ints_or_input("axes", 1)?;
    if axes == IntList::Absent {
        return Err(node.broken("no axes"));
    }
    one(move |inputs| {
        let a = inputs.get(0)?;
        let axes = axes.read(inputs)?.unwrap_or_default();
        let rank = a.rank() + axes.len();
        if rank > MAX_RANK {
            return Err(Fault::Limit(format!("rank {rank}")));
        }
        let mut added = [false; MAX_RANK];
        for axis in axes {
            let at = resolve_axis(axis, rank)?;
            if std::mem::replace(&mut added[at], true) {
                return Err(Fault::shape(format!("axis {axis} twice")));
            }
        }
        let mut old = a.shape().iter();
        let dims: Vec<usize> = added[..rank]
            .iter()
            .map(|added| {
                if *added {
                    1
                } else {
                    old.next().copied().unwrap_or(1)
                }
            })
            .collect();
        a.reshaped(Shape::new(&dims)?)
    })
}

/// Axes reordered: axis `i` of the result is axis `order[i]` of the value.
pub(crate) fn permute(a: &Array, order: &[usize]) -> Result<Array, Fault> {
    let own = a.shape().strides();
    let mut dims = [1usize; MAX_RANK];
    let mut strides = [0usize; MAX_RANK];
    for (at, &from) in order.iter().enumerate() {
        dims[at] = a.shape()[from];
        strides[at] = own[from];
    }
    let shape = Shape::new(&dims[..order.len()])?;
    // Moving axes of size 1 moves no elements.
    let moved: Vec<usize> = order
        .iter()
        .copied()
        .filter(|&at| a.shape()[at] != 1)
        .collect();
    if moved.is_sorted() {
        return a.reshaped(shape);
    }
    let data = same_data!(a.data(), v => gather_strided(v, &shape, &strides));
    Array::new(shape, data)
}

fn transpose(node: &Node<'_>) -> Result<Built, Refusal> {
    let order = node.ints("perm")?.map(<[i64]>::to_vec);
    one(move |inputs| {
        let a = inputs.get(0)?;
        let order: Vec<usize> = match &order {
            None => (0..a.rank()).rev().collect(),
            Some(order) => {
                let all: Result<_, _> = order.iter().map(|&axis| a.shape().axis(axis)).collect();
                all?
            }
        };
        let mut seen = order.clone();
        seen.sort_unstable();
        if !seen.iter().copied().eq(0..a.rank()) {
            return Err(Fault::shape(format!(
                "perm {order:?} for rank {}",
                a.rank()
            )));
        }
        permute(a, &order)
    })
}

fn expand_to(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let a = inputs.get(0)?;
        let wanted = dims(&inputs.get(1)?.to_i64()?)?;
        expand(a, &broadcast_shape(a.shape(), &wanted)?)
    })
}

fn tile(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let a = inputs.get(0)?;
        let repeats = dims(&inputs.get(1)?.to_i64()?)?;
        if repeats.len() != a.rank() {
            return Err(Fault::shape("one repeat per axis is needed"));
        }
        // Every axis becomes (repeat, size): a repeat is a stride of 0.
        let mut result = a.clone();
        for (axis, &times) in repeats.iter().enumerate() {
            if times == 1 {
                continue;
            }
            let (outer, size, inner) = result.shape().around(axis);
            let block = size * inner;
            let shape = result.shape().with(axis, size.saturating_mul(times))?;
            let data = same_data!(result.data(), v => {
                let mut out = Vec::with_capacity(shape.volume());
                for at in 0..outer {
                    for _ in 0..times {
                        out.extend_from_slice(&v[at * block..(at + 1) * block]);
                    }
                }
                out
            });
            result = Array::new(shape, data)?;
        }
        Ok(result)
    })
}

/// Values joined along an axis.
pub(crate) fn join(parts: &[&Array], axis: usize) -> Result<Array, Fault> {
    let Some((first, rest)) = parts.split_first() else {
        return Err(Fault::shape("no inputs"));
    };
    let mut total = first.shape()[axis];
    for part in rest {
        let fits = part.rank() == first.rank()
            && (0..first.rank()).all(|at| at == axis || part.shape()[at] == first.shape()[at]);
        if !fits {
            return Err(Fault::shape(format!(
                "shapes {:?} and {:?} do not join along axis {axis}",
                &**first.shape(),
                &**part.shape()
            )));
        }
        total = total.saturating_add(part.shape()[axis]);
    }
    let shape = first.shape().with(axis, total)?;
    fn fill<T: Element>(_: &[T], parts: &[&Array], axis: usize, n: usize) -> Result<Vec<T>, Fault> {
        let mut out = Vec::with_capacity(n);
        let mut slices = Vec::with_capacity(parts.len());
        for part in parts {
            let (outer, size, inner) = part.shape().around(axis);
            slices.push((part.values::<T>()?, size * inner, outer));
        }
        for at in 0..slices.first().map_or(0, |(_, _, outer)| *outer) {
            for (values, block, _) in &slices {
                out.extend_from_slice(&values[at * block..(at + 1) * block]);
            }
        }
        Ok(out)
    }
    let data = same_data!(first.data(), v => fill(v, parts, axis, shape.volume())?);
    Array::new(shape, data)
}

fn concat(node: &Node<'_>) -> Result<Built, Refusal> {
    let Some(axis) = node.int("axis")? else {
        return Err(node.broken("no axis"));
    };
    one(move |inputs| {
        let parts: Vec<&Array> = inputs.all().collect();
        let first = inputs.get(0)?;
        join(&parts, first.shape().axis(axis)?)
    })
}

/// Elements `start..start + size` along an axis.
pub(crate) fn cut(a: &Array, axis: usize, start: usize, size: usize) -> Result<Array, Fault> {
    let (outer, all, inner) = a.shape().around(axis);
    if start.checked_add(size).is_none_or(|end| end > all) {
        return Err(Fault::shape("a part lies outside its axis"));
    }
    let shape = a.shape().with(axis, size)?;
    let data = same_data!(a.data(), v => {
        let mut out = Vec::with_capacity(shape.volume());
        for at in 0..outer {
            let from = (at * all + start) * inner;
            out.extend_from_slice(&v[from..from + size * inner]);
        }
        out
    });
    Array::new(shape, data)
}

fn split(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = node.int("axis")?.unwrap_or(0);
    let sizes = node.ints_or_input("split", 1)?;
    node.ignore("num_outputs");
    let count = node.outputs();
    if count == 0 {
        return Err(node.broken("no outputs"));
    }
    many(move |inputs| {
        let a = inputs.get(0)?;
        let at = a.shape().axis(axis)?;
        let all = a.shape()[at];
        let sizes: Vec<usize> = match sizes.read(inputs)? {
            Some(sizes) => dims(&sizes)?.to_vec(),
            None => {
                let each = all.div_ceil(count);
                (0..count)
                    .map(|part| each.min(all.saturating_sub(part * each)))
                    .collect()
            }
        };
        let sum = sizes
            .iter()
            .try_fold(0usize, |sum, &size| sum.checked_add(size));
        if sizes.len() != count || sum != Some(all) {
            return Err(Fault::shape(format!(
                "parts {sizes:?} of an axis of size {all} for {count} outputs"
            )));
        }
        let mut start = 0;
        let mut parts = Vec::with_capacity(count);
        for size in sizes {
            parts.push(cut(a, at, start, size)?);
            start += size;
        }
        Ok(parts)
    })
}

fn shape(node: &Node<'_>) -> Result<Built, Refusal> {
    let start = node.int("start")?.unwrap_or(0);
    let end = node.int("end")?.unwrap_or(i64::MAX);
    one(move |inputs| {
        let dims = inputs.get(0)?.shape();
        let rank = dims.len() as i64;
        let place = |at: i64| {
            let at = if at < 0 { at.saturating_add(rank) } else { at };
            at.clamp(0, rank) as usize
        };
        let (start, end) = (place(start), place(end));
        let part = dims.get(start..end.max(start)).unwrap_or_default();
        Array::vector(part.iter().map(|&dim| dim as i64).collect())
    })
}

fn size(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| Ok(Array::scalar(inputs.get(0)?.len() as i64)))
}

fn block_size(node: &Node<'_>) -> Result<usize, Refusal> {
    match node.int("blocksize")? {
        Some(size @ 1..=4096) => Ok(size as usize),
        _ => Err(node.broken("blocksize")),
    }
}

fn image(a: &Array) -> Result<[usize; 4], Fault> {
    <[usize; 4]>::try_from(&**a.shape())
        .map_err(|_| Fault::shape(format!("shape {:?} is not an image batch", &**a.shape())))
}

fn depth_to_space(node: &Node<'_>) -> Result<Built, Refusal> {
    let b = block_size(node)?;
    let column_first = match node.string("mode")?.as_deref() {
        None | Some("DCR") => false,
        Some("CRD") => true,
        Some(other) => return Err(node.refuse(&format!("mode={other}"))),
    };
    one(move |inputs| {
        let a = inputs.get(0)?;
        let [n, c, h, w] = image(a)?;
        if c % (b * b) != 0 {
            return Err(Fault::shape("channels are not a multiple of the block"));
        }
        let rest = c / (b * b);
        let (split, order) = if column_first {
            ([n, rest, b, b, h, w], [0, 1, 4, 2, 5, 3])
        } else {
            ([n, b, b, rest, h, w], [0, 3, 4, 1, 5, 2])
        };
        let moved = permute(&a.reshaped(Shape::new(&split)?)?, &order)?;
        moved.reshaped(Shape::new(&[n, rest, h * b, w * b])?)
    })
}

fn space_to_depth(node: &Node<'_>) -> Result<Built, Refusal> {
    let b = block_size(node)?;
    one(move |inputs| {
        let a = inputs.get(0)?;
        let [n, c, h, w] = image(a)?;
        if h % b != 0 || w % b != 0 {
            return Err(Fault::shape(
                "height or width is not a multiple of the block",
            ));
        }
        let split = a.reshaped(Shape::new(&[n, c, h / b, b, w / b, b])?)?;
        let moved = permute(&split, &[0, 3, 5, 1, 2, 4])?;
        moved.reshaped(Shape::new(&[n, c * b * b, h / b, w / b])?)
    })
}
