//! Operators on one value, element by element.

use super::{Build, no_types};
use crate::onnx::{
    array::Array,
    fault::{Fault, Refusal},
    node::{Built, Inputs, Node, one},
};
use candle_core::cpu::erf::{erf_f32, erf_f64};
use domain::tensor::TensorData;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Exp" | "Log" | "Sqrt" | "Sin" | "Cos" | "Tan" | "Asin" | "Acos" | "Atan" | "Sinh"
        | "Cosh" | "Tanh" | "Asinh" | "Acosh" | "Atanh" => transcendental,
        "Erf" | "Sigmoid" | "Reciprocal" | "Softsign" | "Floor" | "Ceil" | "Round"
        | "HardSwish" | "Mish" | "Softplus" => fixed,
        "LeakyRelu" | "Elu" | "Celu" | "Selu" | "HardSigmoid" | "ThresholdedRelu" | "Shrink"
        | "Swish" => shaped,
        "Gelu" => gelu,
        "Relu" | "Abs" | "Neg" | "Sign" => numeric,
        "IsNaN" | "IsInf" => tests,
        "Clip" => clip,
        "Not" => not,
        "BitwiseNot" => bitwise_not,
        _ => return None,
    })
}

/// The error function on both float types.
trait Erf {
    fn error_function(self) -> Self;
}

impl Erf for f32 {
    fn error_function(self) -> Self {
        erf_f32(self)
    }
}

impl Erf for f64 {
    fn error_function(self) -> Self {
        erf_f64(self)
    }
}

/// A kernel over FP32 and FP64 with the type in scope as `T`.
macro_rules! float {
    ($x:ident, $body:expr) => {
        one(move |inputs: Inputs<'_>| {
            let a = inputs.get(0)?;
            match a.data() {
                TensorData::Fp32(v) => {
                    #[allow(dead_code, reason = "not every body names its type")]
                    type T = f32;
                    Array::of(*a.shape(), v.iter().map(|&$x| $body).collect::<Vec<f32>>())
                }
                TensorData::Fp64(v) => {
                    #[allow(dead_code, reason = "not every body names its type")]
                    type T = f64;
                    Array::of(*a.shape(), v.iter().map(|&$x| $body).collect::<Vec<f64>>())
                }
                _ => Err(no_types(&[a])),
            }
        })
    };
}

fn transcendental(node: &Node<'_>) -> Result<Built, Refusal> {
    match node.op() {
        "Exp" => float!(x, x.exp()),
        "Log" => float!(x, x.ln()),
        "Sqrt" => float!(x, x.sqrt()),
        "Sin" => float!(x, x.sin()),
        "Cos" => float!(x, x.cos()),
        "Tan" => float!(x, x.tan()),
        "Asin" => float!(x, x.asin()),
        "Acos" => float!(x, x.acos()),
        "Atan" => float!(x, x.atan()),
        "Sinh" => float!(x, x.sinh()),
        "Cosh" => float!(x, x.cosh()),
        "Asinh" => float!(x, x.asinh()),
        "Acosh" => float!(x, x.acosh()),
        "Atanh" => float!(x, x.atanh()),
        _ => float!(x, x.tanh()),
    }
}

fn fixed(node: &Node<'_>) -> Result<Built, Refusal> {
    match node.op() {
        "Erf" => float!(x, x.error_function()),
        "Sigmoid" => float!(x, 1.0 / (1.0 + (-x).exp())),
        "Reciprocal" => float!(x, x.recip()),
        "Softsign" => float!(x, x / (1.0 + x.abs())),
        "Floor" => float!(x, x.floor()),
        "Ceil" => float!(x, x.ceil()),
        "Round" => float!(x, x.round_ties_even()),
        "HardSwish" => float!(x, x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "Mish" => float!(x, x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()),
        _ => float!(x, x.max(0.0) + (-x.abs()).exp().ln_1p()),
    }
}

/// Activations with parameters; defaults are those of the specification.
fn shaped(node: &Node<'_>) -> Result<Built, Refusal> {
    let op = node.op();
    let default = match op {
        "LeakyRelu" => 0.01,
        "HardSigmoid" => 0.2,
        "Selu" => 1.673_263_2,
        _ => 1.0,
    };
    let alpha = match op {
        "Shrink" => node.float("lambd")?.unwrap_or(0.5),
        _ => node.float("alpha")?.unwrap_or(default),
    };
    match op {
        "LeakyRelu" => float!(x, if x < 0.0 { T::from(alpha) * x } else { x }),
        "Elu" => float!(
            x,
            if x < 0.0 {
                T::from(alpha) * x.exp_m1()
            } else {
                x
            }
        ),
        "Celu" => float!(
            x,
            x.max(0.0) + (T::from(alpha) * (x / T::from(alpha)).exp_m1()).min(0.0)
        ),
        "Selu" => {
            let gamma = node.float("gamma")?.unwrap_or(1.050_701);
            float!(
                x,
                T::from(gamma)
                    * if x > 0.0 {
                        x
                    } else {
                        T::from(alpha) * x.exp_m1()
                    }
            )
        }
        "HardSigmoid" => {
            let beta = node.float("beta")?.unwrap_or(0.5);
            float!(x, (T::from(alpha) * x + T::from(beta)).clamp(0.0, 1.0))
        }
        "Shrink" => {
            let bias = node.float("bias")?.unwrap_or(0.0);
            float!(
                x,
                if x < -T::from(alpha) {
                    x + T::from(bias)
                } else if x > T::from(alpha) {
                    x - T::from(bias)
                } else {
                    0.0
                }
            )
        }
        "Swish" => float!(x, x / (1.0 + (-T::from(alpha) * x).exp())),
        _ => float!(x, if x > T::from(alpha) { x } else { 0.0 }),
    }
}

fn gelu(node: &Node<'_>) -> Result<Built, Refusal> {
    match node.string("approximate")?.as_deref() {
        None | Some("none") => {
            float!(
                x,
                0.5 * x * (1.0 + (x * FRAC_1_SQRT_2 as T).error_function())
            )
        }
        // √(2/π) = 2/√π · 1/√2
        Some("tanh") => float!(
            x,
            0.5 * x
                * (1.0
                    + ((FRAC_2_SQRT_PI * FRAC_1_SQRT_2) as T * (x + 0.044_715 * x * x * x)).tanh())
        ),
        Some(other) => Err(node.refuse(&format!("approximate={other}"))),
    }
}

/// One body per numeric type.
macro_rules! each_number {
    ($a:expr, float |$x:ident| $float:expr, signed |$s:ident| $signed:expr, unsigned |$u:ident| $unsigned:expr) => {{
        let a = $a;
        let shape = *a.shape();
        match a.data() {
            TensorData::Fp32(v) => Array::of(shape, v.iter().map(|&$x| $float).collect()),
            TensorData::Fp64(v) => Array::of(shape, v.iter().map(|&$x| $float).collect()),
            TensorData::Int64(v) => Array::of(shape, v.iter().map(|&$s| $signed).collect()),
            TensorData::Int32(v) => Array::of(shape, v.iter().map(|&$s| $signed).collect()),
            TensorData::Int16(v) => Array::of(shape, v.iter().map(|&$s| $signed).collect()),
            TensorData::Int8(v) => Array::of(shape, v.iter().map(|&$s| $signed).collect()),
            TensorData::Uint64(v) => Array::of(shape, v.iter().map(|&$u| $unsigned).collect()),
            TensorData::Uint32(v) => Array::of(shape, v.iter().map(|&$u| $unsigned).collect()),
            TensorData::Uint16(v) => Array::of(shape, v.iter().map(|&$u| $unsigned).collect()),
            TensorData::Uint8(v) => Array::of(shape, v.iter().map(|&$u| $unsigned).collect()),
            _ => Err(no_types(&[a])),
        }
    }};
}

fn numeric(node: &Node<'_>) -> Result<Built, Refusal> {
    match node.op() {
        "Relu" => one(|inputs| {
            each_number!(
                inputs.get(0)?,
                float | x | if x < 0.0 { 0.0 } else { x },
                signed | s | s.max(0),
                unsigned | u | u
            )
        }),
        "Abs" => one(|inputs| {
            each_number!(
                inputs.get(0)?,
                float | x | x.abs(),
                signed | s | s.wrapping_abs(),
                unsigned | u | u
            )
        }),
        "Neg" => one(|inputs| {
            each_number!(
                inputs.get(0)?,
                float | x | -x,
                signed | s | s.wrapping_neg(),
                unsigned | u | u.wrapping_neg()
            )
        }),
        _ => one(|inputs| {
            each_number!(
                inputs.get(0)?,
                float
                    | x
                    | if x > 0.0 {
                        1.0
                    } else if x < 0.0 {
                        -1.0
                    } else {
                        x
                    },
                signed | s | s.signum(),
                unsigned | u | u.min(1)
            )
        }),
    }
}

fn tests(node: &Node<'_>) -> Result<Built, Refusal> {
    let nan = node.op() == "IsNaN";
    let negative = node.int("detect_negative")?.unwrap_or(1) != 0;
    let positive = node.int("detect_positive")?.unwrap_or(1) != 0;
    let test = move |x: f64| {
        if nan {
            x.is_nan()
        } else {
            x.is_infinite() && (if x > 0.0 { positive } else { negative })
        }
    };
    one(move |inputs| {
        let a = inputs.get(0)?;
        let values = match a.data() {
            TensorData::Fp32(v) => v.iter().map(|&x| test(x.into())).collect(),
            TensorData::Fp64(v) => v.iter().map(|&x| test(x)).collect(),
            _ => return Err(no_types(&[a])),
        };
        Array::of(*a.shape(), values)
    })
}

fn not(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let a = inputs.get(0)?;
        Array::of(*a.shape(), a.values::<bool>()?.iter().map(|x| !x).collect())
    })
}

fn bitwise_not(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let a = inputs.get(0)?;
        let shape = *a.shape();
        match a.data() {
            TensorData::Int64(v) => Array::of(shape, v.iter().map(|x| !x).collect()),
            TensorData::Int32(v) => Array::of(shape, v.iter().map(|x| !x).collect()),
            TensorData::Int16(v) => Array::of(shape, v.iter().map(|x| !x).collect()),
            TensorData::Int8(v) => Array::of(shape, v.iter().map(|x| !x).collect()),
            TensorData::Uint64(v) => Array::of(shape, v.iter().map(|x| !x).collect()),
            TensorData::Uint32(v) => Array::of(shape, v.iter().map(|x| !x).collect()),
            TensorData::Uint16(v) => Array::of(shape, v.iter().map(|x| !x).collect()),
            TensorData::Uint8(v) => Array::of(shape, v.iter().map(|x| !x).collect()),
            _ => Err(no_types(&[a])),
        }
    })
}

/// A bound of the value's own type, read from a one-element input.
macro_rules! bounded {
    ($inputs:expr, $a:expr, [$($case:ident),+]) => {
        match $a.data() {
            $(TensorData::$case(v) => {
                let bound = |at| $inputs.optional(at).map(Array::only).transpose();
                let (low, high) = (bound(1)?, bound(2)?);
                let clipped = v.iter().map(|&x| {
                    let x = match low { Some(low) if x < low => low, _ => x };
                    match high { Some(high) if x > high => high, _ => x }
                });
                Array::of(*$a.shape(), clipped.collect())
            })+
            _ => Err(no_types(&[$a])),
        }
    };
}

/// Bounds are attributes up to version 10 and inputs since.
fn clip(node: &Node<'_>) -> Result<Built, Refusal> {
    let low = node.float("min")?;
    let high = node.float("max")?;
    if node.version < 11 {
        let low = low.unwrap_or(f32::MIN);
        let high = high.unwrap_or(f32::MAX);
        if low.is_nan() || high.is_nan() {
            return Err(node.broken("bounds that are not numbers"));
        }
        return float!(
            x,
            if x < T::from(low) {
                T::from(low)
            } else if x > T::from(high) {
                T::from(high)
            } else {
                x
            }
        );
    }
    one(move |inputs| -> Result<Array, Fault> {
        let a = inputs.get(0)?;
        bounded!(
            inputs,
            a,
            [
                Fp32, Fp64, Int64, Int32, Int16, Int8, Uint64, Uint32, Uint16, Uint8
            ]
        )
    })
}
