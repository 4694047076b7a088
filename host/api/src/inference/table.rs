//! Data frames and row lists, as KServe V1 and MLflow's scoring protocol send
//! them, in `serving`'s terms.
//!
//! Columns are typed by what they hold, by the policy that data sets are read
//! with: numbers where all are numbers (booleans are 0 and 1, `null` is a missing
//! value), whole numbers beyond 2^53 kept whole, text as soon as one cell is
//! text. Columns of nested lists, and lists of lists, become tensors of the
//! datatype that the model takes.

use crate::{
    edge::error::Failure,
    inference::{elements, target},
};
use domain::{
    frame::{Column, ColumnData, Frame},
    signature::Signature,
    tensor::{DataType, Tensor},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use serving::{Inputs, LiveVariant};
use std::{borrow::Cow, fmt, sync::Arc};

/// A JSON object's members in order, values as they stand.
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(V)
    }
}

/// Text that is borrowed where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn unreadable(what: &str, error: &serde_json::Error) -> Failure {
    Failure::malformed(format!("{what}: {error}"))
}

/// pandas' "split" orientation: column names, rows of cells, an index that is
/// ignored.
#[derive(Deserialize)]
struct Split<'a> {
    #[serde(borrow, default)]
    columns: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    data: Vec<Vec<&'a RawValue>>,
}

/// `dataframe_split`.
pub(crate) fn split(json: &str) -> Result<Inputs, Failure> {
    let what = "dataframe_split";
    let Split { columns, data } =
        serde_json::from_str(json).map_err(|error| unreadable(what, &error))?;
    let width = columns
        .as_ref()
        .map_or_else(|| data.first().map_or(0, Vec::len), Vec::len);
    let names = match columns {
        Some(columns) => columns.into_iter().map(label).collect::<Result<_, _>>()?,
        None => (0..width).map(|at| at.to_string()).collect(),
    };
    rows(what, names, &data)
}

/// A column's name: text, or a number as pandas makes for unnamed columns.
fn label(raw: &RawValue) -> Result<String, Failure> {
    let json = raw.get();
    match json.as_bytes().first() {
        Some(b'"') => {
            serde_json::from_str(json).map_err(|error| unreadable("dataframe_split", &error))
        }
        Some(b'-' | b'0'..=b'9') => Ok(json.to_owned()),
        _ => Err(Failure::malformed(
            "dataframe_split: columns must be names or numbers",
        )),
    }
}

/// Rows of cells under `names`.
fn rows(what: &str, names: Vec<String>, rows: &[Vec<&RawValue>]) -> Result<Inputs, Failure> {
    if let Some(at) = rows.iter().position(|row| row.len() != names.len()) {
        return Err(Failure::malformed(format!(
            "{what}: row {at} has {} cells, there are {} columns",
            rows.get(at).map_or(0, Vec::len),
            names.len()
        )));
    }
    let columns = names.into_iter().enumerate().map(|(at, name)| {
        let cells = rows.iter().map(|row| row.get(at).map(|raw| raw.get()));
        column(name.into(), cells)
    });
    frame(columns.collect::<Result<_, _>>()?)
}

fn frame(columns: Vec<Column>) -> Result<Inputs, Failure> {
    let frame = Frame::new(columns).map_err(|error| Failure::invalid(error.to_string()))?;
    Ok(Inputs::Frame(frame))
}

/// A list of objects, one a row. A key that a row lacks is a missing value.
pub(crate) fn records(what: &str, json: &str, signature: &Signature) -> Result<Inputs, Failure> {
    let rows: Vec<Members<'_>> =
        serde_json::from_str(json).map_err(|error| unreadable(what, &error))?;
    let mut names: Vec<Cow<'_, str>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut table: Vec<Vec<Option<&str>>> = Vec::new();
    // A key costs a cell in every row, also in those that lack it.
    let most = MAX_CELLS / rows.len().max(1);
    for (at, Members(row)) in rows.iter().enumerate() {
        for (name, value) in row {
            let place = *places.entry(name.clone()).or_insert_with(|| {
                names.push(name.clone());
                table.push(Vec::new());
                table.len() - 1
            });
            if names.len() > most {
                return Err(Failure::invalid(format!(
                    "{what}: {} rows with more than {most} different keys are too many cells",
                    rows.len()
                )));
            }
            let Some(cells) = table.get_mut(place) else {
                continue;
            };
            if cells.len() > at {
                return Err(Failure::malformed(format!(
                    "{what}: row {at} has {name:?} twice"
                )));
            }
            cells.resize(at, None);
            cells.push(Some(value.get()));
        }
    }
    for cells in &mut table {
        cells.resize(rows.len(), None);
    }
    let nested = table
        .iter()
        .flatten()
        .flatten()
        .any(|cell| cell.starts_with('['));
    if !nested {
        let columns = names.iter().zip(&table);
        let columns =
            columns.map(|(name, cells)| column(name.as_ref().into(), cells.iter().copied()));
        return frame(columns.collect::<Result<_, _>>()?);
    }
    let tensors = names.iter().zip(table).map(|(name, cells)| {
        let cells: Vec<&str> = cells.iter().map(|cell| cell.unwrap_or("null")).collect();
        let array = format!("[{}]", cells.join(","));
        named_tensor(what, name, &array, signature)
    });
    Ok(Inputs::Tensors(tensors.collect::<Result<_, _>>()?))
}

/// Most cells of a table made from records.
const MAX_CELLS: usize = 4_000_000;

/// An object of columns: lists of cells, or tensors where lists are nested.
pub(crate) fn columns(what: &str, json: &str, signature: &Signature) -> Result<Inputs, Failure> {
    let Members(members) = serde_json::from_str(json).map_err(|error| unreadable(what, &error))?;
    let mut columns = Vec::with_capacity(members.len());
    let mut nested = false;
    for (name, value) in &members {
        let cells: Vec<&RawValue> = match value.get().as_bytes().first() {
            Some(b'[') => serde_json::from_str(value.get())
                .map_err(|error| unreadable(&format!("{what}: {name:?}"), &error))?,
            // One row's value without its list.
            _ => vec![value],
        };
        if cells.iter().any(|cell| cell.get().starts_with('[')) {
            nested = true;
            break;
        }
        let cells = cells.iter().map(|raw| Some(raw.get()));
        columns.push(column(name.as_ref().into(), cells)?);
    }
    if !nested {
        return frame(columns);
    }
    let tensors = members
        .iter()
        .map(|(name, value)| named_tensor(what, name, value.get(), signature));
    Ok(Inputs::Tensors(tensors.collect::<Result<_, _>>()?))
}

fn named_tensor(
    what: &str,
    name: &str,
    json: &str,
    signature: &Signature,
) -> Result<Tensor, Failure> {
    let mut specs = signature.inputs.iter();
    let Some(spec) = specs.find(|spec| *spec.name == *name) else {
        let known: Vec<&str> = signature.inputs.iter().map(|spec| &*spec.name).collect();
        return Err(Failure::invalid(format!(
            "{what}: {name:?} is not an input of the model: it takes {}",
            known.join(", ")
        )));
    };
    tensor(
        what,
        Arc::clone(&spec.name),
        spec.datatype,
        &spec.shape,
        json,
    )
}

/// A list of rows without names. `None` if the model has no single input that
/// they could be, and no list of columns to lay them over.
pub(crate) fn positional(
    what: &str,
    json: &str,
    described: &LiveVariant,
) -> Result<Inputs, Failure> {
    if let Some((name, datatype, shape)) = target::only_input(described) {
        let tensor = tensor(what, name, datatype, &shape, json)?;
        return Ok(Inputs::Tensors(vec![tensor]));
    }
    let data: Vec<Vec<&RawValue>> =
        serde_json::from_str(json).map_err(|error| unreadable(what, &error))?;
    let inputs = described.signature.inputs.iter();
    let names = inputs.map(|spec| spec.name.to_string()).collect();
    rows(what, names, &data)
}

fn tensor(
    what: &str,
    name: Arc<str>,
    datatype: DataType,
    spec: &[i64],
    json: &str,
) -> Result<Tensor, Failure> {
    let parsed = elements::parse(json, datatype, 0)
        .map_err(|error| Failure::invalid(format!("{what}: {name:?}: {error}")))?;
    let mut shape = parsed.dims;
    // A last dimension of one is the same data with or without its brackets.
    if shape.len() + 1 == spec.len() && matches!(spec.last(), Some(1)) {
        shape.push(1);
    } else if shape.len() == spec.len() + 1 && shape.last() == Some(&1) {
        shape.pop();
    }
    Tensor::new(name, shape, parsed.data).map_err(|error| Failure::invalid(error.to_string()))
}

/// What one cell holds.
enum Cell<'a> {
    Missing,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
}

fn cell(json: &str) -> Option<Cell<'_>> {
    Some(match json.as_bytes().first()? {
        b'n' => Cell::Missing,
        b't' => Cell::Bool(true),
        b'f' => Cell::Bool(false),
        b'"' => Cell::Text(serde_json::from_str::<Name<'_>>(json).ok()?.0),
        b'-' | b'0'..=b'9' => Cell::Number(json),
        _ => return None,
    })
}

/// A column typed by its cells; `None` is a cell that is not there.
fn column<'a>(
    name: Arc<str>,
    cells: impl Iterator<Item = Option<&'a str>>,
) -> Result<Column, Failure> {
    let mut read = Vec::with_capacity(cells.size_hint().0);
    for (row, json) in cells.enumerate() {
        let cell = json.map_or(Some(Cell::Missing), cell).ok_or_else(|| {
            Failure::malformed(format!(
                "column {name:?}, row {row}: a cell must be a number, text, boolean or null"
            ))
        })?;
        read.push(cell);
    }
    let data = if read.iter().any(|cell| matches!(cell, Cell::Text(_))) {
        ColumnData::Text(read.into_iter().map(text).collect())
    } else {
        match large(&read) {
            Some(integers) => ColumnData::Integers(integers),
            None => numbers(&name, &read)?,
        }
    };
    Ok(Column { name, data })
}

fn text(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Missing => None,
        Cell::Bool(truth) => Some(truth.to_string()),
        Cell::Number(number) => Some(number.to_owned()),
        Cell::Text(text) => Some(text.into_owned()),
    }
}

/// The column as integers, if all are and a double could not hold one of them.
fn large(cells: &[Cell<'_>]) -> Option<Vec<i64>> {
    let mut beyond = false;
    let mut integers = Vec::with_capacity(cells.len());
    for cell in cells {
        let Cell::Number(number) = cell else {
            return None;
        };
        let whole: i64 = number.parse().ok()?;
        beyond |= whole.unsigned_abs() > 1 << 53;
        integers.push(whole);
    }
    beyond.then_some(integers)
}

fn numbers(name: &str, cells: &[Cell<'_>]) -> Result<ColumnData, Failure> {
    let number = |(row, cell): (usize, &Cell<'_>)| match cell {
        Cell::Missing | Cell::Text(_) => Ok(f64::NAN),
        Cell::Bool(truth) => Ok(f64::from(u8::from(*truth))),
        Cell::Number(number) => {
            let value = number.parse().ok().filter(|value: &f64| value.is_finite());
            value.ok_or_else(|| {
                Failure::invalid(format!("column {name:?}, row {row}: {number} is too large"))
            })
        }
    };
    let numbers = cells.iter().enumerate().map(number);
    Ok(ColumnData::Numbers(numbers.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(json: &str) -> ColumnData {
        let cells: Vec<&RawValue> = serde_json::from_str(json).unwrap();
        column("c".into(), cells.iter().map(|raw| Some(raw.get())))
            .unwrap()
            .data
    }

    #[test]
    fn columns_are_typed_by_what_they_hold() {
        assert_eq!(typed("[1,2.5]"), ColumnData::Numbers(vec![1.0, 2.5]));
        assert_eq!(typed("[true,0]"), ColumnData::Numbers(vec![1.0, 0.0]));
        assert_eq!(
            typed("[9007199254740993,1]"),
            ColumnData::Integers(vec![9_007_199_254_740_993, 1])
        );
        assert_eq!(
            typed(r#"[1.50,"x",null,true]"#),
            ColumnData::Text(vec![
                Some("1.50".into()),
                Some("x".into()),
                None,
                Some("true".into())
            ])
        );
        let ColumnData::Numbers(missing) = typed("[null,3]") else {
            panic!("not numbers")
        };
        assert!(missing[0].is_nan() && missing[1] == 3.0);
    }

    #[test]
    fn cells_that_are_no_cells_are_named() {
        let error = column("c".into(), [Some("1"), Some("{}")].into_iter()).unwrap_err();
        assert_eq!(
            error.message,
            "column \"c\", row 1: a cell must be a number, text, boolean or null"
        );
        assert!(column("c".into(), [Some("1e999")].into_iter()).is_err());
    }

    #[test]
    fn records_keep_the_order_of_their_keys_and_fill_gaps() {
        let signature = Signature {
            inputs: vec![],
            outputs: vec![],
        };
        let json = r#"[{"b":1,"a":2},{"a":3,"f10":5,"f9":4}]"#;
        let Inputs::Frame(frame) = records("instances", json, &signature).unwrap() else {
            panic!("not a frame")
        };
        let names: Vec<&str> = frame.columns.iter().map(|c| &*c.name).collect();
        assert_eq!(names, ["b", "a", "f10", "f9"]);
        let ColumnData::Numbers(b) = &frame.columns[0].data else {
            panic!("not numbers")
        };
        assert!(b[0] == 1.0 && b[1].is_nan());
        assert!(records("instances", r#"[{"a":1,"a":2}]"#, &signature).is_err());
        // Short as text, 400 million cells as a table.
        let keys: Vec<String> = (0..4000).map(|key| format!("\"{key}\":0")).collect();
        let sparse = format!("[{}{{{}}}]", "{},".repeat(100_000), keys.join(","));
        let error = records("instances", &sparse, &signature).unwrap_err();
        assert_eq!(
            error.message,
            "instances: 100001 rows with more than 39 different keys are too many cells"
        );
    }
}
