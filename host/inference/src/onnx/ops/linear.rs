//! A dense layer with resident weights: `activation(x · W + b)`.
//!
//! Small products run in plain loops over weights packed in panels of sixteen
//! columns; larger ones run on gemm, candle's matrix product, one product for each
//! block of columns. The borders were measured (see `SMALL` and `BLOCK`).

use crate::onnx::{
    array::{Array, Shape},
    fault::{Fault, Refusal},
};
use gemm::Parallelism;

/// Columns computed at once by the plain loops.
const LANES: usize = 16;
/// Multiply-adds, padding included, up to which the plain loops beat gemm.
const SMALL: usize = 12_288;
/// Columns of one product: two tiles of gemm's AVX-512 kernel, eight of its AVX2
/// kernel. A wide matrix kept whole is read a few columns at a time, over rows
/// that lie kilobytes apart, or copied together anew by every call; a block lies
/// in memory in the order it is read. 64 and 256 columns do about as well.
const BLOCK: usize = 128;
/// Bytes.
const CACHE_LINE: usize = 64;

/// What happens to a layer's sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing.
    Identity,
    /// `max(x, 0)`
    Relu,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `tanh(x)`
    Tanh,
    /// `x / (1 + exp(-x))`
    Silu,
    /// `x/2 (1 + erf(x / √2))`
    Gelu,
}

impl Activation {
    /// Applies it in place.
    pub(crate) fn apply(self, values: &mut [f32]) {
        let each = |values: &mut [f32], f: fn(f32) -> f32| {
            for value in values {
                *value = f(*value);
            }
        };
        match self {
            Self::Identity => {}
            Self::Relu => {
                for value in values {
                    *value = if *value < 0.0 { 0.0 } else { *value };
                }
            }
            Self::Sigmoid => each(values, |x| 1.0 / (1.0 + (-x).exp())),
            Self::Tanh => each(values, f32::tanh),
            Self::Silu => each(values, |x| x / (1.0 + (-x).exp())),
            Self::Gelu => each(values, |x| {
                let erf = candle_core::cpu::erf::erf_f32(x * std::f32::consts::FRAC_1_SQRT_2);
                0.5 * x * (1.0 + erf)
            }),
        }
    }
}

/// Weights as they are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `[inputs, outputs]`
    InOut,
    /// `[outputs, inputs]`
    OutIn,
}

/// A dense layer.
#[derive(Debug)]
pub(crate) struct Linear {
    inputs: usize,
    outputs: usize,
    /// `outputs` rounded up to whole panels.
    bias: Vec<f32>,
    /// Weights for the plain loops, panel by panel; empty if never small.
    panels: Vec<f32>,
    /// Weights for gemm, block by block: `[inputs, BLOCK]`, the last narrower.
    blocks: Vec<f32>,
    /// Where they begin: at a cache line, since loads that cross one cost double.
    start: usize,
    activation: Activation,
}

impl Linear {
    /// Packs the weights. `bias` is empty or has one value per output.
    pub(crate) fn new(
        weight: &[f32],
        (inputs, outputs): (usize, usize),
        layout: Layout,
        bias: &[f32],
        activation: Activation,
    ) -> Result<Self, Refusal> {
        if inputs == 0 || outputs == 0 || inputs.checked_mul(outputs) != Some(weight.len()) {
            return Err(Refusal::malformed(
                "a dense layer's weight has a wrong size",
            ));
        }
        let mut padded = bias.to_vec();
        padded.resize(outputs.next_multiple_of(LANES), 0.0);
        let at = |i: usize, o: usize| match layout {
            Layout::InOut => weight[i * outputs + o],
            Layout::OutIn => weight[o * inputs + i],
        };
        let mut panels = Vec::new();
        if weight.len() <= SMALL {
            panels.reserve_exact(inputs * padded.len());
            for first in (0..outputs).step_by(LANES) {
                for i in 0..inputs {
                    let lanes = first..first + LANES;
                    panels.extend(lanes.map(|o| if o < outputs { at(i, o) } else { 0.0 }));
                }
            }
        }
        let mut blocks: Vec<f32> = Vec::with_capacity(weight.len() + LANES);
        let start = blocks.as_ptr().align_offset(CACHE_LINE).min(LANES);
        blocks.resize(start, 0.0);
        for first in (0..outputs).step_by(BLOCK) {
            let columns = first..outputs.min(first + BLOCK);
            for i in 0..inputs {
                blocks.extend(columns.clone().map(|o| at(i, o)));
            }
        }
        Ok(Self {
            inputs,
            outputs,
            bias: padded,
            panels,
            blocks,
            start,
            activation,
        })
    }

    /// Values per row in.
    pub(crate) const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Values per row out.
    pub(crate) const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Applies the layer to rows: `x.len()` is a multiple of the inputs.
    pub(crate) fn rows(&self, x: &[f32]) -> Result<Vec<f32>, Fault> {
        let rows = x.len() / self.inputs;
        let work = x.len().saturating_mul(self.bias.len());
        let mut out = Vec::with_capacity(rows.saturating_mul(self.outputs));
        if work <= SMALL && !self.panels.is_empty() {
            self.small(x, &mut out);
        } else if rows > 0 {
            for _ in 0..rows {
                out.extend_from_slice(&self.bias[..self.outputs]);
            }
            self.add_products(x, rows, &mut out)?;
        }
        self.activation.apply(&mut out);
        Ok(out)
    }

    fn small(&self, x: &[f32], out: &mut Vec<f32>) {
        for row in x.chunks_exact(self.inputs) {
            let panels = self.panels.chunks_exact(self.inputs * LANES);
            let (bias, _) = self.bias.as_chunks::<LANES>();
            for (at, (panel, bias)) in panels.zip(bias).enumerate() {
                let mut sums = *bias;
                let (columns, _) = panel.as_chunks::<LANES>();
                for (x, column) in row.iter().zip(columns) {
                    for (sum, w) in sums.iter_mut().zip(column) {
                        *sum += x * w;
                    }
                }
                let wanted = LANES.min(self.outputs - at * LANES);
                out.extend_from_slice(&sums[..wanted]);
            }
        }
    }

    /// Adds the rows' products to `out`.
    #[expect(
        unsafe_code,
        reason = "gemm takes pointers; candle's safe matmul copies the rows, clears and \
                  copies the result, which doubles the time of a small network's batch"
    )]
    fn add_products(&self, x: &[f32], rows: usize, out: &mut [f32]) -> Result<(), Fault> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let blocks = &self.blocks[self.start..];
        let sizes = (Some(x.len()), Some(out.len()), Some(blocks.len()));
        let needed = (
            rows.checked_mul(inputs),
            rows.checked_mul(outputs),
            inputs.checked_mul(outputs),
        );
        if sizes != needed {
            return Err(Fault::Internal("a layer's sizes do not fit".to_owned()));
        }
        for first in (0..outputs).step_by(BLOCK) {
            let columns = BLOCK.min(outputs - first);
            let block = &blocks[first * inputs..][..columns * inputs];
            let out = &mut out[first..];
            // SAFETY: gemm reads `block` as `[inputs, columns]` and `x` as `[rows, inputs]`,
            // which are exactly their sizes, and adds to `columns` elements at each
            // `outputs`-th of `out`, whose last row has them: all three were compared above.
            unsafe {
                gemm::gemm(
                    columns,
                    rows,
                    inputs,
                    out.as_mut_ptr(),
                    outputs as isize,
                    1,
                    true,
                    block.as_ptr(),
                    columns as isize,
                    1,
                    x.as_ptr(),
                    inputs as isize,
                    1,
                    1.0,
                    1.0,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        }
        Ok(())
    }

    /// Applies the layer along the last axis; the value has at least
    /// `min_rank` axes.
    pub(crate) fn array(&self, x: &Array, min_rank: usize) -> Result<Array, Fault> {
        let shape = x.shape();
        let last = shape.len().wrapping_sub(1);
        if shape.len() < min_rank.max(1) || shape.get(last) != Some(&self.inputs) {
            return Err(Fault::shape(format!(
                "shape {:?} where the last of at least {} dimensions must be {}",
                &**shape,
                min_rank.max(1),
                self.inputs
            )));
        }
        let made: Shape = shape.with(last, self.outputs)?;
        Array::of(made, self.rows(x.values::<f32>()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whole numbers over 64: sums in f32 are exact, in any order.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let each = (0..count).map(|at| (at * at * 31 + at * 17 + seed) % 129);
        each.map(|x| (x as f32 - 64.0) / 64.0).collect()
    }

    fn turned(weight: &[f32], inputs: usize) -> Vec<f32> {
        let outputs = weight.len() / inputs;
        let columns = (0..outputs).flat_map(|o| weight.iter().skip(o).step_by(outputs));
        columns.copied().collect()
    }

    fn expected(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize) -> Vec<f32> {
        let outputs = weight.len() / inputs;
        let row = |x: &[f32]| -> Vec<f32> {
            let mut sums: Vec<f32> = (0..outputs)
                .map(|o| bias.get(o).copied().unwrap_or(0.0))
                .collect();
            for (x, weights) in x.iter().zip(weight.chunks(outputs)) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += x * weight;
                }
            }
            sums
        };
        x.chunks(inputs).flat_map(row).collect()
    }

    /// The layer of either layout gives these sums.
    fn agrees(
        rows: usize,
        inputs: usize,
        outputs: usize,
        seed: usize,
    ) -> Result<(), TestCaseError> {
        let (weight, x) = (
            numbers(inputs * outputs, seed),
            numbers(rows * inputs, seed + 1),
        );
        for bias in [numbers(outputs, seed + 2), Vec::new()] {
            let expected = expected(&x, &weight, &bias, inputs);
            let columns = turned(&weight, inputs);
            for (weight, layout) in [(&weight, Layout::InOut), (&columns, Layout::OutIn)] {
                let size = (inputs, outputs);
                let layer = Linear::new(weight, size, layout, &bias, Activation::Identity);
                prop_assert_eq!(&layer.unwrap().rows(&x).unwrap(), &expected);
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_shape_gives_the_sums(
            rows in 0..9_usize,
            inputs in 1..150_usize,
            outputs in 1..300_usize,
            seed in 0..1000_usize,
        ) {
            agrees(rows, inputs, outputs, seed)?;
        }
    }

    #[test]
    fn shapes_at_the_borders_give_the_sums() {
        for outputs in [
            1,
            LANES,
            LANES + 1,
            BLOCK - 1,
            BLOCK,
            BLOCK + 1,
            2 * BLOCK,
            2 * BLOCK + 1,
        ] {
            for rows in [1, 2, 64] {
                agrees(rows, 96, outputs, 5).unwrap();
            }
        }
    }
}
