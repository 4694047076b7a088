//! Tensors as the binary extension has them: little-endian, row-major, BOOL one
//! byte, BYTES each with its length in four bytes before it.

use domain::tensor::{DataType, TensorData};
use half::{bf16, f16};

/// Bytes that are not the tensor they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BinaryError {
    #[error("{given} bytes of binary data, {elements} elements of {datatype} take {expected}")]
    Size {
        given: usize,
        elements: usize,
        datatype: DataType,
        expected: usize,
    },
    #[error("element {0} of its binary data is cut off")]
    CutOff(usize),
    #[error("{0} bytes are left over after its last element")]
    LeftOver(usize),
    #[error("element {index}: {byte} is not a value of BOOL (0 or 1)")]
    Bool { index: usize, byte: u8 },
    #[error("its shape is too large")]
    TooLarge,
}

/// Reads exactly `elements` elements from all of `bytes`.
pub(crate) fn read(
    bytes: &[u8],
    datatype: DataType,
    elements: usize,
) -> Result<TensorData, BinaryError> {
    let Some(width) = datatype.width() else {
        return texts(bytes, elements).map(TensorData::Bytes);
    };
    let expected = elements.checked_mul(width).ok_or(BinaryError::TooLarge)?;
    if bytes.len() != expected {
        return Err(BinaryError::Size {
            given: bytes.len(),
            elements,
            datatype,
            expected,
        });
    }
    macro_rules! numbers {
        ($case:ident, $type:ty) => {{
            let (chunks, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
            TensorData::$case(chunks.iter().map(|c| <$type>::from_le_bytes(*c)).collect())
        }};
    }
    Ok(match datatype {
        DataType::Bool => TensorData::Bool(booleans(bytes)?),
        DataType::Uint8 => TensorData::Uint8(bytes.to_vec()),
        DataType::Uint16 => numbers!(Uint16, u16),
        DataType::Uint32 => numbers!(Uint32, u32),
        DataType::Uint64 => numbers!(Uint64, u64),
        DataType::Int8 => numbers!(Int8, i8),
        DataType::Int16 => numbers!(Int16, i16),
        DataType::Int32 => numbers!(Int32, i32),
        DataType::Int64 => numbers!(Int64, i64),
        DataType::Fp16 => numbers!(Fp16, f16),
        DataType::Bf16 => numbers!(Bf16, bf16),
        DataType::Fp32 => numbers!(Fp32, f32),
        DataType::Fp64 => numbers!(Fp64, f64),
        DataType::Bytes => TensorData::Bytes(texts(bytes, elements)?),
    })
}

fn booleans(bytes: &[u8]) -> Result<Vec<bool>, BinaryError> {
    let boolean = |(index, &byte): (usize, &u8)| match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(BinaryError::Bool { index, byte }),
    };
    bytes.iter().enumerate().map(boolean).collect()
}

fn texts(mut bytes: &[u8], elements: usize) -> Result<Vec<Vec<u8>>, BinaryError> {
    // Every element takes at least its length's four bytes.
    let mut out = Vec::with_capacity(elements.min(bytes.len() / 4));
    for index in 0..elements {
        let cut = BinaryError::CutOff(index);
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(cut.clone())?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, rest) = rest.split_at_checked(length).ok_or(cut)?;
        out.push(text.to_vec());
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(out)
    } else {
        Err(BinaryError::LeftOver(bytes.len()))
    }
}

/// Size of a tensor in this form; `None` if an element or the whole is too large.
pub(crate) fn size(data: &TensorData) -> Option<usize> {
    match (data, data.datatype().width()) {
        (_, Some(width)) => data.len().checked_mul(width),
        (TensorData::Bytes(texts), None) => texts.iter().try_fold(0usize, |sum, text| {
            u32::try_from(text.len()).ok()?;
            sum.checked_add(4)?.checked_add(text.len())
        }),
        (_, None) => None,
    }
}

/// Appends a tensor for which [`size`] gave a size.
pub(crate) fn write(out: &mut Vec<u8>, data: &TensorData) {
    macro_rules! numbers {
        ($values:expr) => {
            for value in $values {
                out.extend_from_slice(&value.to_le_bytes());
            }
        };
    }
    match data {
        TensorData::Bool(v) => out.extend(v.iter().map(|&x| u8::from(x))),
        TensorData::Uint8(v) => out.extend_from_slice(v),
        TensorData::Uint16(v) => numbers!(v),
        TensorData::Uint32(v) => numbers!(v),
        TensorData::Uint64(v) => numbers!(v),
        TensorData::Int8(v) => numbers!(v),
        TensorData::Int16(v) => numbers!(v),
        TensorData::Int32(v) => numbers!(v),
        TensorData::Int64(v) => numbers!(v),
        TensorData::Fp16(v) => numbers!(v),
        TensorData::Bf16(v) => numbers!(v),
        TensorData::Fp32(v) => numbers!(v),
        TensorData::Fp64(v) => numbers!(v),
        TensorData::Bytes(v) => {
            for text in v {
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_sizes_are_refused() {
        assert!(read(&[0; 8], DataType::Fp32, 2).is_ok());
        assert!(read(&[0; 7], DataType::Fp32, 2).is_err());
        assert!(read(&[0; 9], DataType::Fp32, 2).is_err());
        assert_eq!(
            read(&[], DataType::Fp64, usize::MAX),
            Err(BinaryError::TooLarge)
        );
        assert_eq!(
            read(&[1, 2], DataType::Bool, 2),
            Err(BinaryError::Bool { index: 1, byte: 2 })
        );
    }

    #[test]
    fn texts_that_lie_about_their_length_are_refused() {
        assert_eq!(
            read(&[1, 0, 0, 0, b'a'], DataType::Bytes, 1).unwrap(),
            TensorData::Bytes(vec![b"a".to_vec()])
        );
        let huge = [255, 255, 255, 255, b'a'];
        assert_eq!(read(&huge, DataType::Bytes, 1), Err(BinaryError::CutOff(0)));
        let short = [1, 0, 0, 0, b'a', 1, 0];
        assert_eq!(
            read(&short, DataType::Bytes, 2),
            Err(BinaryError::CutOff(1))
        );
        assert_eq!(
            read(&short, DataType::Bytes, 1),
            Err(BinaryError::LeftOver(2))
        );
        assert_eq!(
            read(&[], DataType::Bytes, usize::MAX),
            Err(BinaryError::CutOff(0))
        );
    }
}
