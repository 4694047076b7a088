//! `TensorProto` to [`Array`]: every encoding of the specification, with sizes
//! checked against the declared shape before anything is copied.

use super::{
    array::{Array, Element, Shape},
    fault::Refusal,
    proto::TensorProto,
};
use domain::tensor::{DataType, TensorData};

/// Datatype for a `TensorProto.DataType`, or the name of what is not supported.
pub(crate) fn datatype(code: i32) -> Result<DataType, Refusal> {
    Ok(match code {
        1 => DataType::Fp32,
        2 => DataType::Uint8,
        3 => DataType::Int8,
        4 => DataType::Uint16,
        5 => DataType::Int16,
        6 => DataType::Int32,
        7 => DataType::Int64,
        8 => DataType::Bytes,
        9 => DataType::Bool,
        10 => DataType::Fp16,
        11 => DataType::Fp64,
        12 => DataType::Uint32,
        13 => DataType::Uint64,
        16 => DataType::Bf16,
        0 => return Err(Refusal::malformed("a tensor has no element type")),
        14 => return Err(Refusal::unsupported("element type COMPLEX64")),
        15 => return Err(Refusal::unsupported("element type COMPLEX128")),
        17..=20 | 24 => return Err(Refusal::unsupported("element type FLOAT8")),
        21 | 22 | 25 | 26 => return Err(Refusal::unsupported("element types of 4 or 2 bits")),
        23 => return Err(Refusal::unsupported("element type FLOAT4E2M1")),
        other => return Err(Refusal::unsupported(format!("element type {other}"))),
    })
}

/// The tensor's value.
pub(crate) fn array(proto: &TensorProto) -> Result<Array, Refusal> {
    let name = &proto.name;
    if proto.data_location != 0 {
        return Err(Refusal::unsupported(format!(
            "tensor {name:?} with external data (save the model as one file)"
        )));
    }
    let datatype = datatype(proto.data_type)?;
    let broken = |what: String| Refusal::malformed(format!("tensor {name:?}: {what}"));
    let mut dims = Vec::with_capacity(proto.dims.len().min(16));
    for &dim in &proto.dims {
        dims.push(usize::try_from(dim).map_err(|_| broken(format!("dimension {dim}")))?);
    }
    let shape = Shape::new(&dims).map_err(|fault| broken(fault.to_string()))?;
    let data = match &proto.raw_data {
        Some(raw) if datatype != DataType::Bytes => {
            from_raw(datatype, raw, shape.volume()).map_err(broken)?
        }
        _ => from_fields(datatype, proto).map_err(broken)?,
    };
    Array::new(shape, data).map_err(|fault| broken(fault.to_string()))
}

fn chunks<const N: usize, T: Element>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> TensorData {
    let (chunks, _) = raw.as_chunks::<N>();
    T::wrap(chunks.iter().map(|&chunk| read(chunk)).collect())
}

/// Little-endian elements.
fn from_raw(datatype: DataType, raw: &[u8], volume: usize) -> Result<TensorData, String> {
    let width = datatype.width().unwrap_or(1);
    if volume.checked_mul(width) != Some(raw.len()) {
        return Err(format!(
            "{} bytes of raw data for {volume} elements of {datatype}",
            raw.len()
        ));
    }
    Ok(match datatype {
        DataType::Bool => TensorData::Bool(raw.iter().map(|&byte| byte != 0).collect()),
        DataType::Uint8 => TensorData::Uint8(raw.to_vec()),
        DataType::Int8 => chunks(raw, i8::from_le_bytes),
        DataType::Uint16 => chunks(raw, u16::from_le_bytes),
        DataType::Int16 => chunks(raw, i16::from_le_bytes),
        DataType::Uint32 => chunks(raw, u32::from_le_bytes),
        DataType::Int32 => chunks(raw, i32::from_le_bytes),
        DataType::Uint64 => chunks(raw, u64::from_le_bytes),
        DataType::Int64 => chunks(raw, i64::from_le_bytes),
        DataType::Fp16 => chunks(raw, half::f16::from_le_bytes),
        DataType::Bf16 => chunks(raw, half::bf16::from_le_bytes),
        DataType::Fp32 => chunks(raw, f32::from_le_bytes),
        DataType::Fp64 => chunks(raw, f64::from_le_bytes),
        DataType::Bytes => return Err("strings as raw data".to_owned()),
    })
}

fn narrowed<T: Element + TryFrom<i32>>(values: &[i32]) -> Result<TensorData, String> {
    let all: Result<Vec<T>, _> = values
        .iter()
        .map(|&value| T::try_from(value).map_err(|_| format!("{value} is not {}", T::DATA_TYPE)))
        .collect();
    all.map(T::wrap)
}

/// Elements in the typed fields; small types share `int32_data`.
fn from_fields(datatype: DataType, proto: &TensorProto) -> Result<TensorData, String> {
    let small = &proto.int32_data;
    Ok(match datatype {
        DataType::Fp32 => TensorData::Fp32(proto.float_data.clone()),
        DataType::Fp64 => TensorData::Fp64(proto.double_data.clone()),
        DataType::Int64 => TensorData::Int64(proto.int64_data.clone()),
        DataType::Uint64 => TensorData::Uint64(proto.uint64_data.clone()),
        DataType::Uint32 => {
            let all: Result<Vec<u32>, _> = proto
                .uint64_data
                .iter()
                .map(|&value| u32::try_from(value).map_err(|_| format!("{value} is not UINT32")))
                .collect();
            TensorData::Uint32(all?)
        }
        DataType::Int32 => TensorData::Int32(small.clone()),
        DataType::Int16 => narrowed::<i16>(small)?,
        DataType::Int8 => narrowed::<i8>(small)?,
        DataType::Uint16 => narrowed::<u16>(small)?,
        DataType::Uint8 => narrowed::<u8>(small)?,
        DataType::Bool => TensorData::Bool(small.iter().map(|&value| value != 0).collect()),
        DataType::Fp16 => TensorData::Fp16(
            small
                .iter()
                .map(|&bits| half::f16::from_bits(bits as u16))
                .collect(),
        ),
        DataType::Bf16 => TensorData::Bf16(
            small
                .iter()
                .map(|&bits| half::bf16::from_bits(bits as u16))
                .collect(),
        ),
        DataType::Bytes => TensorData::Bytes(proto.string_data.clone()),
    })
}
