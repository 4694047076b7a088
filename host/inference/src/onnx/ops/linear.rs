//! A dense layer with resident weights: `activation(x · W + b)`.
//!
//! Small products run in plain loops over weights packed in panels of sixteen
//! columns; larger ones run as a candle matrix product. The border was measured
//! (see `SMALL`).

use crate::onnx::{
    array::{Array, Shape},
    fault::{Fault, Refusal},
};
use candle_core::{CpuStorage, Device, Storage, Tensor};

/// Columns computed at once by the plain loops.
const LANES: usize = 16;
/// Multiply-adds up to which the plain loops beat a candle product.
const SMALL: usize = 12_288;

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
    /// Weights for candle, `[inputs, outputs]`.
    weight: Tensor,
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
        let tensor = match layout {
            Layout::InOut => Tensor::from_slice(weight, (inputs, outputs), &Device::Cpu),
            Layout::OutIn => Tensor::from_slice(weight, (outputs, inputs), &Device::Cpu)
                .and_then(|tensor| tensor.t()?.contiguous()),
        };
        Ok(Self {
            inputs,
            outputs,
            bias: padded,
            panels,
            weight: tensor.map_err(Fault::from)?,
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
        let work = x.len().saturating_mul(self.outputs);
        let mut out = Vec::with_capacity(rows.saturating_mul(self.outputs));
        if work <= SMALL && !self.panels.is_empty() {
            self.small(x, &mut out);
        } else if rows > 0 {
            self.large(x, rows, &mut out)?;
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

    fn large(&self, x: &[f32], rows: usize, out: &mut Vec<f32>) -> Result<(), Fault> {
        let x = Tensor::from_slice(x, (rows, self.inputs), &Device::Cpu)?;
        let product = x.matmul(&self.weight)?;
        let (storage, _) = product.storage_and_layout();
        let Storage::Cpu(CpuStorage::F32(sums)) = &*storage else {
            return Err(Fault::Internal("a product left the CPU".to_owned()));
        };
        for row in sums.chunks_exact(self.outputs) {
            out.extend(row.iter().zip(&self.bias).map(|(sum, bias)| sum + bias));
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
