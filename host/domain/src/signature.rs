//! What a model takes and gives, and the proof that an input fits it.

use crate::{
    frame::{Frame, FrameError},
    tensor::{DataType, Tensor, TensorData, volume},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One input or output: name, datatype, shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    /// Name of the tensor.
    pub name: Arc<str>,
    /// Element type.
    pub datatype: DataType,
    /// Dimensions; -1 is any size. The first is the batch of rows.
    pub shape: Vec<i64>,
    /// Names along the last dimension, when the model knows its features' names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

impl TensorSpec {
    /// A spec without field names.
    pub fn new(name: impl Into<Arc<str>>, datatype: DataType, shape: Vec<i64>) -> Self {
        Self {
            name: name.into(),
            datatype,
            shape,
            fields: Vec::new(),
        }
    }

    fn fits(&self, shape: &[usize]) -> bool {
        shape.len() == self.shape.len()
            && shape
                .iter()
                .zip(&self.shape)
                .all(|(&is, &want)| usize::try_from(want).map_or(want < 0, |want| want == is))
    }
}

/// Inputs and outputs of a model version (or of an endpoint).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Every input, all required.
    pub inputs: Vec<TensorSpec>,
    /// Every output, in the order they are answered.
    pub outputs: Vec<TensorSpec>,
}

/// Inputs that were checked against a [`Signature`]: the only thing an engine
/// takes. Tensors stand in signature order and share one row count.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    tensors: Vec<Tensor>,
    rows: usize,
}

/// Inputs that do not fit a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A required input was not given.
    #[error("input {name:?} is missing: the model takes {expected}")]
    Missing {
        /// The input.
        name: String,
        /// All inputs, for the reader.
        expected: String,
    },
    /// An input that the signature does not have.
    #[error("input {name:?} is not known: the model takes {expected}")]
    Unknown {
        /// The input.
        name: String,
        /// All inputs, for the reader.
        expected: String,
    },
    /// Same name twice.
    #[error("input {name:?} is given twice")]
    Twice {
        /// The input.
        name: String,
    },
    /// Another element type than declared.
    #[error("input {name:?} has datatype {given}, expected {expected}")]
    DataType {
        /// The input.
        name: String,
        /// Given.
        given: DataType,
        /// Declared.
        expected: DataType,
    },
    /// Another shape than declared.
    #[error("input {name:?} has shape {given:?}, expected {expected:?} (-1 is any size)")]
    Shape {
        /// The input.
        name: String,
        /// Given.
        given: Vec<usize>,
        /// Declared.
        expected: Vec<i64>,
    },
    /// Inputs with different numbers of rows.
    #[error("input {name:?} has {given} rows, the inputs before it {expected}")]
    Rows {
        /// The input.
        name: String,
        /// Given.
        given: usize,
        /// Rows of the first input.
        expected: usize,
    },
    /// A table that does not give the tensors.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl Signature {
    fn names(&self) -> String {
        let names: Vec<_> = self
            .inputs
            .iter()
            .map(|spec| format!("{} {} {:?}", spec.name, spec.datatype, spec.shape))
            .collect();
        names.join(", ")
    }

    /// Checks `given` and puts it in order. Numeric tensors of the wrong width
    /// are refused, never converted: the caller said what it sends.
    pub fn prepare(&self, mut given: Vec<Tensor>) -> Result<Prepared, InputError> {
        let mut tensors = Vec::with_capacity(self.inputs.len());
        let mut rows = None;
        for spec in &self.inputs {
            let found = given.iter().position(|tensor| *tensor.name == *spec.name);
            let Some(at) = found else {
                return Err(InputError::Missing {
                    name: spec.name.to_string(),
                    expected: self.names(),
                });
            };
            let mut tensor = given.swap_remove(at);
            check(spec, &tensor)?;
            let first = *rows.get_or_insert(tensor.rows());
            if !spec.shape.is_empty() && tensor.rows() != first && spec.shape[0] < 0 {
                return Err(InputError::Rows {
                    name: spec.name.to_string(),
                    given: tensor.rows(),
                    expected: first,
                });
            }
            tensor.name = Arc::clone(&spec.name);
            tensors.push(tensor);
        }
        match given.first() {
            Some(extra) if self.inputs.iter().any(|spec| spec.name == extra.name) => {
                Err(InputError::Twice {
                    name: extra.name.to_string(),
                })
            }
            Some(extra) => Err(InputError::Unknown {
                name: extra.name.to_string(),
                expected: self.names(),
            }),
            None => Ok(Prepared {
                tensors,
                rows: rows.unwrap_or(1),
            }),
        }
    }

    /// Makes inputs from a table: a single two-dimensional numeric input takes
    /// the table's columns (by field name where the spec has names, else in
    /// order); otherwise each input takes the column of its own name.
    pub fn prepare_frame(&self, frame: &Frame) -> Result<Prepared, InputError> {
        let rows = frame.rows();
        if let [spec] = self.inputs.as_slice()
            && spec.shape.len() == 2
            && spec.datatype != DataType::Bytes
            && !(frame.columns.len() == 1
                && *frame.columns[0].name == *spec.name
                && spec.shape[1] > 1)
        {
            let width = usize::try_from(spec.shape[1]).unwrap_or(frame.columns.len());
            let columns = frame.select(&spec.fields, width)?;
            let data = crate::frame::interleave(&columns, rows, spec.datatype)?;
            return self.prepare(vec![Tensor {
                name: Arc::clone(&spec.name),
                shape: vec![rows, columns.len()],
                data,
            }]);
        }
        let mut tensors = Vec::with_capacity(self.inputs.len());
        for spec in &self.inputs {
            let column = frame
                .column(&spec.name)
                .ok_or_else(|| InputError::Missing {
                    name: spec.name.to_string(),
                    expected: self.names(),
                })?;
            let data = crate::frame::interleave(&[column], rows, spec.datatype)?;
            let mut shape = vec![rows];
            shape.extend(spec.shape.iter().skip(1).map(|_| 1usize));
            tensors.push(Tensor {
                name: Arc::clone(&spec.name),
                shape,
                data,
            });
        }
        self.prepare(tensors)
    }
}

fn check(spec: &TensorSpec, tensor: &Tensor) -> Result<(), InputError> {
    if tensor.datatype() != spec.datatype {
        return Err(InputError::DataType {
            name: spec.name.to_string(),
            given: tensor.datatype(),
            expected: spec.datatype,
        });
    }
    if !spec.fits(&tensor.shape) || volume(&tensor.shape) != Some(tensor.data.len()) {
        return Err(InputError::Shape {
            name: spec.name.to_string(),
            given: tensor.shape.clone(),
            expected: spec.shape.clone(),
        });
    }
    Ok(())
}

impl Prepared {
    /// The tensors, in signature order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The tensors, given away.
    pub fn into_tensors(self) -> Vec<Tensor> {
        self.tensors
    }

    /// Rows in the batch.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// One batch of several, for the batcher. All parts must come from the same
    /// signature; `None` if they do not agree in shape beyond the first dimension.
    pub fn concat(parts: &[Self]) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        let mut all = first.clone();
        for part in rest {
            if part.tensors.len() != all.tensors.len() {
                return None;
            }
            for (into, from) in all.tensors.iter_mut().zip(&part.tensors) {
                if into.shape.is_empty() || into.shape.get(1..) != from.shape.get(1..) {
                    return None;
                }
                if !into.data.append(&from.data) {
                    return None;
                }
                into.shape[0] += from.shape[0];
            }
            all.rows += part.rows;
        }
        Some(all)
    }

    /// Rows `start..end` of a batch.
    pub fn rows_between(&self, start: usize, end: usize) -> Option<Self> {
        let tensors = self
            .tensors
            .iter()
            .map(|tensor| take_rows(tensor, start, end));
        Some(Self {
            tensors: tensors.collect::<Option<_>>()?,
            rows: end.checked_sub(start)?,
        })
    }
}

/// Rows `start..end` of a tensor whose first dimension is the batch.
pub fn take_rows(tensor: &Tensor, start: usize, end: usize) -> Option<Tensor> {
    let inner = volume(tensor.shape.get(1..)?)?;
    let data = tensor
        .data
        .slice(start.checked_mul(inner)?, end.checked_mul(inner)?)?;
    let mut shape = tensor.shape.clone();
    shape[0] = end.checked_sub(start)?;
    Some(Tensor {
        name: Arc::clone(&tensor.name),
        shape,
        data,
    })
}

/// A float tensor, for tests and fixtures.
pub fn fp32(name: &str, shape: Vec<usize>, data: Vec<f32>) -> Tensor {
    Tensor {
        name: name.into(),
        shape,
        data: TensorData::Fp32(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature() -> Signature {
        Signature {
            inputs: vec![TensorSpec::new("x", DataType::Fp32, vec![-1, 2])],
            outputs: vec![],
        }
    }

    #[test]
    fn each_misfit_is_named() {
        let ok = fp32("x", vec![1, 2], vec![1.0, 2.0]);
        assert_eq!(signature().prepare(vec![ok.clone()]).unwrap().rows(), 1);
        let errors = [
            signature().prepare(vec![]).unwrap_err(),
            signature()
                .prepare(vec![ok.clone(), fp32("y", vec![1], vec![0.0])])
                .unwrap_err(),
            signature().prepare(vec![ok.clone(), ok]).unwrap_err(),
            signature()
                .prepare(vec![fp32("x", vec![2], vec![1.0, 2.0])])
                .unwrap_err(),
            signature()
                .prepare(vec![Tensor {
                    name: "x".into(),
                    shape: vec![1, 2],
                    data: TensorData::Fp64(vec![1.0, 2.0]),
                }])
                .unwrap_err(),
        ];
        assert!(matches!(
            errors,
            [
                InputError::Missing { .. },
                InputError::Unknown { .. },
                InputError::Twice { .. },
                InputError::Shape { .. },
                InputError::DataType { .. }
            ]
        ));
    }

    #[test]
    fn concatenating_then_cutting_gives_the_parts_back() {
        let part = |n: usize| {
            let data = (0..n * 2).map(|i| i as f32).collect();
            signature()
                .prepare(vec![fp32("x", vec![n, 2], data)])
                .unwrap()
        };
        let all = Prepared::concat(&[part(1), part(3)]).unwrap();
        assert_eq!(all.rows(), 4);
        assert_eq!(all.rows_between(0, 1).unwrap(), part(1));
        assert_eq!(all.rows_between(1, 4).unwrap(), part(3));
    }
}
