//! CSV.

use super::{DatasetError, ReadLimits, check_size, columns};
use domain::frame::Column;

/// One column's cells, end to end, without an allocation per cell.
#[derive(Default)]
struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = starts.zip(self.ends.iter().copied());
        spans.map(|(start, end)| self.text.get(start..end).unwrap_or_default())
    }
}

/// Reads all columns.
pub(super) fn read(bytes: &[u8], limits: &ReadLimits) -> Result<Vec<Column>, DatasetError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(|error| broken(&error))?.clone();
    let blank = header.iter().position(|name| name.trim().is_empty());
    if header.is_empty() {
        return Err(DatasetError::Empty);
    }
    if let Some(at) = blank {
        return Err(DatasetError::Csv {
            line: 1,
            reason: format!("column {} has no name in the header", at + 1),
        });
    }
    let mut table: Vec<Cells> = Vec::new();
    table.resize_with(header.len(), Cells::default);
    check_size(0, table.len(), limits)?;
    let mut record = csv::StringRecord::new();
    let mut rows = 0;
    while reader
        .read_record(&mut record)
        .map_err(|error| broken(&error))?
    {
        rows += 1;
        check_size(rows, table.len(), limits)?;
        for (cells, cell) in table.iter_mut().zip(&record) {
            cells.push(cell);
        }
    }
    let mut columns = Vec::with_capacity(table.len());
    for (name, cells) in header.iter().zip(table) {
        columns.push(Column {
            name: name.trim().into(),
            data: columns::texts(cells.iter()),
        });
    }
    Ok(columns)
}

fn broken(error: &csv::Error) -> DatasetError {
    let line = error.position().map_or(0, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} cells, the header has {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    DatasetError::Csv { line, reason }
}
