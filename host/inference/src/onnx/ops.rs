//! The operators, grouped by story. `find` is the table: what is not in it is
//! refused by name when a model is loaded.

mod arithmetic;
mod attention;
mod broadcast;
mod cast;
mod conv;
mod einsum;
mod elementwise;
mod gather;
pub(crate) mod linear;
mod matmul;
mod ml_encode;
mod ml_linear;
mod ml_preprocess;
mod ml_svm;
mod ml_tree;
mod ml_tree_v5;
mod norm;
mod pool;
mod quantise;
mod recurrent;
mod reduce;
mod resize;
mod reverse;
mod shape;
mod slice;
mod window;

pub(crate) use shape::{cut, join};

use super::{
    array::Array,
    fault::{Fault, Refusal},
    node::{Built, Inputs, Kernel, Node, Outputs},
};
use domain::tensor::{DataType, TensorData};

/// Builds one node: reads its attributes and returns what runs.
pub(crate) type Build = fn(&Node<'_>) -> Result<Built, Refusal>;

/// The builder of an operator. The default domain is the empty string.
pub(crate) fn find(domain: &str, op: &str) -> Option<Build> {
    let groups: &[fn(&str) -> Option<Build>] = match domain {
        "" => &[
            elementwise::find,
            arithmetic::find,
            cast::find,
            shape::find,
            gather::find,
            reduce::find,
            matmul::find,
            norm::find,
            conv::find,
            pool::find,
            einsum::find,
            resize::find,
            recurrent::find,
            slice::find,
            attention::find,
            reverse::find,
            quantise::find,
        ],
        "ai.onnx.ml" => &[
            ml_linear::find,
            ml_tree::find,
            ml_encode::find,
            ml_preprocess::find,
            ml_svm::find,
        ],
        _ => &[],
    };
    groups.iter().find_map(|find| find(op))
}

/// Operators that handle FP16 and BF16 themselves.
const OWN_HALF: [&str; 2] = ["Cast", "CastLike"];

/// Half precision is stored as such and computed in FP32, rounded after each
/// operator: the kernel sees FP32, and FP32 results go back to half.
pub(crate) fn widen_half(op: &str, kernel: Kernel) -> Kernel {
    if OWN_HALF.contains(&op) {
        return kernel;
    }
    Box::new(move |inputs| {
        let half = inputs.all().find_map(|array| match array.datatype() {
            half @ (DataType::Fp16 | DataType::Bf16) => Some(half),
            _ => None,
        });
        match half {
            None => kernel(inputs),
            Some(half) => through_f32(&kernel, inputs, half),
        }
    })
}

fn through_f32(kernel: &Kernel, inputs: Inputs<'_>, half: DataType) -> Result<Outputs, Fault> {
    let widened: Result<Vec<Option<Array>>, Fault> = inputs
        .0
        .iter()
        .map(|input| match input {
            Some(a) if matches!(a.datatype(), DataType::Fp16 | DataType::Bf16) => {
                Array::of(*a.shape(), a.to_f32()?).map(Some)
            }
            other => Ok(other.cloned()),
        })
        .collect();
    let widened = widened?;
    let given: Vec<Option<&Array>> = widened.iter().map(Option::as_ref).collect();
    let narrow = |array: Array| match (array.data(), half) {
        (TensorData::Fp32(v), DataType::Fp16) => Array::of(
            *array.shape(),
            v.iter().map(|&x| half::f16::from_f32(x)).collect(),
        ),
        (TensorData::Fp32(v), DataType::Bf16) => Array::of(
            *array.shape(),
            v.iter().map(|&x| half::bf16::from_f32(x)).collect(),
        ),
        _ => Ok(array),
    };
    match kernel(Inputs(&given))? {
        Outputs::One(array) => narrow(array).map(Outputs::One),
        Outputs::Many(arrays) => {
            let all: Result<_, _> = arrays.into_iter().map(narrow).collect();
            all.map(Outputs::Many)
        }
    }
}

/// Types an operator is not implemented for.
pub(crate) fn no_types(arrays: &[&Array]) -> Fault {
    let types: Vec<_> = arrays.iter().map(|a| a.datatype().as_str()).collect();
    Fault::Unsupported(format!("datatypes {}", types.join(", ")))
}
