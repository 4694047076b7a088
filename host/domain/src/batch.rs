//! Columnar batches as plugins see them, and how requests become one.
//!
//! Consecutive fields of one element type travel as a single block, so that a
//! table of thirty floats crosses the sandbox's border as one copy.

use crate::{
    frame::{Column, ColumnData, Frame, FrameError, interleave},
    tensor::{DataType, Tensor, TensorData},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Element type of a field, the plugin contract's set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 32-bit float; a missing value is NaN.
    F32,
    /// 64-bit float; a missing value is NaN.
    F64,
    /// Signed 64-bit integer; missing values are in the validity bitmap.
    S64,
    /// Signed 32-bit integer; missing values are in the validity bitmap.
    S32,
    /// Byte or boolean; missing values are in the validity bitmap.
    U8,
    /// UTF-8 text; missing values are in the validity bitmap.
    Utf8,
}

impl Element {
    /// The protocol datatype that carries this element.
    pub const fn datatype(self) -> DataType {
        match self {
            Self::F32 => DataType::Fp32,
            Self::F64 => DataType::Fp64,
            Self::S64 => DataType::Int64,
            Self::S32 => DataType::Int32,
            Self::U8 => DataType::Uint8,
            Self::Utf8 => DataType::Bytes,
        }
    }
}

/// One input field of a transform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldSpec {
    /// Name of the column.
    pub name: Arc<str>,
    /// Element type.
    pub element: Element,
    /// Whether values may be missing.
    pub nullable: bool,
}

/// One output tensor of a transform; `shape` as in
/// [`crate::signature::TensorSpec`], rows first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputSpec {
    /// Name of the tensor.
    pub name: Arc<str>,
    /// Element type.
    pub element: Element,
    /// Dimensions; -1 is the row count.
    pub shape: Vec<i64>,
}

/// What a transform takes and gives; declared once, by `describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contract {
    /// Input columns, in order.
    pub inputs: Vec<FieldSpec>,
    /// Output tensors, in order.
    pub outputs: Vec<OutputSpec>,
}

/// Values of a block or of an output tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Buffer {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
    /// 64-bit integers.
    S64(Vec<i64>),
    /// 32-bit integers.
    S32(Vec<i32>),
    /// Bytes.
    U8(Vec<u8>),
    /// Text: value `i` is `data[offsets[i]..offsets[i + 1]]`.
    Utf8 {
        /// One more than there are values, ascending from 0.
        offsets: Vec<u32>,
        /// All values, one after another.
        data: Vec<u8>,
    },
}

impl Buffer {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::S64(v) => v.len(),
            Self::S32(v) => v.len(),
            Self::U8(v) => v.len(),
            Self::Utf8 { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type.
    pub const fn element(&self) -> Element {
        match self {
            Self::F32(_) => Element::F32,
            Self::F64(_) => Element::F64,
            Self::S64(_) => Element::S64,
            Self::S32(_) => Element::S32,
            Self::U8(_) => Element::U8,
            Self::Utf8 { .. } => Element::Utf8,
        }
    }
}

/// A run of consecutive fields of one element type, column after column.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// How many fields of the contract this block holds.
    pub fields: usize,
    /// `fields * rows` values: all rows of the first field, then the next.
    pub values: Buffer,
    /// Bit `i` (lowest first) is 1 where value `i` is present; `None`: all are.
    pub validity: Option<Vec<u8>>,
}

/// Rows for a plugin, in contract order.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Blocks; their fields add up to the contract's inputs.
    pub blocks: Vec<Block>,
}

/// Inputs that do not fit a contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A table that does not hold the columns or values.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A missing value where the contract has none.
    #[error("column {0:?} has a missing value and the transform does not accept one")]
    Null(String),
    /// A tensor that is not a column nor a table of the contract's fields.
    #[error(
        "input {name:?} has shape {shape:?}: send one tensor of shape [rows, {fields}] or one of shape [rows] or [rows, 1] for each of the transform's {fields} fields"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Number of fields in the contract.
        fields: usize,
    },
    /// A tensor of another datatype than its field.
    #[error("input {name:?} has datatype {given}, the transform's field takes {expected}")]
    DataType {
        /// The tensor.
        name: String,
        /// Given.
        given: DataType,
        /// Expected.
        expected: DataType,
    },
    /// Text that is not UTF-8.
    #[error("input {0:?} is not UTF-8 text")]
    Text(String),
}

impl Contract {
    /// Runs of consecutive fields with one element type, as `(start, end)`.
    fn runs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let mut start = 0;
        std::iter::from_fn(move || {
            let first = self.inputs.get(start)?;
            let length = self.inputs[start..]
                .iter()
                .take_while(|field| field.element == first.element)
                .count();
            let run = (start, start + length);
            start = run.1;
            Some(run)
        })
    }

    /// A batch from a table, by column name; other columns are ignored.
    pub fn batch_from_frame(&self, frame: &Frame) -> Result<Batch, BatchError> {
        let rows = frame.rows();
        let mut blocks = Vec::new();
        for (start, end) in self.runs() {
            let fields = &self.inputs[start..end];
            let columns = fields
                .iter()
                .map(|field| {
                    let found = frame.column(&field.name);
                    found.ok_or_else(|| FrameError::Missing(field.name.to_string()))
                })
                .collect::<Result<Vec<_>, _>>()?;
            blocks.push(block(fields, &columns, rows)?);
        }
        Ok(Batch { rows, blocks })
    }

    /// A batch from request tensors: either a single `[rows, fields]` tensor, or
    /// one tensor per field, by name.
    pub fn batch_from_tensors(&self, tensors: &[Tensor]) -> Result<Batch, BatchError> {
        let width = self.inputs.len();
        if let ([tensor], Some(first)) = (tensors, self.inputs.first())
            && let [rows, fields] = tensor.shape[..]
            && fields == width
            && (width > 1 || tensor.name != first.name)
            && self
                .inputs
                .iter()
                .all(|field| field.element == first.element)
        {
            if first.element == Element::Utf8 {
                return self.batch_from_frame(&self.frame_from_texts(tensor, rows)?);
            }
            let values = transpose(tensor, rows, fields, first)?;
            self.refuse_missing(&values, rows)?;
            let block = Block {
                fields,
                values,
                validity: None,
            };
            return Ok(Batch {
                rows,
                blocks: vec![block],
            });
        }
        self.batch_from_frame(&self.frame_from_tensors(tensors)?)
    }

    /// Refuses a NaN in a field that is not nullable.
    fn refuse_missing(&self, values: &Buffer, rows: usize) -> Result<(), BatchError> {
        let first = match values {
            Buffer::F32(v) => v.iter().position(|x| x.is_nan()),
            Buffer::F64(v) => v.iter().position(|x| x.is_nan()),
            Buffer::S64(_) | Buffer::S32(_) | Buffer::U8(_) | Buffer::Utf8 { .. } => None,
        };
        // Nothing is missing in most requests; only then is each value looked at.
        let Some(first) = first else { return Ok(()) };
        let missing = |at: usize| match values {
            Buffer::F32(v) => v[at].is_nan(),
            Buffer::F64(v) => v[at].is_nan(),
            Buffer::S64(_) | Buffer::S32(_) | Buffer::U8(_) | Buffer::Utf8 { .. } => false,
        };
        let refused =
            (first..values.len()).find(|&at| missing(at) && !self.inputs[at / rows].nullable);
        match refused {
            Some(at) => Err(BatchError::Null(self.inputs[at / rows].name.to_string())),
            None => Ok(()),
        }
    }

    /// A table of texts, row after row, as columns.
    fn frame_from_texts(&self, tensor: &Tensor, rows: usize) -> Result<Frame, BatchError> {
        let TensorData::Bytes(texts) = &tensor.data else {
            return Err(BatchError::DataType {
                name: tensor.name.to_string(),
                given: tensor.datatype(),
                expected: DataType::Bytes,
            });
        };
        let fields = self.inputs.len();
        let mut columns = Vec::with_capacity(fields);
        for (at, field) in self.inputs.iter().enumerate() {
            let texts = (0..rows).map(|row| text(tensor, &texts[row * fields + at]));
            let data = ColumnData::Text(texts.collect::<Result<_, _>>()?);
            columns.push(Column {
                name: Arc::clone(&field.name),
                data,
            });
        }
        Ok(Frame::new(columns)?)
    }

    fn frame_from_tensors(&self, tensors: &[Tensor]) -> Result<Frame, BatchError> {
        let mut columns = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let field = self.inputs.iter().find(|field| field.name == tensor.name);
            if !matches!(tensor.shape[..], [_] | [_, 1]) || field.is_none() {
                return Err(BatchError::Shape {
                    name: tensor.name.to_string(),
                    shape: tensor.shape.clone(),
                    fields: self.inputs.len(),
                });
            }
            let data = match &tensor.data {
                TensorData::Int64(v) => ColumnData::Integers(v.clone()),
                TensorData::Bytes(v) => {
                    let texts = v.iter().map(|bytes| text(tensor, bytes));
                    ColumnData::Text(texts.collect::<Result<_, _>>()?)
                }
                numbers => ColumnData::Numbers(numbers.to_f64().unwrap_or_default()),
            };
            columns.push(Column {
                name: Arc::clone(&tensor.name),
                data,
            });
        }
        Ok(Frame::new(columns)?)
    }
}

fn text(tensor: &Tensor, bytes: &[u8]) -> Result<Option<String>, BatchError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(BatchError::Text(tensor.name.to_string())),
    }
}

fn transpose(
    tensor: &Tensor,
    rows: usize,
    fields: usize,
    field: &FieldSpec,
) -> Result<Buffer, BatchError> {
    fn turn<T: Copy>(v: &[T], rows: usize, fields: usize) -> Vec<T> {
        if rows == 1 {
            return v.to_vec();
        }
        (0..fields)
            .flat_map(|f| (0..rows).map(move |r| v[r * fields + f]))
            .collect()
    }
    Ok(match (&tensor.data, field.element) {
        (TensorData::Fp32(v), Element::F32) => Buffer::F32(turn(v, rows, fields)),
        (TensorData::Fp64(v), Element::F64) => Buffer::F64(turn(v, rows, fields)),
        (TensorData::Int64(v), Element::S64) => Buffer::S64(turn(v, rows, fields)),
        (TensorData::Int32(v), Element::S32) => Buffer::S32(turn(v, rows, fields)),
        (TensorData::Uint8(v), Element::U8) => Buffer::U8(turn(v, rows, fields)),
        (data, _) => {
            return Err(BatchError::DataType {
                name: tensor.name.to_string(),
                given: data.datatype(),
                expected: field.element.datatype(),
            });
        }
    })
}

/// One block from table columns.
fn block(fields: &[FieldSpec], columns: &[&Column], rows: usize) -> Result<Block, BatchError> {
    let element = fields[0].element;
    let mut validity = vec![0u8; (fields.len() * rows).div_ceil(8)];
    let mut missing = false;
    for (index, (field, column)) in fields.iter().zip(columns).enumerate() {
        for row in 0..rows {
            let present = match &column.data {
                ColumnData::Numbers(v) => !v[row].is_nan(),
                ColumnData::Integers(_) => true,
                ColumnData::Text(v) => v[row].as_deref().is_some_and(|text| !text.is_empty()),
            };
            let bit = index * rows + row;
            if present {
                validity[bit / 8] |= 1 << (bit % 8);
            } else if field.nullable {
                missing = true;
            } else {
                return Err(BatchError::Null(field.name.to_string()));
            }
        }
    }
    let filled: Vec<Column> = columns.iter().map(|column| fill(column, element)).collect();
    // Column after column: each column alone is already contiguous.
    let mut values: Option<TensorData> = None;
    for column in &filled {
        let data = interleave(&[column], rows, element.datatype())?;
        match &mut values {
            None => values = Some(data),
            Some(all) => drop(all.append(&data)),
        }
    }
    let values = match values.unwrap_or(TensorData::Fp32(Vec::new())) {
        TensorData::Fp32(v) => Buffer::F32(v),
        TensorData::Fp64(v) => Buffer::F64(v),
        TensorData::Int64(v) => Buffer::S64(v),
        TensorData::Int32(v) => Buffer::S32(v),
        TensorData::Uint8(v) => Buffer::U8(v),
        TensorData::Bytes(v) => {
            let mut offsets = vec![0u32];
            let mut data = Vec::new();
            for text in v {
                data.extend_from_slice(&text);
                offsets.push(u32::try_from(data.len()).unwrap_or(u32::MAX));
            }
            Buffer::Utf8 { offsets, data }
        }
        _ => Buffer::U8(Vec::new()),
    };
    let float = matches!(element, Element::F32 | Element::F64);
    Ok(Block {
        fields: fields.len(),
        values,
        validity: (missing && !float).then_some(validity),
    })
}

/// Integer fields cannot hold NaN: missing values become 0 under a cleared
/// validity bit.
fn fill(column: &Column, element: Element) -> Column {
    let data = match (&column.data, element) {
        (ColumnData::Numbers(v), Element::S64 | Element::S32 | Element::U8) => ColumnData::Numbers(
            v.iter()
                .map(|&x| if x.is_nan() { 0.0 } else { x })
                .collect(),
        ),
        (ColumnData::Text(v), Element::S64 | Element::S32 | Element::U8) => ColumnData::Text(
            v.iter()
                .map(|text| match text.as_deref() {
                    None | Some("") => Some("0".to_owned()),
                    Some(text) => Some(text.to_owned()),
                })
                .collect(),
        ),
        (data, _) => data.clone(),
    };
    Column {
        name: Arc::clone(&column.name),
        data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(elements: &[(&str, Element, bool)]) -> Contract {
        let inputs = elements
            .iter()
            .map(|&(name, element, nullable)| FieldSpec {
                name: name.into(),
                element,
                nullable,
            })
            .collect();
        Contract {
            inputs,
            outputs: vec![],
        }
    }

    #[test]
    fn one_table_tensor_and_one_tensor_per_field_give_the_same_batch() {
        let contract = contract(&[("a", Element::F32, true), ("b", Element::F32, true)]);
        let table = crate::signature::fp32("x", vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]);
        let a = crate::signature::fp32("a", vec![2], vec![1.0, 3.0]);
        let b = crate::signature::fp32("b", vec![2, 1], vec![2.0, 4.0]);
        let batch = contract.batch_from_tensors(&[table]).unwrap();
        assert_eq!(batch, contract.batch_from_tensors(&[b, a]).unwrap());
        assert_eq!(
            batch.blocks[0].values,
            Buffer::F32(vec![1.0, 3.0, 2.0, 4.0])
        );
    }

    #[test]
    fn a_missing_value_is_refused_where_the_field_is_required() {
        let contract = contract(&[("a", Element::F32, true), ("b", Element::F32, false)]);
        let row = |a: f32, b: f32| crate::signature::fp32("x", vec![1, 2], vec![a, b]);
        assert!(contract.batch_from_tensors(&[row(f32::NAN, 1.0)]).is_ok());
        let error = contract
            .batch_from_tensors(&[row(1.0, f32::NAN)])
            .unwrap_err();
        assert_eq!(error, BatchError::Null("b".to_owned()));
    }

    #[test]
    fn a_table_of_texts_marks_empty_ones_as_missing() {
        let contract = contract(&[("a", Element::Utf8, true), ("b", Element::Utf8, true)]);
        let texts = ["x", "", "y", "z"].map(|text| text.as_bytes().to_vec());
        let data = TensorData::Bytes(texts.to_vec());
        let table = Tensor {
            name: "t".into(),
            shape: vec![2, 2],
            data,
        };
        let batch = contract.batch_from_tensors(&[table]).unwrap();
        // Column after column: x y, then the empty one and z.
        assert_eq!(batch.blocks[0].validity, Some(vec![0b1011]));
    }

    #[test]
    fn runs_split_where_the_element_changes_and_nulls_are_marked() {
        let contract = contract(&[
            ("a", Element::F32, true),
            ("t", Element::Utf8, true),
            ("n", Element::S64, true),
        ]);
        let frame = Frame::new(vec![
            Column {
                name: "n".into(),
                data: ColumnData::Numbers(vec![f64::NAN, 5.0]),
            },
            Column {
                name: "t".into(),
                data: ColumnData::Text(vec![Some("hi".into()), None]),
            },
            Column {
                name: "a".into(),
                data: ColumnData::Numbers(vec![1.0, f64::NAN]),
            },
        ])
        .unwrap();
        let batch = contract.batch_from_frame(&frame).unwrap();
        assert_eq!(batch.blocks.len(), 3);
        assert_eq!(batch.blocks[0].validity, None);
        assert_eq!(batch.blocks[1].validity, Some(vec![0b01]));
        assert_eq!(batch.blocks[2].validity, Some(vec![0b10]));
        assert_eq!(batch.blocks[2].values, Buffer::S64(vec![0, 5]));
    }
}
