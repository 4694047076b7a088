//! Reading columns, making tensors.

use crate::failure::Failure;
pub use crate::transform::bindings::tollgate::plugin::tensors::{
    Batch, Block, Buffer, Element, Tensor, Text,
};

impl Buffer {
    /// Number of values; 0 for raw bytes, whose element only the contract knows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32s(v) => v.len(),
            Self::F64s(v) => v.len(),
            Self::S64s(v) => v.len(),
            Self::S32s(v) => v.len(),
            Self::U8s(v) => v.len(),
            Self::Utf8(text) => text.offsets.len().saturating_sub(1),
            Self::Raw(_) => 0,
        }
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Text {
    /// Value `index`; `None` beyond the end or if the offsets do not fit.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&str> {
        let start = *self.offsets.get(index)? as usize;
        let end = *self.offsets.get(index + 1)? as usize;
        std::str::from_utf8(self.data.get(start..end)?).ok()
    }
}

impl Batch {
    /// The block that holds field `field`, and the place of the field's first
    /// value in it.
    fn find(&self, field: usize) -> Result<(&Block, usize), Failure> {
        let mut first = 0;
        for block in &self.blocks {
            let next = first + block.fields as usize;
            if field < next {
                return Ok((block, (field - first) * self.rows as usize));
            }
            first = next;
        }
        Err(Failure::internal(
            "no-such-field",
            format!("the batch has {first} fields, field {field} was asked for"),
        ))
    }

    /// Whether field `field` has a value in `row`; a float's NaN counts as none.
    pub fn is_present(&self, field: usize, row: usize) -> Result<bool, Failure> {
        let (block, first) = self.find(field)?;
        let at = first + row;
        Ok(match (&block.values, &block.validity) {
            (Buffer::F32s(v), _) => v.get(at).is_some_and(|x| !x.is_nan()),
            (Buffer::F64s(v), _) => v.get(at).is_some_and(|x| !x.is_nan()),
            (_, Some(bits)) => bits
                .get(at / 8)
                .is_some_and(|byte| byte >> (at % 8) & 1 == 1),
            (_, None) => true,
        })
    }

    /// Field `field` as texts, one per row.
    pub fn texts(&self, field: usize) -> Result<Vec<&str>, Failure> {
        let (block, first) = self.find(field)?;
        let Buffer::Utf8(text) = &block.values else {
            return Err(other_element(field, "utf8"));
        };
        (first..first + self.rows as usize)
            .map(|at| text.get(at).ok_or_else(|| other_element(field, "utf8")))
            .collect()
    }
}

fn other_element(field: usize, wanted: &str) -> Failure {
    Failure::internal(
        "other-element",
        format!("field {field} was read as {wanted}, which is not its element in the contract"),
    )
}

macro_rules! columns {
    ($($name:ident, $case:ident, $type:ty, $element:literal;)+) => {
        impl Batch {$(
            #[doc = concat!("Field `field`, one value per row; the contract declared it as `", $element, "`.")]
            pub fn $name(&self, field: usize) -> Result<&[$type], Failure> {
                let (block, first) = self.find(field)?;
                match &block.values {
                    Buffer::$case(values) => values
                        .get(first..first + self.rows as usize)
                        .ok_or_else(|| other_element(field, $element)),
                    _ => Err(other_element(field, $element)),
                }
            }
        )+}

        impl Tensor {$(
            #[doc = concat!("An output of element `", $element, "`, row-major.")]
            #[must_use]
            pub fn $name(shape: &[u32], values: Vec<$type>) -> Self {
                Self { shape: shape.to_vec(), values: Buffer::$case(values) }
            }
        )+}
    };
}

columns! {
    f32s, F32s, f32, "f32";
    f64s, F64s, f64, "f64";
    s64s, S64s, i64, "s64";
    s32s, S32s, i32, "s32";
    u8s, U8s, u8, "u8";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch {
            rows: 2,
            blocks: vec![
                Block {
                    fields: 2,
                    values: Buffer::F32s(vec![1.0, f32::NAN, 3.0, 4.0]),
                    validity: None,
                },
                Block {
                    fields: 1,
                    values: Buffer::Utf8(Text {
                        offsets: vec![0, 2, 2],
                        data: b"hi".to_vec(),
                    }),
                    validity: Some(vec![0b01]),
                },
            ],
        }
    }

    #[test]
    fn fields_are_found_across_blocks() {
        assert_eq!(batch().f32s(1).unwrap(), &[3.0, 4.0]);
        assert_eq!(batch().texts(2).unwrap(), ["hi", ""]);
        assert_eq!(batch().f64s(0).unwrap_err().code, "other-element");
        assert_eq!(batch().f32s(3).unwrap_err().code, "no-such-field");
    }

    #[test]
    fn missing_values_are_nan_or_a_cleared_bit() {
        let present = |field, row| batch().is_present(field, row).unwrap();
        assert!(present(0, 0) && !present(0, 1) && present(2, 0) && !present(2, 1));
    }
}
