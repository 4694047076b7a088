//! Pools over windows and over whole images.

use super::{
    Build,
    window::{Axis, OUTSIDE, Window, image, places},
};
use crate::onnx::{
    array::{Array, Shape},
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "MaxPool" | "AveragePool" | "LpPool" => pool,
        "GlobalMaxPool" | "GlobalAveragePool" => global,
        _ => return None,
    })
}

fn pool(node: &Node<'_>) -> Result<Built, Refusal> {
    let op = node.op().to_owned();
    let mut window = Window::read(node)?;
    window.ceil = node.int("ceil_mode")?.unwrap_or(0) != 0;
    if window.kernel.is_empty() {
        return Err(node.broken("no kernel_shape"));
    }
    node.ignore("storage_order");
    if node.has_output(1) {
        return Err(node.refuse("its Indices output"));
    }
    let include_pad = node.int("count_include_pad")?.unwrap_or(0) != 0;
    let p = if op == "LpPool" {
        node.int("p")?.unwrap_or(2) as f32
    } else {
        0.0
    };
    one(move |inputs| {
        let x = inputs.get(0)?;
        let (batch, channels, sizes) = image(x.shape())?;
        let axes = window.axes(sizes, &window.kernel)?;
        let mut dims = vec![batch, channels];
        dims.extend(axes.iter().map(|axis| axis.out));
        let shape = Shape::new(&dims)?;
        let places = places(&axes)?;
        let area: usize = sizes.iter().product();
        let volume: usize = axes.iter().map(|axis| axis.out).product();
        let counts = counts(&axes, &places, volume, include_pad);
        let values = x.values::<f32>()?;
        let mut out = Vec::with_capacity(shape.volume());
        if area == 0 && shape.volume() > 0 {
            return Err(Fault::shape("a pool over no elements"));
        }
        for channel in values.chunks_exact(area.max(1)) {
            let start = if op == "MaxPool" {
                f32::NEG_INFINITY
            } else {
                0.0
            };
            let mut sums = vec![start; volume];
            for taps in places.chunks_exact(volume.max(1)) {
                for (sum, &at) in sums.iter_mut().zip(taps) {
                    if at == OUTSIDE {
                        continue;
                    }
                    let value = channel[at];
                    match op.as_str() {
                        "MaxPool" => {
                            *sum = if value > *sum || value.is_nan() {
                                value
                            } else {
                                *sum
                            }
                        }
                        "AveragePool" => *sum += value,
                        _ => *sum += value.abs().powf(p),
                    }
                }
            }
            match op.as_str() {
                "AveragePool" => {
                    let both = sums.iter().zip(&counts);
                    out.extend(both.map(|(sum, &count)| sum / count.max(1) as f32));
                }
                "LpPool" => out.extend(sums.iter().map(|sum| sum.powf(p.recip()))),
                _ => out.extend(sums),
            }
        }
        Array::of(shape, out)
    })
}

/// Elements each window averages over: with `include_pad` those in the padding
/// count, but not those that only rounding up brought in.
fn counts(axes: &[Axis], places: &[usize], volume: usize, include_pad: bool) -> Vec<usize> {
    let mut counts = vec![0usize; volume];
    if !include_pad {
        for taps in places.chunks_exact(volume.max(1)) {
            for (count, &at) in counts.iter_mut().zip(taps) {
                *count += usize::from(at != OUTSIDE);
            }
        }
        return counts;
    }
    for (at, count) in counts.iter_mut().enumerate() {
        let mut rest = at;
        *count = 1;
        for axis in axes.iter().rev() {
            let o = rest % axis.out.max(1);
            rest /= axis.out.max(1);
            let end = axis.size + axis.before + axis.after;
            let inside = (0..axis.kernel).filter(|k| o * axis.stride + k * axis.dilation < end);
            *count *= inside.count();
        }
    }
    counts
}

fn global(node: &Node<'_>) -> Result<Built, Refusal> {
    let largest = node.op() == "GlobalMaxPool";
    one(move |inputs| {
        let x = inputs.get(0)?;
        let (batch, channels, sizes) = image(x.shape())?;
        let area: usize = sizes.iter().product();
        if area == 0 {
            return Err(Fault::shape("a pool over no elements"));
        }
        let mut dims = vec![batch, channels];
        dims.extend(sizes.iter().map(|_| 1));
        let each = x.values::<f32>()?.chunks_exact(area);
        let out = each.map(|channel| {
            if largest {
                channel.iter().copied().fold(f32::NEG_INFINITY, f32::max)
            } else {
                let sum: f64 = channel.iter().map(|&v| f64::from(v)).sum();
                (sum / area as f64) as f32
            }
        });
        Array::of(Shape::new(&dims)?, out.collect())
    })
}
