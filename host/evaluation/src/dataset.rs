//! Labelled tables: read from a file, typed column by column, checked against a
//! task.
//!
//! The format is found from the content. A file is hostile: bytes, rows,
//! columns and cells are bounded, and whatever is wrong is an error that says
//! where. A CSV and a Parquet file of one table give the same [`Frame`].

mod columns;
mod pages;
mod parquet_file;
mod text;

use domain::{
    evidence::Task,
    frame::{Column, ColumnData, Frame, FrameError},
};
use std::{fs::File, io::Read as _, path::Path};

/// Bounds on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of a Parquet file's pages, and of its texts, once decompressed.
    pub decompressed: u64,
    /// Rows of data.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Rows times columns.
    pub cells: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            decompressed: 1 << 30,
            rows: 2_000_000,
            columns: 4_096,
            cells: 64_000_000,
        }
    }
}

/// Format of a file, found from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFormat {
    /// Comma-separated values (RFC 4180) with a header line.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl DataFormat {
    /// As [`domain::evidence::Dataset::format`] has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// A file that is not a usable table.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file could not be read.
    #[error("the data file could not be read")]
    Io(#[source] std::io::Error),
    /// There is nothing in it.
    #[error("the data file is empty: a header line and at least one row are needed")]
    Empty,
    /// A bound was reached.
    #[error("the data file has more than {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// CSV that does not parse.
    #[error("line {line} of the CSV file: {reason}")]
    Csv {
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A Parquet file that does not parse.
    #[error("the Parquet file is not valid: {0}")]
    Parquet(String),
    /// A Parquet column of a type that has no place in a table.
    #[error("column {column:?} of the Parquet file {reason}")]
    Column {
        /// The column.
        column: String,
        /// What is wrong.
        reason: String,
    },
    /// Columns that do not make a table.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A table read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Format of the file.
    pub format: DataFormat,
    /// The columns.
    pub frame: Frame,
}

/// Reads a CSV or Parquet file.
///
/// Numeric and boolean columns become [`ColumnData::Numbers`] (false is 0, true
/// is 1, a missing value NaN); whole numbers beyond 2^53 stay
/// [`ColumnData::Integers`], or text where values are missing or exceed 64
/// bits; everything else is [`ColumnData::Text`]. An empty CSV cell is a missing
/// value; so is `NA`, `NaN` or `null` in a column of numbers.
pub fn read(path: &Path, limits: &ReadLimits) -> Result<Table, DatasetError> {
    let file = File::open(path).map_err(DatasetError::Io)?;
    let mut bytes = Vec::new();
    let taken = file.take(limits.bytes.saturating_add(1));
    std::io::BufReader::new(taken)
        .read_to_end(&mut bytes)
        .map_err(DatasetError::Io)?;
    read_bytes(bytes, limits)
}

/// Reads a CSV or Parquet file that is in memory; see [`read`].
pub fn read_bytes(bytes: Vec<u8>, limits: &ReadLimits) -> Result<Table, DatasetError> {
    if bytes.len() as u64 > limits.bytes {
        return Err(DatasetError::TooLarge {
            what: "bytes",
            limit: limits.bytes,
        });
    }
    if bytes.is_empty() {
        return Err(DatasetError::Empty);
    }
    let (format, columns) = if bytes.starts_with(b"PAR1") {
        let columns = parquet_file::read(&bytes.into(), limits)?;
        (DataFormat::Parquet, columns)
    } else {
        (DataFormat::Csv, text::read(&bytes, limits)?)
    };
    Ok(Table {
        format,
        frame: Frame::new(columns)?,
    })
}

fn check_size(rows: usize, columns: usize, limits: &ReadLimits) -> Result<(), DatasetError> {
    let bounds = [
        ("columns", columns, limits.columns),
        ("rows", rows, limits.rows),
        ("cells", rows.saturating_mul(columns), limits.cells),
    ];
    match bounds.into_iter().find(|(_, given, limit)| given > limit) {
        Some((what, _, limit)) => Err(DatasetError::TooLarge {
            what,
            limit: limit as u64,
        }),
        None => Ok(()),
    }
}

/// Labels that do not fit the task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No such column.
    #[error("label column {label:?} is not in the data; it has {columns}")]
    Missing {
        /// The label column asked for.
        label: String,
        /// The first columns there are.
        columns: String,
    },
    /// No row has data.
    #[error("the data has no rows")]
    NoRows,
    /// A row without a label.
    #[error("row {row} has no value in label column {label:?}")]
    Absent {
        /// The label column.
        label: String,
        /// Row, from 0.
        row: usize,
    },
    /// A label of another kind than the task has.
    #[error("row {row} has label {value}: {wanted}")]
    Value {
        /// Row, from 0.
        row: usize,
        /// The label, shortened.
        value: String,
        /// What a label must be.
        wanted: &'static str,
    },
    /// Class numbers with a hole.
    #[error("no row has label {0}: classes must be numbered from 0 without holes")]
    Hole(u32),
}

/// Labels in the shape of their task.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Whether the class is 1.
    Binary(Vec<bool>),
    /// Class numbers from 0.
    Multiclass(Vec<u32>),
    /// Numbers.
    Regression(Vec<f64>),
}

impl Labels {
    /// The labels of some rows.
    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        fn pick<T: Copy>(all: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter()
                .filter_map(|row| all.get(*row).copied())
                .collect()
        }
        match self {
            Self::Binary(labels) => Self::Binary(pick(labels, rows)),
            Self::Multiclass(labels) => Self::Multiclass(pick(labels, rows)),
            Self::Regression(labels) => Self::Regression(pick(labels, rows)),
        }
    }
}

/// What a table holds, for its registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Rows of data.
    pub rows: u64,
    /// Column names in order.
    pub columns: Vec<String>,
    /// Rows of each class, for classification.
    pub classes: Vec<u64>,
}

/// Classes are counted in memory, so their number is bounded.
const MAX_CLASSES: u32 = 10_000;

impl Table {
    /// Checks the label column against the task and says what the table holds.
    pub fn inspect(&self, label: &str, task: Task) -> Result<Inspection, LabelError> {
        let classes = match self.labels(label, task)? {
            Labels::Binary(labels) => {
                let ones = labels.iter().filter(|is| **is).count() as u64;
                vec![labels.len() as u64 - ones, ones]
            }
            Labels::Multiclass(labels) => {
                let most = labels.iter().max().copied().unwrap_or(0);
                let mut counts = vec![0; most as usize + 1];
                for class in labels {
                    if let Some(count) = counts.get_mut(class as usize) {
                        *count += 1;
                    }
                }
                if let Some(hole) = counts.iter().position(|count| *count == 0) {
                    return Err(LabelError::Hole(hole as u32));
                }
                counts
            }
            Labels::Regression(_) => Vec::new(),
        };
        let names = self.frame.columns.iter().map(|c| c.name.to_string());
        Ok(Inspection {
            rows: self.frame.rows() as u64,
            columns: names.collect(),
            classes,
        })
    }

    /// The labels, every one checked.
    pub fn labels(&self, label: &str, task: Task) -> Result<Labels, LabelError> {
        let column = self.frame.column(label).ok_or_else(|| {
            let names = self.frame.columns.iter().take(20);
            let names: Vec<&str> = names.map(|column| &*column.name).collect();
            LabelError::Missing {
                label: label.to_owned(),
                columns: names.join(", "),
            }
        })?;
        if self.frame.rows() == 0 {
            return Err(LabelError::NoRows);
        }
        let numbers = numbers(column)?;
        Ok(match task {
            Task::Binary => {
                let labels = each(&numbers, "a binary label is 0 or 1", |x| match x {
                    0.0 => Some(false),
                    1.0 => Some(true),
                    _ => None,
                });
                Labels::Binary(labels?)
            }
            Task::Multiclass => {
                let wanted = "a class is a whole number from 0 to 9999";
                let limit = f64::from(MAX_CLASSES);
                let class = |x: f64| (x.fract() == 0.0 && (0.0..limit).contains(&x)).then_some(x);
                let labels = each(&numbers, wanted, |x| class(x).map(|x| x as u32));
                Labels::Multiclass(labels?)
            }
            Task::Regression => {
                let finite = |x: f64| x.is_finite().then_some(x);
                Labels::Regression(each(&numbers, "a number must be finite", finite)?)
            }
        })
    }
}

fn each<T>(
    numbers: &[f64],
    wanted: &'static str,
    convert: impl Fn(f64) -> Option<T>,
) -> Result<Vec<T>, LabelError> {
    let convert = |(row, x): (usize, &f64)| {
        convert(*x).ok_or_else(|| LabelError::Value {
            row,
            value: x.to_string(),
            wanted,
        })
    };
    numbers.iter().enumerate().map(convert).collect()
}

/// The label column as numbers, none missing.
fn numbers(column: &Column) -> Result<Vec<f64>, LabelError> {
    let absent = |row| LabelError::Absent {
        label: column.name.to_string(),
        row,
    };
    match &column.data {
        ColumnData::Integers(values) => Ok(values.iter().map(|x| *x as f64).collect()),
        ColumnData::Numbers(values) => match values.iter().position(|x| x.is_nan()) {
            Some(row) => Err(absent(row)),
            None => Ok(values.clone()),
        },
        ColumnData::Text(values) => {
            let text = values.iter().enumerate().find_map(|(row, text)| {
                let text = text.as_deref().filter(|text| !text.trim().is_empty());
                Some(match text {
                    None => absent(row),
                    Some(text) if text.trim().parse::<f64>().is_err() => LabelError::Value {
                        row,
                        value: format!("{:?}", text.chars().take(40).collect::<String>()),
                        wanted: "labels must be numbers; number the classes from 0",
                    },
                    Some(_) => return None,
                })
            });
            match text {
                Some(error) => Err(error),
                None => Ok(values
                    .iter()
                    .map(|text| {
                        text.as_deref()
                            .unwrap_or("")
                            .trim()
                            .parse()
                            .unwrap_or(f64::NAN)
                    })
                    .collect()),
            }
        }
    }
}
