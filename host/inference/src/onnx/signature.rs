//! What a graph takes and gives, from its declarations and from a trial run.

use super::{
    array::{Array, MAX_RANK, Shape},
    constant,
    fault::{Fault, Refusal},
    plan::Plan,
    proto::{TypeValue, ValueInfoProto},
};
use domain::{
    signature::{Signature, TensorSpec},
    tensor::{DataType, TensorData},
};
use std::collections::HashMap;

/// Size given to free dimensions other than the batch in a trial run.
const TRIAL_DIM: usize = 4;

/// One declared input or output.
pub(crate) struct Declared {
    name: String,
    /// `None` for a sequence or map that became a tensor.
    tensor: Option<(DataType, Option<Vec<Dim>>)>,
    fields: Vec<String>,
}

/// One declared dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Dim {
    Fixed(usize),
    Named(String),
    Free,
}

impl Declared {
    /// Reads a declaration. `fields` are names found along the last dimension.
    pub(crate) fn read(
        info: &ValueInfoProto,
        fields: Option<&Vec<String>>,
        role: &str,
    ) -> Result<Self, Refusal> {
        let name = info.name.clone();
        let fields = fields.cloned().unwrap_or_default();
        let value = info.r#type.as_ref().and_then(|t| t.value.as_ref());
        let tensor = match value {
            Some(TypeValue::Tensor(tensor)) => {
                let dims = tensor.shape.as_ref().map(|shape| {
                    let dims = shape
                        .dim
                        .iter()
                        .map(|dim| match (dim.dim_value, &dim.dim_param) {
                            (Some(value), _) if value > 0 => {
                                usize::try_from(value).map_or(Dim::Free, Dim::Fixed)
                            }
                            (_, Some(name)) if !name.is_empty() => Dim::Named(name.clone()),
                            _ => Dim::Free,
                        });
                    dims.collect::<Vec<_>>()
                });
                if dims.as_ref().is_some_and(|dims| dims.len() > MAX_RANK) {
                    return Err(Refusal::malformed(format!(
                        "{role} {name:?} has more than {MAX_RANK} dimensions"
                    )));
                }
                Some((constant::datatype(tensor.elem_type)?, dims))
            }
            Some(TypeValue::Sequence(_) | TypeValue::Map(_)) if !fields.is_empty() => None,
            other => {
                let kind = match other {
                    Some(TypeValue::Sequence(_)) => "a sequence",
                    Some(TypeValue::Map(_)) => "a map",
                    Some(TypeValue::Sparse(_)) => "a sparse tensor",
                    Some(TypeValue::Optional(_)) => "an optional",
                    _ => "of an unknown type",
                };
                return Err(Refusal::unsupported(format!(
                    "{role} {name:?} that is {kind}"
                )));
            }
        };
        Ok(Self {
            name,
            tensor,
            fields,
        })
    }

    fn datatype(&self) -> DataType {
        self.tensor
            .as_ref()
            .map_or(DataType::Fp32, |(datatype, _)| *datatype)
    }

    fn dims(&self) -> Option<Vec<Dim>> {
        match &self.tensor {
            Some((_, dims)) => dims.clone(),
            None => Some(vec![Dim::Free, Dim::Fixed(self.fields.len())]),
        }
    }

    fn spec(&self, datatype: DataType, shape: Vec<i64>) -> TensorSpec {
        let mut spec = TensorSpec::new(self.name.as_str(), datatype, shape);
        let last = spec.shape.last().copied();
        if last.and_then(|last| usize::try_from(last).ok()) == Some(self.fields.len()) {
            spec.fields.clone_from(&self.fields);
        }
        spec
    }
}

fn is_integer(datatype: DataType) -> bool {
    !matches!(
        datatype,
        DataType::Fp16 | DataType::Bf16 | DataType::Fp32 | DataType::Fp64 | DataType::Bytes
    )
}

fn declared_shape(dims: &[Dim]) -> Vec<i64> {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => i64::try_from(*size).unwrap_or(-1),
        Dim::Named(_) | Dim::Free => -1,
    };
    dims.iter().map(size).collect()
}

/// Zeros (or empty strings) of a shape.
fn zeros(datatype: DataType, shape: Shape) -> Result<Array, Fault> {
    let n = shape.volume();
    let data = match datatype {
        DataType::Bool => TensorData::Bool(vec![false; n]),
        DataType::Uint8 => TensorData::Uint8(vec![0; n]),
        DataType::Uint16 => TensorData::Uint16(vec![0; n]),
        DataType::Uint32 => TensorData::Uint32(vec![0; n]),
        DataType::Uint64 => TensorData::Uint64(vec![0; n]),
        DataType::Int8 => TensorData::Int8(vec![0; n]),
        DataType::Int16 => TensorData::Int16(vec![0; n]),
        DataType::Int32 => TensorData::Int32(vec![0; n]),
        DataType::Int64 => TensorData::Int64(vec![0; n]),
        DataType::Fp16 => TensorData::Fp16(vec![half::f16::ZERO; n]),
        DataType::Bf16 => TensorData::Bf16(vec![half::bf16::ZERO; n]),
        DataType::Fp32 => TensorData::Fp32(vec![0.0; n]),
        DataType::Fp64 => TensorData::Fp64(vec![0.0; n]),
        DataType::Bytes => TensorData::Bytes(vec![Vec::new(); n]),
    };
    Array::new(shape, data)
}

/// Runs the plan on `batch` rows of zeros.
fn trial(plan: &Plan, inputs: &[Declared], batch: usize) -> Result<Vec<Array>, Fault> {
    let mut named: HashMap<String, usize> = HashMap::new();
    let mut values = Vec::with_capacity(inputs.len());
    for input in inputs {
        let mut shape = Vec::new();
        for (axis, dim) in input.dims().unwrap_or_default().into_iter().enumerate() {
            let default = if axis == 0 { batch } else { TRIAL_DIM };
            shape.push(match dim {
                Dim::Fixed(size) => size,
                Dim::Free => default,
                Dim::Named(name) => *named.entry(name).or_insert(default),
            });
        }
        values.push(zeros(input.datatype(), Shape::new(&shape)?)?);
    }
    plan.run(values)
}

/// The signature. Every declared type is checked by running the plan on one
/// and on two rows of zeros; what those runs show wins over the declarations,
/// which exporters often get wrong.
pub(crate) fn signature(
    plan: &Plan,
    inputs: &[Declared],
    outputs: &[Declared],
) -> Result<Signature, Refusal> {
    let mut specs = Vec::with_capacity(inputs.len());
    let (mut free, mut guess) = (false, false);
    for input in inputs {
        let Some(dims) = input.dims() else {
            let what = format!("input {:?} without a shape", input.name);
            return Err(Refusal::unsupported(what));
        };
        free |= dims.iter().skip(1).any(|dim| !matches!(dim, Dim::Fixed(_)));
        // Integers may be shapes or indices, for which zeros mean little.
        guess |= is_integer(input.datatype());
        specs.push(input.spec(input.datatype(), declared_shape(&dims)));
    }
    let one = match trial(plan, inputs, 1) {
        Ok(made) => Some(made),
        // Zeros may be outside a model's domain, and guessed sizes may not fit.
        Err(Fault::Value(_)) => None,
        Err(Fault::Shape(_) | Fault::Limit(_)) if free || guess => None,
        Err(fault) => {
            return Err(match Refusal::from(fault) {
                Refusal::Malformed(what) => {
                    Refusal::Malformed(format!("it does not run on its declared inputs: {what}"))
                }
                unsupported => unsupported,
            });
        }
    };
    let two = one.as_ref().and_then(|_| trial(plan, inputs, 2).ok());
    let mut given = Vec::with_capacity(outputs.len());
    for (at, output) in outputs.iter().enumerate() {
        let made = one.as_ref().and_then(|made| made.get(at));
        let again = two.as_ref().and_then(|made| made.get(at));
        given.push(output_spec(output, made, again, free)?);
    }
    Ok(Signature {
        inputs: specs,
        outputs: given,
    })
}

fn output_spec(
    output: &Declared,
    made: Option<&Array>,
    again: Option<&Array>,
    free: bool,
) -> Result<TensorSpec, Refusal> {
    let declared = output.dims().map(|dims| declared_shape(&dims));
    let Some(made) = made else {
        let Some(shape) = declared else {
            let what = format!("output {:?} without a shape", output.name);
            return Err(Refusal::unsupported(what));
        };
        return Ok(output.spec(output.datatype(), shape));
    };
    let fixed = |size: usize| i64::try_from(size).unwrap_or(-1);
    let mut shape: Vec<i64> = made.shape().iter().map(|&size| fixed(size)).collect();
    match again {
        Some(again) if again.rank() == made.rank() => {
            for (size, other) in shape.iter_mut().zip(again.shape().iter()) {
                if *size != fixed(*other) {
                    *size = -1;
                }
            }
        }
        Some(_) => {
            let what = format!("output {:?} whose rank depends on the input", output.name);
            return Err(Refusal::unsupported(what));
        }
        None => {
            if let Some(first) = shape.first_mut() {
                *first = -1;
            }
        }
    }
    // With other free dimensions, sizes seen in the trial may follow from them.
    if free {
        for (axis, size) in shape.iter_mut().enumerate() {
            let says = declared.as_ref().and_then(|shape| shape.get(axis)).copied();
            if says != Some(*size) {
                *size = -1;
            }
        }
    }
    Ok(output.spec(made.datatype(), shape))
}
