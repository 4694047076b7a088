//! Between JSON in golden files and the domain's tables and tensors.

use super::Columns;
use domain::{
    batch::{Contract, Element},
    frame::{Column, ColumnData, Frame},
    tensor::{Tensor, TensorData},
};
use serde_json::{Value, json};

/// A table from named columns; the contract tells which are text.
pub(crate) fn frame(columns: &Columns, contract: &Contract) -> Result<Frame, String> {
    let made = columns.iter().map(|(name, values)| {
        let values = values
            .as_array()
            .ok_or_else(|| format!("column {name:?} is not a list"))?;
        let field = contract.inputs.iter().find(|field| *field.name == **name);
        let data = match field.map(|field| field.element) {
            Some(Element::Utf8) => texts(name, values)?,
            Some(_) => numbers(name, values)?,
            // Not in the contract: whatever it is, the plugin never sees it.
            None if values.iter().any(Value::is_string) => texts(name, values)?,
            None => numbers(name, values)?,
        };
        Ok(Column {
            name: name.as_str().into(),
            data,
        })
    });
    let columns = made.collect::<Result<Vec<_>, String>>()?;
    Frame::new(columns).map_err(|error| error.to_string())
}

fn texts(name: &str, values: &[Value]) -> Result<ColumnData, String> {
    let text = |(row, value): (usize, &Value)| match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(format!(
            "column {name:?}, row {row}: {other} is not text; write it in quotes"
        )),
    };
    let texts = values.iter().enumerate().map(text);
    Ok(ColumnData::Text(texts.collect::<Result<_, _>>()?))
}

fn numbers(name: &str, values: &[Value]) -> Result<ColumnData, String> {
    let whole: Option<Vec<i64>> = values.iter().map(Value::as_i64).collect();
    if let Some(whole) = whole {
        return Ok(ColumnData::Integers(whole));
    }
    let number = |(row, value): (usize, &Value)| {
        number(value).ok_or_else(|| {
            format!(
                "column {name:?}, row {row}: {value} is no number; write a number, null, \"NaN\", \"inf\" or \"-inf\""
            )
        })
    };
    let numbers = values.iter().enumerate().map(number);
    Ok(ColumnData::Numbers(numbers.collect::<Result<_, _>>()?))
}

/// A number as golden files write it; missing is NaN.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(f64::NAN),
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number as JSON, the three that JSON lacks as text.
pub(super) fn from_number(x: f64) -> Value {
    if x.is_nan() {
        json!("NaN")
    } else if x.is_infinite() {
        json!(if x > 0.0 { "inf" } else { "-inf" })
    } else {
        json!(x)
    }
}

/// A tensor in the words of a golden file.
pub(crate) fn from_tensor(tensor: &Tensor) -> Value {
    json!({
        "name": &*tensor.name,
        "shape": tensor.shape,
        "values": from_values(&tensor.data),
    })
}

fn from_values(data: &TensorData) -> Vec<Value> {
    match data {
        // The shortest number that is this float, not its 17 digits as a double.
        TensorData::Fp32(v) => v
            .iter()
            .map(|x| from_number(x.to_string().parse().unwrap_or_else(|_| f64::from(*x))))
            .collect(),
        TensorData::Fp64(v) => v.iter().map(|&x| from_number(x)).collect(),
        TensorData::Int64(v) => v.iter().map(|&x| json!(x)).collect(),
        TensorData::Int32(v) => v.iter().map(|&x| json!(x)).collect(),
        TensorData::Uint8(v) => v.iter().map(|&x| json!(x)).collect(),
        TensorData::Bytes(v) => v
            .iter()
            .map(|text| json!(String::from_utf8_lossy(text)))
            .collect(),
        // No element of the contract becomes another type.
        other => other
            .to_f64()
            .unwrap_or_default()
            .into_iter()
            .map(from_number)
            .collect(),
    }
}
