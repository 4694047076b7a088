//! Parquet, column by column. Flat columns of numbers, booleans and UTF-8 text.

use super::{
    DatasetError, ReadLimits, check_size, columns,
    pages::{self, Growth},
};
use bytes::Bytes;
use domain::frame::{Column, ColumnData};
use parquet::{
    basic::{Compression, ConvertedType},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::DataType,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData},
        reader::{FileReader, RowGroupReader, SerializedFileReader},
    },
    schema::types::ColumnDescriptor,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Rows decoded at a time.
const CHUNK: usize = 8_192;

/// Reads all columns.
pub(super) fn read(bytes: &Bytes, limits: &ReadLimits) -> Result<Vec<Column>, DatasetError> {
    // The library panics on some malformed files. Nothing it touched outlives
    // the call, so catching that leaves no broken state behind.
    let outcome = catch_unwind(AssertUnwindSafe(|| read_columns(bytes, limits)));
    outcome.unwrap_or_else(|_| Err(broken("its structure contradicts itself")))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` takes"
)]
fn broken(reason: impl ToString) -> DatasetError {
    DatasetError::Parquet(reason.to_string())
}

fn read_columns(bytes: &Bytes, limits: &ReadLimits) -> Result<Vec<Column>, DatasetError> {
    let reader = SerializedFileReader::new(bytes.clone()).map_err(broken)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let mut rows = 0usize;
    for group in metadata.row_groups() {
        let more = usize::try_from(group.num_rows()).map_err(broken)?;
        rows = rows.saturating_add(more);
    }
    if schema.num_columns() == 0 {
        return Err(DatasetError::Empty);
    }
    check_size(rows, schema.num_columns(), limits)?;
    check_pages(metadata, bytes, limits)?;

    let mut text_left = limits.decompressed;
    let mut columns = Vec::with_capacity(schema.num_columns());
    for (at, descriptor) in schema.columns().iter().enumerate() {
        let mut gathered = Gathered::new(descriptor)?;
        for group in 0..metadata.num_row_groups() {
            let group = reader.get_row_group(group).map_err(broken)?;
            gathered.append(&*group, at, descriptor, &mut text_left)?;
        }
        columns.push(Column {
            name: descriptor.path().string().into(),
            data: gathered.finish(),
        });
    }
    Ok(columns)
}

/// Bounds what all pages decompress to, before any does.
fn check_pages(
    metadata: &ParquetMetaData,
    bytes: &Bytes,
    limits: &ReadLimits,
) -> Result<(), DatasetError> {
    let mut left = limits.decompressed;
    for group in metadata.row_groups() {
        for chunk in group.columns() {
            let span = chunk_span(chunk).and_then(|(start, end)| bytes.get(start..end));
            let span = span.ok_or_else(|| broken("a column chunk lies outside of the file"))?;
            let growth = match chunk.compression() {
                Compression::GZIP(_) => Growth::Deflate,
                Compression::LZ4 => Growth::Lz4Frame,
                _ => Growth::Declared,
            };
            left -= pages::decompressed_size(span, growth, left).map_err(broken)?;
        }
    }
    Ok(())
}

fn chunk_span(chunk: &ColumnChunkMetaData) -> Option<(usize, usize)> {
    let start = match chunk.dictionary_page_offset() {
        Some(offset) => offset,
        None => chunk.data_page_offset(),
    };
    let start = usize::try_from(start).ok()?;
    let length = usize::try_from(chunk.compressed_size()).ok()?;
    Some((start, start.checked_add(length)?))
}

/// Values of one column over all row groups.
enum Gathered {
    Numbers(Vec<f64>),
    Integers(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
}

fn unusable(descriptor: &ColumnDescriptor, reason: impl Into<String>) -> DatasetError {
    DatasetError::Column {
        column: descriptor.path().string(),
        reason: reason.into(),
    }
}

impl Gathered {
    fn new(descriptor: &ColumnDescriptor) -> Result<Self, DatasetError> {
        use parquet::basic::Type;
        if descriptor.max_rep_level() > 0 || descriptor.max_def_level() > 1 {
            return Err(unusable(
                descriptor,
                "is nested: only flat columns are read",
            ));
        }
        let decimal = descriptor.converted_type() == ConvertedType::DECIMAL;
        match descriptor.physical_type() {
            Type::INT32 | Type::INT64 if decimal => Ok(Self::Numbers(Vec::new())),
            Type::INT32 | Type::INT64 => Ok(Self::Integers(Vec::new())),
            Type::BOOLEAN | Type::FLOAT | Type::DOUBLE => Ok(Self::Numbers(Vec::new())),
            Type::BYTE_ARRAY if !decimal => Ok(Self::Text(Vec::new())),
            other => Err(unusable(
                descriptor,
                format!("has type {other}, which is not read: write numbers, booleans or text"),
            )),
        }
    }

    fn append(
        &mut self,
        group: &dyn RowGroupReader,
        at: usize,
        descriptor: &ColumnDescriptor,
        text_left: &mut u64,
    ) -> Result<(), DatasetError> {
        let rows = usize::try_from(group.metadata().num_rows()).map_err(broken)?;
        let chunk = Chunk {
            reader: group.get_column_reader(at).map_err(broken)?,
            rows,
            descriptor,
        };
        match self {
            Self::Numbers(out) => chunk.numbers(out),
            Self::Integers(out) => chunk.integers(out),
            Self::Text(out) => chunk.texts(out, text_left),
        }
    }

    fn finish(self) -> ColumnData {
        match self {
            Self::Numbers(values) => ColumnData::Numbers(values),
            Self::Integers(values) => columns::integers(values),
            Self::Text(values) => ColumnData::Text(values),
        }
    }
}

/// One column chunk, to be decoded.
struct Chunk<'a> {
    reader: ColumnReader,
    rows: usize,
    descriptor: &'a ColumnDescriptor,
}

fn other_type() -> DatasetError {
    broken("a column chunk has another type than the schema")
}

impl Chunk<'_> {
    fn numbers(self, out: &mut Vec<f64>) -> Result<(), DatasetError> {
        let (rows, optional) = (self.rows, self.descriptor.max_def_level() == 1);
        let unit = 10f64.powi(self.descriptor.type_scale().clamp(0, 18));
        let mut push = |x: Option<f64>| {
            out.push(x.unwrap_or(f64::NAN));
            Ok(())
        };
        match self.reader {
            ColumnReader::BoolColumnReader(reader) => drain(reader, optional, rows, |x| {
                push(x.map(|x| f64::from(u8::from(*x))))
            }),
            ColumnReader::FloatColumnReader(reader) => {
                drain(reader, optional, rows, |x| push(x.map(|x| f64::from(*x))))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                drain(reader, optional, rows, |x| push(x.copied()))
            }
            // Decimals: whole numbers of 10^-scale.
            ColumnReader::Int32ColumnReader(reader) => drain(reader, optional, rows, |x| {
                push(x.map(|x| f64::from(*x) / unit))
            }),
            ColumnReader::Int64ColumnReader(reader) => drain(reader, optional, rows, |x| {
                push(x.map(|x| *x as f64 / unit))
            }),
            _ => Err(other_type()),
        }
    }

    fn integers(self, out: &mut Vec<Option<i64>>) -> Result<(), DatasetError> {
        let (rows, optional) = (self.rows, self.descriptor.max_def_level() == 1);
        // Unsigned numbers are stored as their bit pattern.
        let converted = self.descriptor.converted_type();
        match self.reader {
            ColumnReader::Int32ColumnReader(reader) => drain(reader, optional, rows, |x| {
                out.push(x.map(|x| match converted {
                    ConvertedType::UINT_32 => i64::from(x.cast_unsigned()),
                    _ => i64::from(*x),
                }));
                Ok(())
            }),
            ColumnReader::Int64ColumnReader(reader) => drain(reader, optional, rows, |x| {
                if converted == ConvertedType::UINT_64 && x.is_some_and(|x| *x < 0) {
                    let reason = "has values beyond 63 bits: write them as text";
                    return Err(unusable(self.descriptor, reason));
                }
                out.push(x.copied());
                Ok(())
            }),
            _ => Err(other_type()),
        }
    }

    fn texts(self, out: &mut Vec<Option<String>>, left: &mut u64) -> Result<(), DatasetError> {
        let (rows, optional) = (self.rows, self.descriptor.max_def_level() == 1);
        let ColumnReader::ByteArrayColumnReader(reader) = self.reader else {
            return Err(other_type());
        };
        drain(reader, optional, rows, |x| {
            let Some(bytes) = x else {
                out.push(None);
                return Ok(());
            };
            // A dictionary entry is stored once and copied for every row.
            *left = left
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| broken("its texts are too long together"))?;
            let text = std::str::from_utf8(bytes.data())
                .map_err(|_| unusable(self.descriptor, "holds bytes that are not UTF-8 text"))?;
            out.push(Some(text.to_owned()));
            Ok(())
        })
    }
}

/// Hands every value of a column chunk to `push`, `None` where it is missing.
fn drain<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    optional: bool,
    rows: usize,
    mut push: impl FnMut(Option<&T::T>) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let mut done = 0;
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    while done < rows {
        values.clear();
        levels.clear();
        let want = CHUNK.min(rows - done);
        let (records, _, _) = reader
            .read_records(want, Some(&mut levels), None, &mut values)
            .map_err(broken)?;
        if records == 0 {
            return Err(broken("a column has fewer rows than its row group says"));
        }
        done += records;
        if !optional {
            values.iter().try_for_each(|value| push(Some(value)))?;
            continue;
        }
        let mut values = values.iter();
        for level in &levels {
            push(if *level > 0 { values.next() } else { None })?;
        }
    }
    Ok(())
}
