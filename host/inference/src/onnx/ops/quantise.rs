//! Small integers that stand for floats: `float = (integer - zero) * scale`, and
//! products of such integers.

use super::{Build, cast::convert, conv::convolve_whole, matmul::matmul, no_types, window::Window};
use crate::onnx::{
    array::{Array, Shape},
    constant,
    fault::{Fault, Refusal},
    node::{Built, Inputs, Node, many, one},
};
use domain::tensor::DataType;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "QuantizeLinear" => quantise,
        "DequantizeLinear" => dequantise,
        "DynamicQuantizeLinear" => measure,
        "MatMulInteger" => matmul_integer,
        "ConvInteger" => conv_integer,
        _ => return None,
    })
}

/// Least and most value of a type.
fn range(datatype: DataType) -> Result<(f64, f64), Fault> {
    Ok(match datatype {
        DataType::Uint8 => (0.0, 255.0),
        DataType::Int8 => (-128.0, 127.0),
        DataType::Uint16 => (0.0, 65535.0),
        DataType::Int16 => (-32768.0, 32767.0),
        other => return Err(Fault::Unsupported(format!("quantised datatype {other}"))),
    })
}

/// A parameter for each place along an axis, or one for all.
struct Along {
    values: Vec<f64>,
    inner: usize,
}

impl Along {
    fn new(a: &Array, parameter: Option<&Array>, axis: i64, default: f64) -> Result<Self, Fault> {
        let values = match parameter {
            Some(given) => given.data().to_f64().ok_or_else(|| no_types(&[given]))?,
            None => vec![default],
        };
        if values.len() == 1 {
            return Ok(Self { values, inner: 1 });
        }
        let (_, size, inner) = a.shape().around(a.shape().axis(axis)?);
        if parameter.is_some_and(|given| given.rank() != 1) || values.len() != size {
            return Err(Fault::shape("scales or zero points do not fit the axis"));
        }
        Ok(Self { values, inner })
    }

    fn at(&self, place: usize) -> f64 {
        match *self.values.as_slice() {
            [one] => one,
            ref all => all[place / self.inner.max(1) % all.len().max(1)],
        }
    }
}

fn axis(node: &Node<'_>) -> Result<i64, Refusal> {
    if node.int("block_size")?.unwrap_or(0) != 0 {
        return Err(node.refuse("block_size"));
    }
    node.ignore("saturate");
    node.ignore("precision");
    Ok(node.int("axis")?.unwrap_or(1))
}

fn quantise(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = axis(node)?;
    let wanted = match node.int("output_dtype")?.map(i32::try_from) {
        None | Some(Ok(0)) => None,
        Some(Ok(code)) => Some(constant::datatype(code)?),
        Some(Err(_)) => return Err(node.broken("output_dtype")),
    };
    one(move |inputs| {
        let a = inputs.get(0)?;
        let zero = inputs.optional(2);
        let to = zero.map(Array::datatype).or(wanted);
        let to = to.unwrap_or(DataType::Uint8);
        let (low, high) = range(to)?;
        let scale = Along::new(a, Some(inputs.get(1)?), axis, 1.0)?;
        let zero = Along::new(a, zero, axis, 0.0)?;
        let values = a.values::<f32>()?.iter().enumerate();
        // In FP32, as the specification divides.
        let made = values.map(|(at, x)| {
            let steps = f64::from((x / scale.at(at) as f32).round_ties_even());
            (steps + zero.at(at)).clamp(low, high)
        });
        convert(&Array::of(*a.shape(), made.collect::<Vec<f64>>())?, to)
    })
}

fn dequantise(node: &Node<'_>) -> Result<Built, Refusal> {
    let axis = axis(node)?;
    node.ignore("output_dtype");
    one(move |inputs| {
        let a = inputs.get(0)?;
        let scale = Along::new(a, Some(inputs.get(1)?), axis, 1.0)?;
        let zero = Along::new(a, inputs.optional(2), axis, 0.0)?;
        let values = a.to_i64()?;
        let made = values.iter().enumerate();
        let made = made.map(|(at, &x)| (x as f64 - zero.at(at)) as f32 * scale.at(at) as f32);
        Array::of(*a.shape(), made.collect())
    })
}

/// `DynamicQuantizeLinear`: scale and zero point from the values' own range, which
/// always has 0 in it.
fn measure(_: &Node<'_>) -> Result<Built, Refusal> {
    many(|inputs| {
        let a = inputs.get(0)?;
        let values = a.values::<f32>()?;
        let low = values.iter().copied().fold(0f32, f32::min);
        let high = values.iter().copied().fold(0f32, f32::max);
        let scale = if high > low {
            (high - low) / 255.0
        } else {
            1.0
        };
        let zero = (-low / scale).clamp(0.0, 255.0).round_ties_even();
        let each = values.iter().map(|x| {
            let steps = (x / scale).round_ties_even() + zero;
            steps.clamp(0.0, 255.0) as u8
        });
        Ok(vec![
            Array::of(*a.shape(), each.collect())?,
            Array::scalar(scale),
            Array::scalar(zero as u8),
        ])
    })
}

/// The integers less their zero point, which stands for one place of the axis.
fn shifted(a: &Array, zero: Option<&Array>, axis: i64) -> Result<Vec<f64>, Fault> {
    range(a.datatype())?;
    let zero = Along::new(a, zero, axis, 0.0)?;
    let values = a.to_i64()?;
    let all = values.iter().enumerate();
    Ok(all.map(|(at, &x)| x as f64 - zero.at(at)).collect())
}

/// Sums of products of bytes are whole numbers that FP64 holds exactly.
fn matmul_integer(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        let left = Array::of(*a.shape(), shifted(a, inputs.optional(2), -2)?)?;
        let right = Array::of(*b.shape(), shifted(b, inputs.optional(3), -1)?)?;
        convert(&matmul(&left, &right)?, DataType::Int32)
    })
}

/// In FP32: exact up to 2^24, and then as exact as the floats it becomes.
fn conv_integer(node: &Node<'_>) -> Result<Built, Refusal> {
    let window = Window::read(node)?;
    let groups = super::conv::group(node)?;
    let narrow = |inputs: Inputs<'_>, at: usize, axis| -> Result<Array, Fault> {
        let a = inputs.get(at)?;
        let values = shifted(a, inputs.optional(at + 2), axis)?;
        let shape: Shape = *a.shape();
        Array::of(shape, values.iter().map(|&x| x as f32).collect())
    };
    one(move |inputs| {
        let (x, weight) = (narrow(inputs, 0, 1)?, narrow(inputs, 1, 0)?);
        let sums = convolve_whole(&x, &weight, &window, groups)?;
        convert(&sums, DataType::Int32)
    })
}
