//! Images made larger or smaller, axis by axis.

use super::Build;
use crate::onnx::{
    array::Array,
    fault::{Fault, Refusal},
    node::{Built, Inputs, Node, one},
};

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Resize" => resize,
        "Upsample" => upsample,
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    HalfPixel,
    TorchHalfPixel,
    AlignCorners,
    Asymmetric,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nearest {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

/// What a place between others is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mix {
    Nearest,
    Linear,
    /// Four places, by the polynomial with this coefficient.
    Cubic(f32),
}

#[derive(Debug, Clone, Copy)]
struct Method {
    mix: Mix,
    place: Place,
    nearest: Nearest,
}

fn mix(node: &Node<'_>) -> Result<Mix, Refusal> {
    let coefficient = node.float("cubic_coeff_a")?.unwrap_or(-0.75);
    match node.string("mode")?.as_deref() {
        None | Some("nearest") => Ok(Mix::Nearest),
        Some("linear" | "bilinear") => Ok(Mix::Linear),
        Some("cubic") => Ok(Mix::Cubic(coefficient)),
        Some(other) => Err(node.refuse(&format!("mode={other}"))),
    }
}

fn resize(node: &Node<'_>) -> Result<Built, Refusal> {
    let old = node.version < 11;
    let place = match node.string("coordinate_transformation_mode")?.as_deref() {
        None if old => Place::Asymmetric,
        None | Some("half_pixel") => Place::HalfPixel,
        Some("pytorch_half_pixel") => Place::TorchHalfPixel,
        Some("align_corners") => Place::AlignCorners,
        Some("asymmetric") => Place::Asymmetric,
        Some(other) => {
            return Err(node.refuse(&format!("coordinate_transformation_mode={other}")));
        }
    };
    let nearest = match node.string("nearest_mode")?.as_deref() {
        None if old => Nearest::Floor,
        None | Some("round_prefer_floor") => Nearest::PreferFloor,
        Some("round_prefer_ceil") => Nearest::PreferCeil,
        Some("floor") => Nearest::Floor,
        Some("ceil") => Nearest::Ceil,
        Some(other) => return Err(node.refuse(&format!("nearest_mode={other}"))),
    };
    let mix = mix(node)?;
    for (name, harmless) in [("antialias", 0), ("exclude_outside", 0)] {
        if node.int(name)?.unwrap_or(harmless) != harmless {
            return Err(node.refuse(&format!("{name} on")));
        }
    }
    match node.string("keep_aspect_ratio_policy")?.as_deref() {
        None | Some("stretch") => {}
        Some(other) => return Err(node.refuse(&format!("keep_aspect_ratio_policy={other}"))),
    }
    node.ignore("extrapolation_value");
    let axes = node.ints("axes")?.map(<[i64]>::to_vec);
    let method = Method {
        mix,
        place,
        nearest,
    };
    let scales_at = if old { 1 } else { 2 };
    one(move |inputs| run(inputs, method, scales_at, axes.as_deref()))
}

fn upsample(node: &Node<'_>) -> Result<Built, Refusal> {
    let method = Method {
        mix: mix(node)?,
        place: Place::Asymmetric,
        nearest: Nearest::Floor,
    };
    if node.version < 9 {
        return Err(node.refuse("scales as an attribute"));
    }
    one(move |inputs| run(inputs, method, 1, None))
}

fn run(
    inputs: Inputs<'_>,
    method: Method,
    scales_at: usize,
    axes: Option<&[i64]>,
) -> Result<Array, Fault> {
    let x = inputs.get(0)?;
    let axes: Vec<usize> = match axes {
        Some(axes) => axes
            .iter()
            .map(|&axis| x.shape().axis(axis))
            .collect::<Result<_, _>>()?,
        None => (0..x.rank()).collect(),
    };
    let scales = inputs.optional(scales_at).filter(|scales| scales.len() > 0);
    let sizes = inputs.optional(3).filter(|sizes| sizes.len() > 0);
    let mut result = x.clone();
    for (at, &axis) in axes.iter().enumerate() {
        let size = x.shape()[axis];
        let (scale, wanted) = match (scales, sizes) {
            (Some(scales), _) => {
                let scale = scales.values::<f32>()?.get(at).copied().unwrap_or(1.0);
                if !(scale > 0.0 && scale < 1e6) {
                    return Err(Fault::value(format!("a scale of {scale}")));
                }
                let wanted = (size as f32 * scale).floor() as usize;
                (f64::from(scale), wanted)
            }
            (None, Some(sizes)) => {
                let wanted = sizes.to_i64()?.get(at).copied().unwrap_or(-1);
                let wanted =
                    usize::try_from(wanted).map_err(|_| Fault::value("a negative size"))?;
                (wanted as f64 / size.max(1) as f64, wanted)
            }
            (None, None) => return Err(Fault::shape("scales or sizes are needed")),
        };
        if wanted != size || (scale - 1.0).abs() > f64::EPSILON {
            result = along(&result, axis, wanted, scale, method)?;
        }
    }
    Ok(result)
}

/// Where a place of the result lies on the original axis.
fn original(at: usize, wanted: usize, size: usize, scale: f64, place: Place) -> f64 {
    let at = at as f64;
    match place {
        Place::HalfPixel => (at + 0.5) / scale - 0.5,
        Place::TorchHalfPixel if wanted > 1 => (at + 0.5) / scale - 0.5,
        Place::TorchHalfPixel => 0.0,
        Place::AlignCorners if wanted > 1 => at * (size as f64 - 1.0) / (wanted as f64 - 1.0),
        Place::AlignCorners => 0.0,
        Place::Asymmetric => at / scale,
    }
}

fn along(
    a: &Array,
    axis: usize,
    wanted: usize,
    scale: f64,
    method: Method,
) -> Result<Array, Fault> {
    let (outer, size, inner) = a.shape().around(axis);
    let shape = a.shape().with(axis, wanted)?;
    if size == 0 {
        return Err(Fault::shape("an empty axis cannot be resized"));
    }
    let last = size as f64 - 1.0;
    let places = (0..wanted).map(|at| original(at, wanted, size, scale, method.place));
    if method.mix == Mix::Nearest {
        let nearest = places.map(|x| {
            let x = match method.nearest {
                Nearest::PreferFloor => (x - 0.5).ceil(),
                Nearest::PreferCeil => (x + 0.5).floor(),
                Nearest::Floor => x.floor(),
                Nearest::Ceil => x.ceil(),
            };
            x.clamp(0.0, last) as i64
        });
        let nearest: Vec<i64> = nearest.collect();
        return super::gather::take(a, axis, &nearest, &[wanted]);
    }
    let taps: Vec<Taps> = places
        .map(|x| match method.mix {
            Mix::Cubic(a) => cubic(x, last, a),
            _ => linear(x, last),
        })
        .collect();
    let values = a.values::<f32>()?;
    let mut out = vec![0f32; shape.volume()];
    let mut rows = out.chunks_exact_mut(inner.max(1));
    for block in 0..outer {
        for (taps, row) in taps.iter().zip(&mut rows) {
            for &(at, weight) in taps.iter().filter(|(_, weight)| *weight != 0.0) {
                let from = &values[(block * size + at) * inner..][..inner];
                row.iter_mut()
                    .zip(from)
                    .for_each(|(sum, x)| *sum += x * weight);
            }
        }
    }
    Array::of(shape, out)
}

/// Places and what each counts for.
type Taps = [(usize, f32); 4];

fn linear(x: f64, last: f64) -> Taps {
    let x = x.clamp(0.0, last);
    let low = x.floor();
    let part = (x - low) as f32;
    let high = (low + 1.0).min(last) as usize;
    [(low as usize, 1.0 - part), (high, part), (0, 0.0), (0, 0.0)]
}

/// The border repeats outside.
fn cubic(x: f64, last: f64, a: f32) -> Taps {
    let low = x.floor();
    let t = (x - low) as f32;
    let near = |t: f32| ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    let far = |t: f32| ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a;
    let at = |step: f64| (low + step).clamp(0.0, last) as usize;
    [
        (at(-1.0), far(t + 1.0)),
        (at(0.0), near(t)),
        (at(1.0), near(1.0 - t)),
        (at(2.0), far(2.0 - t)),
    ]
}
