//! Convolutions of one to three spatial axes: windows are gathered into columns
//! and multiplied by the kernel on candle.

use super::{
    Build,
    window::{Axis, OUTSIDE, Window, image, places},
};
use crate::onnx::{
    array::{Array, MAX_ELEMENTS, Shape},
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};
use candle_core::{CpuStorage, Device, Storage, Tensor};

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Conv" => conv,
        "ConvTranspose" => transposed,
        _ => return None,
    })
}

/// The `group` attribute.
pub(crate) fn group(node: &Node<'_>) -> Result<usize, Refusal> {
    match usize::try_from(node.int("group")?.unwrap_or(1)) {
        Ok(group) if group > 0 => Ok(group),
        _ => Err(node.broken("group")),
    }
}

/// A kernel `[rows, columns]` per group, on candle, made once if it is constant.
fn matrices(weight: &Array, groups: usize, size: (usize, usize)) -> Result<Vec<Tensor>, Fault> {
    let block = size.0.saturating_mul(size.1);
    let values = weight.values::<f32>()?;
    if block == 0 || block.saturating_mul(groups) != values.len() {
        return Err(Fault::shape("the kernel does not fit its groups"));
    }
    let each = values.chunks_exact(block);
    each.map(|part| Ok(Tensor::from_slice(part, size, &Device::Cpu)?))
        .collect()
}

/// The product's elements, handed to `use_it` without a copy.
fn product<R>(
    left: &Tensor,
    right: Vec<f32>,
    size: (usize, usize),
    use_it: impl FnOnce(&[f32]) -> R,
) -> Result<R, Fault> {
    let right = Tensor::from_vec(right, size, &Device::Cpu)?;
    let made = left.matmul(&right)?;
    let (storage, _) = made.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(use_it(values)),
        _ => Err(Fault::Internal("a product left the CPU".to_owned())),
    }
}

fn bias_of(bias: Option<&Array>, channels: usize) -> Result<Option<&[f32]>, Fault> {
    let bias = bias.map(Array::values::<f32>).transpose()?;
    match bias {
        Some(bias) if bias.len() != channels => Err(Fault::shape("the bias does not fit")),
        bias => Ok(bias),
    }
}

fn with_bias(out: &mut [f32], bias: Option<&[f32]>, volume: usize) {
    let Some(bias) = bias.filter(|bias| !bias.is_empty()) else {
        return;
    };
    for (at, channel) in out.chunks_exact_mut(volume.max(1)).enumerate() {
        let shift = bias[at % bias.len()];
        channel.iter_mut().for_each(|x| *x += shift);
    }
}

fn conv(node: &Node<'_>) -> Result<Built, Refusal> {
    let window = Window::read(node)?;
    let groups = group(node)?;
    let resident = match node.constant(1) {
        Some(weight) => Some(kernel_matrices(&widened(weight)?, groups)?),
        None => None,
    };
    one(move |inputs| {
        let (x, weight) = (inputs.get(0)?, inputs.get(1)?);
        let made;
        let kernels = match &resident {
            Some(kernels) => kernels,
            None => {
                made = kernel_matrices(weight, groups)?;
                &made
            }
        };
        convolve(x, weight.shape(), inputs.optional(2), &window, kernels)
    })
}

/// A convolution without a bias, whose kernel is an input.
pub(crate) fn convolve_whole(
    x: &Array,
    weight: &Array,
    window: &Window,
    groups: usize,
) -> Result<Array, Fault> {
    let kernels = kernel_matrices(weight, groups)?;
    convolve(x, weight.shape(), None, window, &kernels)
}

/// Half-precision kernels are held as FP32.
fn widened(weight: &Array) -> Result<Array, Fault> {
    Array::of(*weight.shape(), weight.to_f32()?)
}

fn kernel_matrices(weight: &Array, groups: usize) -> Result<Vec<Tensor>, Fault> {
    let (outputs, _, _) = image(weight.shape())?;
    if outputs % groups != 0 {
        return Err(Fault::shape("output channels are not a multiple of group"));
    }
    let columns: usize = weight.shape()[1..].iter().product();
    matrices(weight, groups, (outputs / groups, columns))
}

fn convolve(
    x: &Array,
    weight: &Shape,
    bias: Option<&Array>,
    window: &Window,
    kernels: &[Tensor],
) -> Result<Array, Fault> {
    let groups = kernels.len();
    let (batch, channels, sizes) = image(x.shape())?;
    let (outputs, per_group, taps) = image(weight)?;
    if per_group.checked_mul(groups) != Some(channels) {
        return Err(Fault::shape(format!(
            "{channels} channels for a kernel of {per_group} in {groups} groups"
        )));
    }
    if !window.kernel.is_empty() && window.kernel != taps {
        return Err(Fault::shape("kernel_shape differs from the kernel"));
    }
    let axes = window.axes(sizes, taps)?;
    let mut dims = vec![batch, outputs];
    dims.extend(axes.iter().map(|axis| axis.out));
    let shape = Shape::new(&dims)?;
    let places = places(&axes)?;
    let volume: usize = axes.iter().map(|axis| axis.out).product();
    let area: usize = sizes.iter().product();
    let taps: usize = taps.iter().product();
    let rows = per_group.saturating_mul(taps);
    if rows.saturating_mul(volume) > MAX_ELEMENTS {
        return Err(Fault::Limit(
            "the convolution's columns are too many".to_owned(),
        ));
    }
    let values = x.values::<f32>()?;
    let mut out = Vec::with_capacity(shape.volume());
    if shape.volume() == 0 {
        return Array::of(shape, out);
    }
    for image in values.chunks_exact((channels * area).max(1)) {
        for (kernel, part) in kernels
            .iter()
            .zip(image.chunks_exact((per_group * area).max(1)))
        {
            let mut columns = Vec::with_capacity(rows * volume);
            for channel in part.chunks_exact(area.max(1)) {
                columns.extend(places.iter().map(|&at| match at {
                    OUTSIDE => 0.0,
                    at => channel[at],
                }));
            }
            product(kernel, columns, (rows, volume), |sums| {
                out.extend_from_slice(sums)
            })?;
        }
    }
    with_bias(&mut out, bias_of(bias, outputs)?, volume);
    Array::of(shape, out)
}

/// The output axes of a transposed convolution, as a window over its output.
fn output_axes(
    window: &Window,
    sizes: &[usize],
    taps: &[usize],
    extra: &[usize],
    wanted: &[usize],
) -> Result<Vec<Axis>, Fault> {
    // Resolved over a large enough stand-in; sizes are put in below.
    let mut axes = Vec::with_capacity(sizes.len());
    for (at, &size) in sizes.iter().enumerate() {
        let of = |list: &[usize], at: usize, default| list.get(at).copied().unwrap_or(default);
        let mut axis = Axis {
            size: 0,
            kernel: taps[at],
            stride: of(&window.strides, at, 1),
            dilation: of(&window.dilations, at, 1),
            before: of(&window.pads, at, 0),
            after: of(&window.pads, sizes.len() + at, 0),
            out: size,
        };
        let extra = of(extra, at, 0);
        let full = (size.max(1) - 1)
            .saturating_mul(axis.stride)
            .saturating_add(axis.span())
            .saturating_add(extra);
        if let Some(&wanted) = wanted.get(at) {
            let total = full.saturating_sub(wanted);
            axis.before = total / 2;
            axis.after = total - total / 2;
        }
        let cut = axis.before.saturating_add(axis.after);
        axis.size = full
            .checked_sub(cut)
            .filter(|&size| size > 0)
            .ok_or_else(|| Fault::shape("pads cut more than there is"))?;
        axes.push(axis);
    }
    Ok(axes)
}

fn transposed(node: &Node<'_>) -> Result<Built, Refusal> {
    let window = Window::read(node)?;
    if window.auto != super::window::Auto::Explicit {
        return Err(node.refuse("auto_pad"));
    }
    let groups = group(node)?;
    let sizes = |name: &str| -> Result<Vec<usize>, Refusal> {
        let values = node.ints(name)?.unwrap_or_default();
        let all: Result<Vec<usize>, _> = values.iter().map(|&x| usize::try_from(x)).collect();
        all.map_err(|_| node.broken(name))
    };
    let extra = sizes("output_padding")?;
    let wanted = sizes("output_shape")?;
    one(move |inputs| {
        let (x, weight) = (inputs.get(0)?, inputs.get(1)?);
        let (batch, channels, sizes) = image(x.shape())?;
        let (inputs_w, per_group, taps) = image(weight.shape())?;
        let rank = sizes.len();
        let fits = |list: &[usize], n: usize| list.is_empty() || list.len() == n;
        if inputs_w != channels
            || channels % groups != 0
            || taps.len() != rank
            || rank > 3
            || !fits(&window.strides, rank)
            || !fits(&window.dilations, rank)
            || !fits(&window.pads, 2 * rank)
        {
            return Err(Fault::shape("the kernel does not fit the image"));
        }
        let axes = output_axes(&window, sizes, taps, &extra, &wanted)?;
        let outputs = per_group.saturating_mul(groups);
        let mut dims = vec![batch, outputs];
        dims.extend(axes.iter().map(|axis| axis.size));
        let shape = Shape::new(&dims)?;
        let places = places(&axes)?;
        let area: usize = axes.iter().map(|axis| axis.size).product();
        let volume: usize = sizes.iter().product();
        let each = channels / groups;
        let rows = per_group.saturating_mul(taps.iter().product());
        if rows.saturating_mul(volume) > MAX_ELEMENTS {
            return Err(Fault::Limit(
                "the convolution's columns are too many".to_owned(),
            ));
        }
        let mut out = vec![0f32; shape.volume()];
        if x.len() > 0 && !out.is_empty() {
            let kernels = matrices(weight, groups, (each, rows))?;
            let images = x.values::<f32>()?.chunks_exact(each * volume);
            for (at, part) in images.enumerate() {
                let kernel = kernels[at % groups].t()?;
                let target = &mut out[at * per_group * area..(at + 1) * per_group * area];
                product(&kernel, part.to_vec(), (each, volume), |columns| {
                    let each = columns.chunks_exact(places.len());
                    for (columns, channel) in each.zip(target.chunks_exact_mut(area)) {
                        for (&at, value) in places.iter().zip(columns) {
                            if at != OUTSIDE {
                                channel[at] += value;
                            }
                        }
                    }
                })?;
            }
        }
        with_bias(&mut out, bias_of(inputs.optional(2), outputs)?, area);
        Array::of(shape, out)
    })
}
