//! Columns of a golden file as a batch.

use serde_json::Value;
use tollgate_plugin::{Batch, Block, Buffer, Element, FieldSpec, Text};

/// One block a field, in the order of `fields`.
#[must_use]
pub fn batch(fields: &[FieldSpec], columns: &Value) -> Batch {
    let column = |field: &FieldSpec| {
        let column = columns[&field.name].as_array();
        column.unwrap_or_else(|| panic!("no column {:?}", field.name))
    };
    let rows = fields.first().map_or(0, |field| column(field).len());
    let blocks = fields
        .iter()
        .map(|field| {
            assert_eq!(column(field).len(), rows, "column {:?}", field.name);
            block(field.element, column(field))
        })
        .collect();
    Batch {
        rows: rows as u32,
        blocks,
    }
}

fn block(element: Element, cells: &[Value]) -> Block {
    let mut validity = vec![0_u8; cells.len().div_ceil(8)];
    for (row, cell) in cells.iter().enumerate() {
        if !cell.is_null() {
            validity[row / 8] |= 1 << (row % 8);
        }
    }
    let whole = |cell: &Value| cell.as_i64().unwrap_or(0);
    let values = match element {
        Element::F32 => Buffer::F32s(cells.iter().map(|cell| float(cell) as f32).collect()),
        Element::F64 => Buffer::F64s(cells.iter().map(float).collect()),
        Element::S64 => Buffer::S64s(cells.iter().map(whole).collect()),
        Element::S32 => Buffer::S32s(cells.iter().map(|cell| whole(cell) as i32).collect()),
        Element::U8 => Buffer::U8s(cells.iter().map(|cell| whole(cell) as u8).collect()),
        Element::Utf8 => Buffer::Utf8(text(cells)),
    };
    let float = matches!(element, Element::F32 | Element::F64);
    let validity = (!float).then_some(validity);
    Block {
        fields: 1,
        values,
        validity,
    }
}

fn text(cells: &[Value]) -> Text {
    let mut text = Text {
        offsets: vec![0],
        data: vec![],
    };
    for cell in cells {
        text.data
            .extend_from_slice(cell.as_str().unwrap_or("").as_bytes());
        text.offsets.push(text.data.len() as u32);
    }
    text
}

/// A number as golden files write it; missing is NaN.
pub(crate) fn float(value: &Value) -> f64 {
    match value {
        Value::Null => f64::NAN,
        Value::String(word) => word.parse().expect("NaN, inf or -inf"),
        other => other.as_f64().expect("a number"),
    }
}
