//! A table of named columns: what data sets, data frames in requests and
//! transforms' inputs have in common.

use crate::tensor::{DataType, TensorData};
use std::sync::Arc;

/// Values of one column. A missing number is NaN; a missing text is `None`.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Numbers (booleans are 0 and 1).
    Numbers(Vec<f64>),
    /// Whole numbers that must not pass through floating point.
    Integers(Vec<i64>),
    /// Text.
    Text(Vec<Option<String>>),
}

impl ColumnData {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(v) => v.len(),
            Self::Integers(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name of the column.
    pub name: Arc<str>,
    /// Its values.
    pub data: ColumnData,
}

/// A table whose columns have the same length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    /// Columns, in the order given.
    pub columns: Vec<Column>,
    rows: usize,
}

/// A table that cannot be used as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Columns of different lengths.
    #[error("column {name:?} has {given} values, the columns before it {expected}")]
    Ragged {
        /// The column.
        name: String,
        /// Its length.
        given: usize,
        /// Length of the first column.
        expected: usize,
    },
    /// Two columns with one name.
    #[error("column {0:?} is given twice")]
    Twice(String),
    /// A column that is needed and not there.
    #[error("column {0:?} is missing")]
    Missing(String),
    /// Another number of columns than the model takes.
    #[error("{given} columns given, the model takes {expected}")]
    Width {
        /// Given.
        given: usize,
        /// Expected.
        expected: usize,
    },
    /// A value that does not fit the datatype.
    #[error("column {column:?}, row {row}: {value} is not a value of {datatype}")]
    Value {
        /// The column.
        column: String,
        /// Row, from 0.
        row: usize,
        /// The value, shortened.
        value: String,
        /// What was wanted.
        datatype: DataType,
    },
}

impl Frame {
    /// A table from columns of one length with distinct names.
    pub fn new(columns: Vec<Column>) -> Result<Self, FrameError> {
        let rows = columns.first().map_or(0, |column| column.data.len());
        let mut seen = std::collections::HashSet::with_capacity(columns.len());
        for column in &columns {
            if column.data.len() != rows {
                return Err(FrameError::Ragged {
                    name: column.name.to_string(),
                    given: column.data.len(),
                    expected: rows,
                });
            }
            if !seen.insert(&*column.name) {
                return Err(FrameError::Twice(column.name.to_string()));
            }
        }
        drop(seen);
        Ok(Self { columns, rows })
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| *column.name == *name)
    }

    /// The columns named by `fields`, or all `width` columns when `fields` is
    /// empty. Columns that are not asked for are ignored only when names are given.
    pub fn select(&self, fields: &[String], width: usize) -> Result<Vec<&Column>, FrameError> {
        if fields.is_empty() {
            if self.columns.len() != width {
                return Err(FrameError::Width {
                    given: self.columns.len(),
                    expected: width,
                });
            }
            return Ok(self.columns.iter().collect());
        }
        fields
            .iter()
            .map(|name| {
                self.column(name)
                    .ok_or_else(|| FrameError::Missing(name.clone()))
            })
            .collect()
    }

    /// Rows `start..end`, copied; clipped to the table.
    pub fn slice(&self, start: usize, end: usize) -> Self {
        let (start, end) = (
            start.min(self.rows),
            end.min(self.rows).max(start.min(self.rows)),
        );
        let columns = self
            .columns
            .iter()
            .map(|column| Column {
                name: Arc::clone(&column.name),
                data: match &column.data {
                    ColumnData::Numbers(v) => ColumnData::Numbers(v[start..end].to_vec()),
                    ColumnData::Integers(v) => ColumnData::Integers(v[start..end].to_vec()),
                    ColumnData::Text(v) => ColumnData::Text(v[start..end].to_vec()),
                },
            })
            .collect();
        Self {
            columns,
            rows: end - start,
        }
    }
}

fn misfit(column: &Column, row: usize, value: &str, datatype: DataType) -> FrameError {
    let value = value.chars().take(64).collect();
    FrameError::Value {
        column: column.name.to_string(),
        row,
        value,
        datatype,
    }
}

/// One value as a number, or an error that names the cell.
fn number(column: &Column, row: usize, datatype: DataType) -> Result<f64, FrameError> {
    match &column.data {
        ColumnData::Numbers(v) => Ok(v[row]),
        ColumnData::Integers(v) => Ok(v[row] as f64),
        ColumnData::Text(v) => match v[row].as_deref() {
            None | Some("") => Ok(f64::NAN),
            Some(text) => text
                .trim()
                .parse()
                .or_else(|_| misfit_result(column, row, text, datatype)),
        },
    }
}

fn misfit_result(
    column: &Column,
    row: usize,
    text: &str,
    datatype: DataType,
) -> Result<f64, FrameError> {
    Err(misfit(column, row, &format!("{text:?}"), datatype))
}

fn integer(column: &Column, row: usize, datatype: DataType) -> Result<i64, FrameError> {
    if let ColumnData::Integers(v) = &column.data {
        return Ok(v[row]);
    }
    let value = number(column, row, datatype)?;
    // 2^63 is exactly representable; anything at or beyond it does not fit.
    let limit = 2f64.powi(63);
    if value.fract() == 0.0 && (-limit..limit).contains(&value) {
        Ok(value as i64)
    } else {
        Err(misfit(column, row, &value.to_string(), datatype))
    }
}

/// Columns side by side as one row-major tensor of `rows` by `columns.len()`.
pub fn interleave(
    columns: &[&Column],
    rows: usize,
    datatype: DataType,
) -> Result<TensorData, FrameError> {
    let total = rows.saturating_mul(columns.len());
    macro_rules! integers {
        ($case:ident, $type:ty) => {{
            let mut out: Vec<$type> = Vec::with_capacity(total);
            for row in 0..rows {
                for column in columns {
                    let value = integer(column, row, datatype)?;
                    out.push(
                        <$type>::try_from(value)
                            .map_err(|_| misfit(column, row, &value.to_string(), datatype))?,
                    );
                }
            }
            TensorData::$case(out)
        }};
    }
    macro_rules! floats {
        ($case:ident, $from:expr) => {{
            let mut out = Vec::with_capacity(total);
            for row in 0..rows {
                for column in columns {
                    out.push($from(number(column, row, datatype)?));
                }
            }
            TensorData::$case(out)
        }};
    }
    Ok(match datatype {
        DataType::Fp32 => floats!(Fp32, |x| x as f32),
        DataType::Fp64 => floats!(Fp64, |x| x),
        DataType::Fp16 => floats!(Fp16, half::f16::from_f64),
        DataType::Bf16 => floats!(Bf16, half::bf16::from_f64),
        DataType::Uint8 => integers!(Uint8, u8),
        DataType::Uint16 => integers!(Uint16, u16),
        DataType::Uint32 => integers!(Uint32, u32),
        DataType::Uint64 => integers!(Uint64, u64),
        DataType::Int8 => integers!(Int8, i8),
        DataType::Int16 => integers!(Int16, i16),
        DataType::Int32 => integers!(Int32, i32),
        DataType::Int64 => integers!(Int64, i64),
        DataType::Bool => {
            let mut out = Vec::with_capacity(total);
            for row in 0..rows {
                for column in columns {
                    out.push(match integer(column, row, datatype)? {
                        0 => false,
                        1 => true,
                        other => return Err(misfit(column, row, &other.to_string(), datatype)),
                    });
                }
            }
            TensorData::Bool(out)
        }
        DataType::Bytes => {
            let mut out = Vec::with_capacity(total);
            for row in 0..rows {
                for column in columns {
                    out.push(match &column.data {
                        ColumnData::Text(v) => v[row].clone().unwrap_or_default().into_bytes(),
                        ColumnData::Integers(v) => v[row].to_string().into_bytes(),
                        ColumnData::Numbers(v) => v[row].to_string().into_bytes(),
                    });
                }
            }
            TensorData::Bytes(out)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame::new(vec![
            Column {
                name: "a".into(),
                data: ColumnData::Numbers(vec![1.0, 2.5]),
            },
            Column {
                name: "b".into(),
                data: ColumnData::Text(vec![Some("7".into()), None]),
            },
        ])
        .unwrap()
    }

    #[test]
    fn interleaves_by_row_and_reads_numbers_from_text() {
        let frame = frame();
        let columns = frame.select(&[], 2).unwrap();
        let TensorData::Fp32(data) = interleave(&columns, 2, DataType::Fp32).unwrap() else {
            panic!("wrong datatype")
        };
        assert_eq!(&data[..3], &[1.0, 7.0, 2.5]);
        assert!(data[3].is_nan());
    }

    #[test]
    fn a_fraction_is_not_an_integer() {
        let frame = frame();
        let error = interleave(&[&frame.columns[0]], 2, DataType::Int64).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column \"a\", row 1: 2.5 is not a value of INT64"
        );
    }
}
