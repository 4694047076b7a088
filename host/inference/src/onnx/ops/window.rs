//! Sliding windows over the spatial axes of an image batch `[N, C, ...]`, shared
//! by convolutions and pools.

use crate::onnx::{
    array::{MAX_ELEMENTS, Shape},
    fault::{Fault, Refusal},
    node::Node,
};

/// A place outside the image.
pub(crate) const OUTSIDE: usize = usize::MAX;
/// Largest size, stride, dilation or pad along one axis.
const MAX_SIZE: i64 = 1 << 20;

/// Where padding comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auto {
    /// The `pads` attribute.
    Explicit,
    /// As much as keeps `ceil(size / stride)`, the odd one after.
    SameUpper,
    /// The same, the odd one before.
    SameLower,
    /// None.
    Valid,
}

/// The attributes that convolutions and pools share; empty lists are defaults.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) kernel: Vec<usize>,
    pub(crate) strides: Vec<usize>,
    pub(crate) dilations: Vec<usize>,
    pub(crate) pads: Vec<usize>,
    pub(crate) auto: Auto,
    pub(crate) ceil: bool,
}

/// One spatial axis, resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) size: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) before: usize,
    pub(crate) after: usize,
    pub(crate) out: usize,
}

impl Window {
    /// Reads the attributes.
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, Refusal> {
        let sizes = |name: &str, least: i64| -> Result<Vec<usize>, Refusal> {
            let values = node.ints(name)?.unwrap_or_default();
            let fits = |&x: &i64| (least..=MAX_SIZE).contains(&x).then_some(x as usize);
            let all: Option<Vec<usize>> = values.iter().map(fits).collect();
            all.filter(|all| all.len() <= 6)
                .ok_or_else(|| node.broken(&format!("{name} {values:?}")))
        };
        let auto = match node.string("auto_pad")?.as_deref() {
            None | Some("NOTSET" | "") => Auto::Explicit,
            Some("SAME_UPPER") => Auto::SameUpper,
            Some("SAME_LOWER") => Auto::SameLower,
            Some("VALID") => Auto::Valid,
            Some(other) => return Err(node.refuse(&format!("auto_pad={other}"))),
        };
        Ok(Self {
            kernel: sizes("kernel_shape", 1)?,
            strides: sizes("strides", 1)?,
            dilations: sizes("dilations", 1)?,
            pads: sizes("pads", 0)?,
            auto,
            ceil: false,
        })
    }

    /// Resolves the axes for an image of `sizes` and a kernel of `kernel`.
    pub(crate) fn axes(&self, sizes: &[usize], kernel: &[usize]) -> Result<Vec<Axis>, Fault> {
        let rank = sizes.len();
        let fits = |list: &[usize], n: usize| list.is_empty() || list.len() == n;
        if rank == 0
            || rank > 3
            || kernel.len() != rank
            || !fits(&self.strides, rank)
            || !fits(&self.dilations, rank)
            || !fits(&self.pads, 2 * rank)
        {
            return Err(Fault::shape(format!(
                "a window of {kernel:?} over {rank} spatial axes"
            )));
        }
        let of = |list: &[usize], at: usize, default| list.get(at).copied().unwrap_or(default);
        let axis = |at: usize| {
            let mut axis = Axis {
                size: sizes[at],
                kernel: kernel[at],
                stride: of(&self.strides, at, 1),
                dilation: of(&self.dilations, at, 1),
                before: of(&self.pads, at, 0),
                after: of(&self.pads, rank + at, 0),
                out: 0,
            };
            axis.resolve(self.auto, self.ceil)?;
            Ok(axis)
        };
        (0..rank).map(axis).collect()
    }
}

impl Axis {
    /// Places the kernel covers.
    pub(crate) fn span(&self) -> usize {
        (self.kernel.max(1) - 1)
            .saturating_mul(self.dilation)
            .saturating_add(1)
    }

    fn resolve(&mut self, auto: Auto, ceil: bool) -> Result<(), Fault> {
        match auto {
            Auto::Explicit => {}
            Auto::Valid => (self.before, self.after) = (0, 0),
            Auto::SameUpper | Auto::SameLower => {
                let out = self.size.div_ceil(self.stride);
                let needed = (out.max(1) - 1)
                    .saturating_mul(self.stride)
                    .saturating_add(self.span());
                let total = needed.saturating_sub(self.size);
                let (small, large) = (total / 2, total - total / 2);
                (self.before, self.after) = match auto {
                    Auto::SameLower => (large, small),
                    _ => (small, large),
                };
            }
        }
        let padded = self
            .size
            .saturating_add(self.before)
            .saturating_add(self.after);
        let Some(room) = padded.checked_sub(self.span()) else {
            return Err(Fault::shape(format!(
                "a window of {} over {padded} places",
                self.span()
            )));
        };
        self.out = room / self.stride + 1;
        if ceil && room % self.stride != 0 {
            // A last window that starts in the padding after the image is dropped.
            let start = self.out.saturating_mul(self.stride);
            if start < self.size.saturating_add(self.before) {
                self.out += 1;
            }
        }
        Ok(())
    }
}

/// For every place of the kernel (outer) and of the output (inner) the offset
/// in one channel's image, or [`OUTSIDE`].
pub(crate) fn places(axes: &[Axis]) -> Result<Vec<usize>, Fault> {
    let mut dims: Vec<usize> = axes.iter().map(|axis| axis.kernel).collect();
    dims.extend(axes.iter().map(|axis| axis.out));
    let total = dims.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
    let Some(total) = total.filter(|&n| n <= MAX_ELEMENTS) else {
        return Err(Fault::Limit(format!("windows {dims:?} are too many")));
    };
    let mut all = vec![0usize; total];
    // Axis by axis: offset = offset * size + place.
    let mut parts = Vec::with_capacity(axes.len());
    let taps: usize = axes.iter().map(|axis| axis.kernel).product();
    let outs: usize = axes.iter().map(|axis| axis.out).product();
    let mut tap_repeat = taps;
    let mut out_repeat = outs;
    for axis in axes {
        tap_repeat /= axis.kernel.max(1);
        out_repeat = out_repeat.checked_div(axis.out).unwrap_or(0);
        parts.push((tap_repeat, out_repeat));
    }
    for (at, place) in all.iter_mut().enumerate() {
        let (tap, out) = (at / outs.max(1), at % outs.max(1));
        let mut offset = 0usize;
        for (axis, (tap_repeat, out_repeat)) in axes.iter().zip(&parts) {
            let k = tap / tap_repeat.max(&1) % axis.kernel;
            let o = out / out_repeat.max(&1) % axis.out;
            let position = o * axis.stride + k * axis.dilation;
            match position.checked_sub(axis.before) {
                Some(position) if position < axis.size => {
                    offset = offset * axis.size + position;
                }
                _ => {
                    offset = OUTSIDE;
                    break;
                }
            }
        }
        *place = offset;
    }
    Ok(all)
}

/// Batch, channels, and spatial sizes.
pub(crate) fn image(shape: &Shape) -> Result<(usize, usize, &[usize]), Fault> {
    match shape.split_first_chunk::<2>() {
        Some((&[batch, channels], sizes)) if !sizes.is_empty() => Ok((batch, channels, sizes)),
        _ => Err(Fault::shape(format!(
            "shape {:?} is not an image batch",
            &**shape
        ))),
    }
}
