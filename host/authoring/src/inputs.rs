//! What commands are given: settings, tables, events; from files.

use crate::golden::Columns;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// A file that is not what a command takes.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It says something else.
    #[error("{}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        why: String,
    },
}

fn read(path: &Path) -> Result<String, InputError> {
    std::fs::read_to_string(path).map_err(|source| InputError::Read {
        path: path.to_owned(),
        source,
    })
}

fn wrong(path: &Path, why: &dyn std::fmt::Display) -> InputError {
    InputError::Content {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// Settings in canonical form; `{}` without a file.
///
/// # Errors
/// When the file cannot be read or is not JSON.
pub fn settings(path: Option<&Path>) -> Result<String, InputError> {
    let Some(path) = path else {
        return Ok("{}".to_owned());
    };
    let value: Value = serde_json::from_str(&read(path)?).map_err(|why| wrong(path, &why))?;
    domain::json::canonical(&value).map_err(|why| wrong(path, &why))
}

/// Any JSON document.
pub(crate) fn json(path: &Path) -> Result<Value, InputError> {
    serde_json::from_str(&read(path)?).map_err(|why| wrong(path, &why))
}

/// A table: CSV with a header, a JSON object of columns, or a JSON list of rows.
pub(crate) fn table(path: &Path) -> Result<Columns, InputError> {
    let text = read(path)?;
    if path.extension().is_some_and(|end| end == "json") {
        let value = serde_json::from_str(&text).map_err(|why| wrong(path, &why))?;
        return from_json(value).map_err(|why| wrong(path, &why));
    }
    from_csv(&text).map_err(|why| wrong(path, &why))
}

fn from_json(value: Value) -> Result<Columns, String> {
    let rows = match value {
        Value::Object(mut object) => {
            return Ok(match object.remove("columns") {
                Some(Value::Object(columns)) => columns,
                _ => object,
            });
        }
        Value::Array(rows) => rows,
        _ => return Err("write an object of columns, or a list of rows".to_owned()),
    };
    let mut columns = Columns::new();
    for (at, row) in rows.iter().enumerate() {
        let Value::Object(row) = row else {
            return Err(format!("row {at} is no object"));
        };
        for name in row.keys() {
            columns.entry(name.clone()).or_insert_with(|| json!([]));
        }
    }
    for (name, values) in &mut columns {
        let value = |row: &Value| row.get(name).cloned().unwrap_or_default();
        *values = rows.iter().map(value).collect();
    }
    Ok(columns)
}

/// A CSV table: an empty cell is missing; a column of numbers only is one of
/// numbers, unless a zero in front says that they are codes.
fn from_csv(text: &str) -> Result<Columns, String> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|why| why.to_string())?.clone();
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    for record in reader.records() {
        let record = record.map_err(|why| why.to_string())?;
        for (column, cell) in cells.iter_mut().zip(&record) {
            column.push(cell.to_owned());
        }
    }
    let mut columns = Map::new();
    for (name, cells) in header.iter().zip(cells) {
        let numbers: Option<Vec<Value>> = cells.iter().map(|cell| number(cell)).collect();
        let texts = || {
            cells.iter().map(|cell| match cell.as_str() {
                "" => Value::Null,
                text => json!(text),
            })
        };
        columns.insert(
            name.to_owned(),
            numbers.unwrap_or_else(|| texts().collect()).into(),
        );
    }
    Ok(columns)
}

fn number(cell: &str) -> Option<Value> {
    match cell {
        "" => return Some(Value::Null),
        "NaN" | "inf" | "-inf" => return Some(json!(cell)),
        _ => {}
    }
    let digits = cell.trim_start_matches(['-', '+']);
    if digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") {
        return None;
    }
    if let Ok(whole) = cell.parse::<i64>() {
        return Some(json!(whole));
    }
    let number: f64 = cell.parse().ok()?;
    number.is_finite().then(|| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_the_same_in_every_form() {
        let csv = from_csv("area, city\n1.5,Graz\n,\n2,007\n").unwrap();
        let columns = json!({"area": [1.5, null, 2], "city": ["Graz", null, "007"]});
        assert_eq!(Value::Object(csv), columns);
        let rows = json!([{"area": 1.5, "city": "Graz"}, {}, {"area": 2, "city": "007"}]);
        assert_eq!(Value::Object(from_json(rows).unwrap()), columns);
        assert_eq!(Value::Object(from_json(columns.clone()).unwrap()), columns);
    }

    #[test]
    fn codes_with_leading_zeros_stay_text() {
        assert_eq!(number("007"), None);
        assert_eq!(number("0.5"), Some(json!(0.5)));
        assert_eq!(number("-3"), Some(json!(-3)));
        assert_eq!(number("1e3"), Some(json!(1000.0)));
    }
}
