//! Conversions between element types, and constants.

use super::{Build, no_types};
use crate::onnx::{
    array::{Array, Element, Shape},
    constant,
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};
use domain::tensor::{DataType, TensorData};

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Cast" => cast,
        "CastLike" => cast_like,
        "Identity" => |_| Ok(Built::Alias),
        "Dropout" => dropout,
        "Constant" => constant_value,
        "ConstantOfShape" => constant_of_shape,
        _ => return None,
    })
}

fn cast(node: &Node<'_>) -> Result<Built, Refusal> {
    node.ignore("saturate");
    node.ignore("round_mode");
    let code = node.int("to")?.and_then(|to| i32::try_from(to).ok());
    let Some(code) = code else {
        return Err(node.broken("no target type"));
    };
    let to = constant::datatype(code)?;
    one(move |inputs| convert(inputs.get(0)?, to))
}

fn cast_like(node: &Node<'_>) -> Result<Built, Refusal> {
    node.ignore("saturate");
    one(|inputs| convert(inputs.get(0)?, inputs.get(1)?.datatype()))
}

/// Elements in another type. Floats are truncated towards zero to integers
/// (saturating), integers wrap, texts are parsed and printed.
pub(crate) fn convert(a: &Array, to: DataType) -> Result<Array, Fault> {
    if a.datatype() == to {
        return Ok(a.clone());
    }
    let data = match a.data() {
        TensorData::Bytes(texts) => parsed(texts, to)?,
        TensorData::Int64(values) => from_integers(values.iter().copied(), to),
        TensorData::Int32(v) => from_integers(v.iter().map(|&x| x.into()), to),
        TensorData::Int16(v) => from_integers(v.iter().map(|&x| x.into()), to),
        TensorData::Int8(v) => from_integers(v.iter().map(|&x| x.into()), to),
        TensorData::Uint8(v) => from_integers(v.iter().map(|&x| x.into()), to),
        TensorData::Uint16(v) => from_integers(v.iter().map(|&x| x.into()), to),
        TensorData::Uint32(v) => from_integers(v.iter().map(|&x| x.into()), to),
        TensorData::Bool(v) => from_integers(v.iter().map(|&x| x.into()), to),
        TensorData::Uint64(v) if to != DataType::Fp32 && to != DataType::Fp64 => {
            from_integers(v.iter().map(|&x| x as i64), to)
        }
        TensorData::Fp32(v) if to == DataType::Fp64 => {
            f64::wrap(v.iter().map(|&x| x.into()).collect())
        }
        TensorData::Fp32(v) if to == DataType::Bytes => Vec::wrap(
            v.iter()
                .map(|&x| printed(x.into(), x.to_string()))
                .collect(),
        ),
        other => match other.to_f64() {
            Some(values) => from_floats(&values, to),
            None => return Err(no_types(&[a])),
        },
    };
    Array::new(*a.shape(), data)
}

fn from_integers(values: impl Iterator<Item = i64>, to: DataType) -> TensorData {
    match to {
        DataType::Bool => bool::wrap(values.map(|x| x != 0).collect()),
        DataType::Uint8 => u8::wrap(values.map(|x| x as u8).collect()),
        DataType::Uint16 => u16::wrap(values.map(|x| x as u16).collect()),
        DataType::Uint32 => u32::wrap(values.map(|x| x as u32).collect()),
        DataType::Uint64 => u64::wrap(values.map(|x| x as u64).collect()),
        DataType::Int8 => i8::wrap(values.map(|x| x as i8).collect()),
        DataType::Int16 => i16::wrap(values.map(|x| x as i16).collect()),
        DataType::Int32 => i32::wrap(values.map(|x| x as i32).collect()),
        DataType::Int64 => i64::wrap(values.collect()),
        DataType::Fp16 => half::f16::wrap(values.map(|x| half::f16::from_f32(x as f32)).collect()),
        DataType::Bf16 => {
            half::bf16::wrap(values.map(|x| half::bf16::from_f32(x as f32)).collect())
        }
        DataType::Fp32 => f32::wrap(values.map(|x| x as f32).collect()),
        DataType::Fp64 => f64::wrap(values.map(|x| x as f64).collect()),
        DataType::Bytes => Vec::wrap(values.map(|x| x.to_string().into_bytes()).collect()),
    }
}

fn from_floats(values: &[f64], to: DataType) -> TensorData {
    let v = values.iter();
    match to {
        DataType::Bool => bool::wrap(v.map(|&x| x != 0.0).collect()),
        DataType::Uint8 => u8::wrap(v.map(|&x| x as i64 as u8).collect()),
        DataType::Uint16 => u16::wrap(v.map(|&x| x as i64 as u16).collect()),
        DataType::Uint32 => u32::wrap(v.map(|&x| x as i64 as u32).collect()),
        DataType::Uint64 => u64::wrap(v.map(|&x| x as u64).collect()),
        DataType::Int8 => i8::wrap(v.map(|&x| x as i64 as i8).collect()),
        DataType::Int16 => i16::wrap(v.map(|&x| x as i64 as i16).collect()),
        DataType::Int32 => i32::wrap(v.map(|&x| x as i32).collect()),
        DataType::Int64 => i64::wrap(v.map(|&x| x as i64).collect()),
        DataType::Fp16 => half::f16::wrap(v.map(|&x| half::f16::from_f64(x)).collect()),
        DataType::Bf16 => half::bf16::wrap(v.map(|&x| half::bf16::from_f64(x)).collect()),
        DataType::Fp32 => f32::wrap(v.map(|&x| x as f32).collect()),
        DataType::Fp64 => f64::wrap(values.to_vec()),
        DataType::Bytes => Vec::wrap(v.map(|&x| printed(x, x.to_string())).collect()),
    }
}

/// The shortest text that reads back the same; special values as the
/// specification of `Cast` spells them.
fn printed(value: f64, text: String) -> Vec<u8> {
    if value.is_nan() {
        b"NaN".to_vec()
    } else if value.is_infinite() {
        if value > 0.0 {
            b"INF" as &[u8]
        } else {
            b"-INF"
        }
        .to_vec()
    } else {
        text.into_bytes()
    }
}

fn parsed(texts: &[Vec<u8>], to: DataType) -> Result<TensorData, Fault> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).trim().to_owned();
    let bad = |text: &str| {
        let short: String = text.chars().take(32).collect();
        Fault::value(format!("text {short:?} is not a number"))
    };
    if matches!(
        to,
        DataType::Int64 | DataType::Int32 | DataType::Int16 | DataType::Int8
    ) {
        let whole = texts.iter().map(|t| {
            let t = text(t);
            t.parse::<i64>().map_err(|_| bad(&t))
        });
        let whole: Vec<i64> = whole.collect::<Result<_, _>>()?;
        return Ok(from_integers(whole.into_iter(), to));
    }
    let numbers = texts.iter().map(|t| {
        let t = text(t);
        t.parse::<f64>().map_err(|_| bad(&t))
    });
    let numbers: Vec<f64> = numbers.collect::<Result<_, _>>()?;
    Ok(from_floats(&numbers, to))
}

/// Nothing is dropped while a model serves.
fn dropout(node: &Node<'_>) -> Result<Built, Refusal> {
    node.ignore("ratio");
    node.ignore("seed");
    node.ignore("is_test");
    if node.has_output(1) {
        return Err(node.refuse("its mask output"));
    }
    if node.has_input(2) {
        let training = match node.constant(2) {
            Some(flag) => flag.only::<bool>()?,
            None => return Err(node.refuse("a training flag that depends on the input")),
        };
        if training {
            return Err(node.refuse("training_mode on"));
        }
    }
    Ok(Built::Alias)
}

fn constant_value(node: &Node<'_>) -> Result<Built, Refusal> {
    if let Some(value) = node.tensor("value")? {
        return Ok(Built::Constant(value));
    }
    if let Some(value) = node.float("value_float")? {
        return Ok(Built::Constant(Array::scalar(value)));
    }
    if let Some(value) = node.int("value_int")? {
        return Ok(Built::Constant(Array::scalar(value)));
    }
    if let Some(value) = node.bytes("value_string")? {
        return Ok(Built::Constant(Array::scalar(value)));
    }
    let vector = if let Some(values) = node.floats("value_floats")? {
        Array::vector(values.to_vec())
    } else if let Some(values) = node.ints("value_ints")? {
        Array::vector(values.to_vec())
    } else if let Some(values) = node.strings("value_strings")? {
        Array::vector(values.to_vec())
    } else {
        return Err(node.broken("no value"));
    };
    Ok(Built::Constant(vector?))
}

fn constant_of_shape(node: &Node<'_>) -> Result<Built, Refusal> {
    let value = node.tensor("value")?.unwrap_or_else(|| Array::scalar(0f32));
    if value.len() != 1 {
        return Err(node.broken("value must have one element"));
    }
    let value = value.reshaped(Shape::SCALAR)?;
    one(move |inputs| {
        let shape = super::shape::dims(&inputs.get(0)?.to_i64()?)?;
        super::broadcast::expand(&value, &shape)
    })
}
