//! Tensors: named, typed, shaped, row-major. The element types are those of the
//! Open Inference Protocol plus BF16.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// Element type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DataType {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned 8 bits.
    Uint8,
    /// Unsigned 16 bits.
    Uint16,
    /// Unsigned 32 bits.
    Uint32,
    /// Unsigned 64 bits.
    Uint64,
    /// Signed 8 bits.
    Int8,
    /// Signed 16 bits.
    Int16,
    /// Signed 32 bits.
    Int32,
    /// Signed 64 bits.
    Int64,
    /// IEEE half precision.
    Fp16,
    /// bfloat16.
    Bf16,
    /// IEEE single precision.
    Fp32,
    /// IEEE double precision.
    Fp64,
    /// Byte strings of any length, UTF-8 text included.
    Bytes,
}

/// All datatypes, in declaration order.
pub const DATA_TYPES: [DataType; 14] = [
    DataType::Bool,
    DataType::Uint8,
    DataType::Uint16,
    DataType::Uint32,
    DataType::Uint64,
    DataType::Int8,
    DataType::Int16,
    DataType::Int32,
    DataType::Int64,
    DataType::Fp16,
    DataType::Bf16,
    DataType::Fp32,
    DataType::Fp64,
    DataType::Bytes,
];

impl DataType {
    /// The protocol's name, as in `FP32`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Fp16 => "FP16",
            Self::Bf16 => "BF16",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// Bytes per element; `None` for [`DataType::Bytes`].
    pub const fn width(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Uint8 | Self::Int8 => Some(1),
            Self::Uint16 | Self::Int16 | Self::Fp16 | Self::Bf16 => Some(2),
            Self::Uint32 | Self::Int32 | Self::Fp32 => Some(4),
            Self::Uint64 | Self::Int64 | Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no datatype.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "datatype {0:?} is not known: use BOOL, UINT8-64, INT8-64, FP16, BF16, FP32, FP64 or BYTES"
)]
pub struct DataTypeError(String);

impl FromStr for DataType {
    type Err = DataTypeError;
    fn from_str(text: &str) -> Result<Self, DataTypeError> {
        DATA_TYPES
            .into_iter()
            .find(|datatype| datatype.as_str() == text)
            .ok_or_else(|| DataTypeError(text.chars().take(32).collect()))
    }
}

/// Elements of a tensor, row-major, one vector per datatype.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData {
    /// BOOL
    Bool(Vec<bool>),
    /// UINT8
    Uint8(Vec<u8>),
    /// UINT16
    Uint16(Vec<u16>),
    /// UINT32
    Uint32(Vec<u32>),
    /// UINT64
    Uint64(Vec<u64>),
    /// INT8
    Int8(Vec<i8>),
    /// INT16
    Int16(Vec<i16>),
    /// INT32
    Int32(Vec<i32>),
    /// INT64
    Int64(Vec<i64>),
    /// FP16
    Fp16(Vec<half::f16>),
    /// BF16
    Bf16(Vec<half::bf16>),
    /// FP32
    Fp32(Vec<f32>),
    /// FP64
    Fp64(Vec<f64>),
    /// BYTES
    Bytes(Vec<Vec<u8>>),
}

/// Runs `$body` with `$v` bound to the vector inside any [`TensorData`].
#[macro_export]
macro_rules! each_data {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            $crate::tensor::TensorData::Bool($v) => $body,
            $crate::tensor::TensorData::Uint8($v) => $body,
            $crate::tensor::TensorData::Uint16($v) => $body,
            $crate::tensor::TensorData::Uint32($v) => $body,
            $crate::tensor::TensorData::Uint64($v) => $body,
            $crate::tensor::TensorData::Int8($v) => $body,
            $crate::tensor::TensorData::Int16($v) => $body,
            $crate::tensor::TensorData::Int32($v) => $body,
            $crate::tensor::TensorData::Int64($v) => $body,
            $crate::tensor::TensorData::Fp16($v) => $body,
            $crate::tensor::TensorData::Bf16($v) => $body,
            $crate::tensor::TensorData::Fp32($v) => $body,
            $crate::tensor::TensorData::Fp64($v) => $body,
            $crate::tensor::TensorData::Bytes($v) => $body,
        }
    };
}

impl TensorData {
    /// Number of elements.
    pub fn len(&self) -> usize {
        each_data!(self, v => v.len())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type.
    pub const fn datatype(&self) -> DataType {
        match self {
            Self::Bool(_) => DataType::Bool,
            Self::Uint8(_) => DataType::Uint8,
            Self::Uint16(_) => DataType::Uint16,
            Self::Uint32(_) => DataType::Uint32,
            Self::Uint64(_) => DataType::Uint64,
            Self::Int8(_) => DataType::Int8,
            Self::Int16(_) => DataType::Int16,
            Self::Int32(_) => DataType::Int32,
            Self::Int64(_) => DataType::Int64,
            Self::Fp16(_) => DataType::Fp16,
            Self::Bf16(_) => DataType::Bf16,
            Self::Fp32(_) => DataType::Fp32,
            Self::Fp64(_) => DataType::Fp64,
            Self::Bytes(_) => DataType::Bytes,
        }
    }

    /// The elements from `start` to `end`, copied.
    pub fn slice(&self, start: usize, end: usize) -> Option<Self> {
        macro_rules! arms {
            ($($case:ident),+) => {
                match self { $(Self::$case(v) => v.get(start..end).map(|s| Self::$case(s.to_vec())),)+ }
            };
        }
        arms!(
            Bool, Uint8, Uint16, Uint32, Uint64, Int8, Int16, Int32, Int64, Fp16, Bf16, Fp32, Fp64,
            Bytes
        )
    }

    /// Appends `other`; false (and nothing appended) if the datatypes differ.
    pub fn append(&mut self, other: &Self) -> bool {
        macro_rules! arms {
            ($($case:ident),+) => {
                match (self, other) {
                    $((Self::$case(a), Self::$case(b)) => { a.extend_from_slice(b); true })+
                    _ => false,
                }
            };
        }
        arms!(
            Bool, Uint8, Uint16, Uint32, Uint64, Int8, Int16, Int32, Int64, Fp16, Bf16, Fp32, Fp64,
            Bytes
        )
    }

    /// All elements as `f64`; `None` for BYTES. 64-bit integers beyond 2^53 round.
    pub fn to_f64(&self) -> Option<Vec<f64>> {
        Some(match self {
            Self::Bool(v) => v.iter().map(|&x| f64::from(u8::from(x))).collect(),
            Self::Uint8(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Uint16(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Uint32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Uint64(v) => v.iter().map(|&x| x as f64).collect(),
            Self::Int8(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Int16(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Int32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Int64(v) => v.iter().map(|&x| x as f64).collect(),
            Self::Fp16(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Bf16(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Fp32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Fp64(v) => v.clone(),
            Self::Bytes(_) => return None,
        })
    }
}

/// A named tensor. `data.len()` equals the product of `shape` ([`Tensor::new`]
/// refuses anything else).
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Name, as in the signature; shared, so that answers do not copy it.
    pub name: Arc<str>,
    /// Dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub data: TensorData,
}

/// A shape and a number of elements that do not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tensor {name:?}: shape {shape:?} does not hold {elements} elements")]
pub struct ShapeError {
    /// Name of the tensor.
    pub name: String,
    /// Shape given.
    pub shape: Vec<usize>,
    /// Elements given.
    pub elements: usize,
}

/// Product of dimensions; `None` on overflow.
pub fn volume(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |product, &dim| product.checked_mul(dim))
}

impl Tensor {
    /// A tensor whose shape and data agree.
    pub fn new(
        name: impl Into<Arc<str>>,
        shape: Vec<usize>,
        data: TensorData,
    ) -> Result<Self, ShapeError> {
        let name = name.into();
        if volume(&shape) == Some(data.len()) {
            Ok(Self { name, shape, data })
        } else {
            Err(ShapeError {
                name: name.as_ref().to_owned(),
                shape,
                elements: data.len(),
            })
        }
    }

    /// The element type.
    pub const fn datatype(&self) -> DataType {
        self.data.datatype()
    }

    /// Size of the first dimension; 1 for a scalar.
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_datatype_has_its_name() {
        for datatype in DATA_TYPES {
            assert_eq!(datatype.as_str().parse::<DataType>().unwrap(), datatype);
            assert_eq!(serde_json::to_value(datatype).unwrap(), datatype.as_str());
        }
    }

    #[test]
    fn shapes_that_overflow_or_disagree_are_refused() {
        let data = || TensorData::Fp32(vec![0.0; 6]);
        assert!(Tensor::new("x", vec![2, 3], data()).is_ok());
        assert!(Tensor::new("x", vec![2, 4], data()).is_err());
        assert!(Tensor::new("x", vec![usize::MAX, 2], data()).is_err());
    }
}
