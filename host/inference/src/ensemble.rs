//! Tree (and linear) models as servable models, with one convention for every
//! tree format:
//!
//! - the input is `input`, FP32 `[-1, features]`, NaN where a value is missing;
//! - classifiers answer `label`, INT64 `[-1]`, the class's index, and
//!   `probabilities`, FP32 `[-1, classes]` (two columns for binary models);
//! - everything else answers `variable`, FP32 `[-1, outputs]`.
//!
//! These are the names that the usual ONNX exporters give the same models.

use crate::forest::{Forest, Post, Rows};
use domain::{
    error::ErrorKind,
    model::Format,
    ports::engine::{InferError, Model},
    signature::{Prepared, Signature, TensorSpec},
    tensor::{DataType, Tensor, TensorData},
};
use std::sync::Arc;

/// What becomes of raw scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Head {
    /// `variable`: the transformed scores.
    Regression(Post),
    /// One score; `Post` makes it the probability of class 1, which is the
    /// label where it is above one half.
    Binary(Post),
    /// One score per class; the label is the first largest.
    Classes(Post),
    /// One score; only `label`: whether it is positive (`binary:hinge`).
    Sign,
}

/// A model of raw scores.
#[derive(Debug)]
pub(crate) enum Scorer {
    /// Trees.
    Forest(Box<Forest>),
    /// A weight per feature and output (`gblinear`).
    Linear(Linear),
}

/// `bias + weights · row`, NaN counting as absent.
#[derive(Debug)]
pub(crate) struct Linear {
    /// Outputs side by side for each feature: `features * bias.len()`.
    pub(crate) weights: Vec<f64>,
    /// One per output.
    pub(crate) bias: Vec<f64>,
}

impl Scorer {
    fn targets(&self) -> usize {
        match self {
            Self::Forest(forest) => forest.targets(),
            Self::Linear(linear) => linear.bias.len(),
        }
    }

    fn features(&self) -> usize {
        match self {
            Self::Forest(forest) => forest.features(),
            Self::Linear(linear) => linear.weights.len() / linear.bias.len().max(1),
        }
    }

    fn score(&self, rows: &[f32], out: &mut [f64]) {
        match self {
            Self::Forest(forest) => forest.score(Rows::F32(rows), out),
            Self::Linear(linear) => linear.score(rows, out),
        }
    }
}

impl Linear {
    fn score(&self, rows: &[f32], out: &mut [f64]) {
        let targets = self.bias.len();
        let rows = rows.chunks_exact(self.weights.len() / targets);
        for (row, scores) in rows.zip(out.chunks_exact_mut(targets)) {
            scores.copy_from_slice(&self.bias);
            for (x, weights) in row.iter().zip(self.weights.chunks_exact(targets)) {
                if x.is_nan() {
                    continue;
                }
                for (score, weight) in scores.iter_mut().zip(weights) {
                    *score += f64::from(*x) * weight;
                }
            }
        }
    }
}

/// A tree or linear model ready to run.
#[derive(Debug)]
pub(crate) struct Ensemble {
    signature: Signature,
    format: Format,
    scorer: Scorer,
    head: Head,
    features: usize,
}

impl Ensemble {
    /// Puts a model together. `fields` is empty or names every feature.
    pub(crate) fn new(format: Format, scorer: Scorer, head: Head, fields: Vec<String>) -> Self {
        let (features, targets) = (scorer.features(), scorer.targets());
        let wide = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let label = || TensorSpec::new("label", DataType::Int64, vec![-1]);
        let numbers =
            |name: &str, count| TensorSpec::new(name, DataType::Fp32, vec![-1, wide(count)]);
        let mut input = numbers("input", features);
        input.fields = fields;
        let outputs = match head {
            Head::Regression(_) => vec![numbers("variable", targets)],
            Head::Binary(_) => vec![label(), numbers("probabilities", 2)],
            Head::Classes(_) => vec![label(), numbers("probabilities", targets)],
            Head::Sign => vec![label()],
        };
        Self {
            signature: Signature {
                inputs: vec![input],
                outputs,
            },
            format,
            scorer,
            head,
            features,
        }
    }

    fn tensors(&self, mut columns: Vec<TensorData>, rows: usize) -> Vec<Tensor> {
        let mut tensors = Vec::with_capacity(columns.len());
        for (spec, data) in self.signature.outputs.iter().zip(columns.drain(..)) {
            let mut shape = vec![rows];
            if spec.shape.len() == 2 {
                shape.push(data.len().checked_div(rows).unwrap_or(0));
            }
            tensors.push(Tensor {
                name: Arc::clone(&spec.name),
                shape,
                data,
            });
        }
        tensors
    }
}

impl Model for Ensemble {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn format(&self) -> Format {
        self.format
    }

    fn infer(&self, inputs: &Prepared) -> Result<Vec<Tensor>, InferError> {
        let rows = inputs.rows();
        let values = match inputs.tensors() {
            [
                Tensor {
                    data: TensorData::Fp32(values),
                    ..
                },
            ] if Some(values.len()) == rows.checked_mul(self.features) => values,
            _ => {
                return Err(InferError {
                    kind: ErrorKind::Internal,
                    message: "the input was prepared for another model".to_owned(),
                });
            }
        };
        let targets = self.scorer.targets();
        let mut scores = vec![0.0; rows.saturating_mul(targets)];
        self.scorer.score(values, &mut scores);
        Ok(self.tensors(self.head.finish(&mut scores, targets), rows))
    }
}

impl Head {
    fn finish(self, scores: &mut [f64], targets: usize) -> Vec<TensorData> {
        let single = |scores: &[f64]| TensorData::Fp32(scores.iter().map(|&x| x as f32).collect());
        match self {
            Self::Regression(post) => {
                scores
                    .chunks_exact_mut(targets)
                    .for_each(|row| post.apply(row));
                vec![single(scores)]
            }
            Self::Binary(post) => {
                scores
                    .iter_mut()
                    .for_each(|score| post.apply(std::slice::from_mut(score)));
                let labels = scores.iter().map(|&p| i64::from(p > 0.5)).collect();
                let both = scores.iter().flat_map(|&p| [(1.0 - p) as f32, p as f32]);
                vec![TensorData::Int64(labels), TensorData::Fp32(both.collect())]
            }
            Self::Classes(post) => {
                let mut labels = Vec::with_capacity(scores.len() / targets);
                for row in scores.chunks_exact_mut(targets) {
                    labels.push(first_largest(row));
                    post.apply(row);
                }
                vec![TensorData::Int64(labels), single(scores)]
            }
            Self::Sign => {
                let labels = scores.iter().map(|&score| i64::from(score > 0.0)).collect();
                vec![TensorData::Int64(labels)]
            }
        }
    }
}

fn first_largest(row: &[f64]) -> i64 {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, &score) in (0..).zip(row) {
        if score > best.1 {
            best = (index, score);
        }
    }
    best.0
}
