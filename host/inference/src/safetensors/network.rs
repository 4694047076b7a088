//! Layers with their weights, checked against each other, and running them.

use super::architecture::{self, Architecture, Layer};
use crate::onnx::{
    Fault,
    linear::{Activation, Layout, Linear},
};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

/// Widest layer.
const MAX_WIDTH: usize = 1 << 24;

/// One layer, ready to run.
#[derive(Debug)]
enum Step {
    Linear(Linear),
    Activation(Activation),
    Softmax {
        width: usize,
    },
    LayerNorm {
        weight: Vec<f32>,
        bias: Vec<f32>,
        epsilon: f32,
    },
    Scale {
        mean: Vec<f32>,
        scale: Vec<f32>,
    },
}

/// A stack of layers.
#[derive(Debug)]
pub(super) struct Network {
    steps: Vec<Step>,
    outputs: usize,
}

struct Weights<'a> {
    tensors: &'a SafeTensors<'a>,
    /// `layer 3 (linear)`, for messages.
    place: String,
}

impl Weights<'_> {
    fn fail<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{}: {what}", self.place))
    }

    /// A tensor's shape and elements as FP32.
    fn read(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
        let Ok(tensor) = self.tensors.tensor(name) else {
            return self.fail(&format!("the file has no tensor {name:?}"));
        };
        let bytes = tensor.data();
        let values = match tensor.dtype() {
            Dtype::F32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|&b| f32::from_le_bytes(b))
                .collect(),
            Dtype::F64 => {
                let wide = bytes.as_chunks().0.iter();
                wide.map(|&b| f64::from_le_bytes(b) as f32).collect()
            }
            Dtype::F16 => {
                let half = bytes.as_chunks().0.iter();
                half.map(|&b| f16::from_le_bytes(b).to_f32()).collect()
            }
            Dtype::BF16 => {
                let half = bytes.as_chunks().0.iter();
                half.map(|&b| bf16::from_le_bytes(b).to_f32()).collect()
            }
            other => {
                return self.fail(&format!(
                    "tensor {name:?} is {other:?}: use F32, F64, F16 or BF16"
                ));
            }
        };
        Ok((tensor.shape().to_vec(), values))
    }

    /// A tensor of one value per feature, or `default` for each.
    fn vector(
        &self,
        name: Option<&String>,
        width: usize,
        default: f32,
    ) -> Result<Vec<f32>, String> {
        let Some(name) = name else {
            return Ok(vec![default; width]);
        };
        let (shape, values) = self.read(name)?;
        if values.len() != width || shape.iter().filter(|&&dim| dim != 1).count() > 1 {
            return self.fail(&format!(
                "tensor {name:?} has shape {shape:?}, expected [{width}]"
            ));
        }
        Ok(values)
    }

    fn linear(
        &self,
        layer: &architecture::Linear,
        width: usize,
        activation: Activation,
    ) -> Result<Linear, String> {
        let (shape, weight) = self.read(&layer.weight)?;
        let [outputs, inputs] = *shape else {
            return self.fail(&format!(
                "tensor {:?} has shape {shape:?}, expected [outputs, {width}]",
                layer.weight
            ));
        };
        if inputs != width || outputs == 0 || outputs > MAX_WIDTH {
            return self.fail(&format!(
                "tensor {:?} has shape {shape:?}, expected [outputs, {width}]",
                layer.weight
            ));
        }
        let bias = match &layer.bias {
            Some(_) => self.vector(layer.bias.as_ref(), outputs, 0.0)?,
            None => Vec::new(),
        };
        Linear::new(&weight, (inputs, outputs), Layout::OutIn, &bias, activation)
            .or_else(|error| self.fail(&error.to_string()))
    }
}

/// The fused form of an activation; softmax has none.
fn fused(activation: architecture::Activation) -> Option<Activation> {
    Some(match activation {
        architecture::Activation::Relu => Activation::Relu,
        architecture::Activation::Tanh => Activation::Tanh,
        architecture::Activation::Sigmoid => Activation::Sigmoid,
        architecture::Activation::Silu => Activation::Silu,
        architecture::Activation::Gelu => Activation::Gelu,
        architecture::Activation::Softmax => return None,
    })
}

impl Network {
    /// Reads the weights each layer names.
    pub(super) fn new(
        architecture: &Architecture,
        tensors: &SafeTensors<'_>,
    ) -> Result<Self, String> {
        let mut width = architecture.input;
        let mut steps = Vec::with_capacity(architecture.layers.len());
        let mut layers = architecture.layers.iter().enumerate().peekable();
        while let Some((at, layer)) = layers.next() {
            let weights = |kind: &str| Weights {
                tensors,
                place: format!("layer {at} ({kind})"),
            };
            steps.push(match layer {
                Layer::Linear(linear) => {
                    // An activation right after a dense layer is part of it.
                    let activation = match layers.peek() {
                        Some((_, Layer::Activation(next))) => fused(*next),
                        _ => None,
                    };
                    if activation.is_some() {
                        layers.next();
                    }
                    let activation = activation.unwrap_or(Activation::Identity);
                    let made = weights("linear").linear(linear, width, activation)?;
                    width = made.outputs();
                    Step::Linear(made)
                }
                Layer::Activation(activation) => match fused(*activation) {
                    Some(activation) => Step::Activation(activation),
                    None => Step::Softmax { width },
                },
                Layer::LayerNorm(norm) => {
                    let weights = weights("layer_norm");
                    if norm.epsilon.is_nan() || norm.epsilon < 0.0 {
                        return weights.fail("epsilon must not be negative");
                    }
                    Step::LayerNorm {
                        weight: weights.vector(norm.weight.as_ref(), width, 1.0)?,
                        bias: weights.vector(norm.bias.as_ref(), width, 0.0)?,
                        epsilon: norm.epsilon,
                    }
                }
                Layer::Scale(scale) => {
                    let weights = weights("scale");
                    Step::Scale {
                        mean: weights.vector(scale.mean.as_ref(), width, 0.0)?,
                        scale: weights.vector(scale.scale.as_ref(), width, 1.0)?,
                    }
                }
            });
        }
        Ok(Self {
            steps,
            outputs: width,
        })
    }

    /// Values per row out.
    pub(super) const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Runs rows of features through the layers.
    pub(super) fn run(&self, rows: &[f32]) -> Result<Vec<f32>, Fault> {
        let Some((first, rest)) = self.steps.split_first() else {
            return Ok(rows.to_vec());
        };
        // The first dense layer reads the caller's rows in place.
        let mut values = match first {
            Step::Linear(linear) => linear.rows(rows)?,
            other => other.apply(rows.to_vec())?,
        };
        for step in rest {
            values = step.apply(values)?;
        }
        Ok(values)
    }
}

impl Step {
    fn apply(&self, mut values: Vec<f32>) -> Result<Vec<f32>, Fault> {
        match self {
            Self::Linear(linear) => return linear.rows(&values),
            Self::Activation(activation) => activation.apply(&mut values),
            Self::Softmax { width } => values.chunks_exact_mut(*width).for_each(softmax),
            Self::LayerNorm {
                weight,
                bias,
                epsilon,
            } => {
                for row in values.chunks_exact_mut(weight.len()) {
                    normalise(row, *epsilon);
                    for (x, (weight, bias)) in row.iter_mut().zip(weight.iter().zip(bias)) {
                        *x = *x * weight + bias;
                    }
                }
            }
            Self::Scale { mean, scale } => {
                for row in values.chunks_exact_mut(mean.len()) {
                    for (x, (mean, scale)) in row.iter_mut().zip(mean.iter().zip(scale)) {
                        *x = (*x - mean) / scale;
                    }
                }
            }
        }
        Ok(values)
    }
}

fn softmax(row: &mut [f32]) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for x in &mut *row {
        *x = (*x - most).exp();
        sum += *x;
    }
    for x in row {
        *x /= sum;
    }
}

fn normalise(row: &mut [f32], epsilon: f32) {
    let n = row.len() as f32;
    let mean = row.iter().sum::<f32>() / n;
    let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / n;
    let scale = (variance + epsilon).sqrt().recip();
    for x in row {
        *x = (*x - mean) * scale;
    }
}
