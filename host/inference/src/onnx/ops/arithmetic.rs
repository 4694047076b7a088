//! Operators on two or more values with broadcasting: arithmetic, comparison,
//! logic. Integers wrap around; integer division by zero is an error.

use super::{
    Build,
    broadcast::{expand, zip},
    no_types,
};
use crate::onnx::{
    array::{Array, broadcast_shape, same_data},
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};
use domain::tensor::TensorData;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "Add" | "Sub" | "Mul" | "Div" => basic,
        "Max" | "Min" | "Sum" | "Mean" => variadic,
        "Mod" => modulo,
        "Pow" => pow,
        "PRelu" => prelu,
        "Equal" => equal,
        "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" => compare,
        "And" | "Or" | "Xor" => logic,
        "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => bitwise,
        "BitShift" => shift,
        "Where" => choose,
        _ => return None,
    })
}

/// One body for floats, one for integers, over two values of the same type.
macro_rules! both_numbers {
    ($a:expr, $b:expr, float |$x:ident, $y:ident| $float:expr, int |$i:ident, $j:ident| $int:expr) => {
        both_numbers!(@all $a, $b, [$x $y $float] [$i $j $int]
            [Fp32, Fp64] [Int64, Int32, Int16, Int8, Uint64, Uint32, Uint16, Uint8])
    };
    (@all $a:expr, $b:expr, [$x:ident $y:ident $float:expr] [$i:ident $j:ident $int:expr]
        [$($f:ident),+] $ints:tt) => {
        both_numbers!(@ints $a, $b, [$i $j $int] $ints {
            $((TensorData::$f(p), TensorData::$f(q)) => {
                let (shape, values) = zip(($a, p), ($b, q), |&$x, &$y| $float)?;
                Array::of(shape, values)
            })+
        })
    };
    (@ints $a:expr, $b:expr, [$i:ident $j:ident $int:expr] [$($n:ident),+] { $($floats:tt)+ }) => {
        match ($a.data(), $b.data()) {
            $($floats)+
            $((TensorData::$n(p), TensorData::$n(q)) => {
                let (shape, values) = zip(($a, p), ($b, q), |&$i, &$j| $int)?;
                Array::of(shape, values)
            })+
            _ => Err(no_types(&[$a, $b])),
        }
    };
}

fn add(a: &Array, b: &Array) -> Result<Array, Fault> {
    both_numbers!(a, b, float | x, y | x + y, int | i, j | i.wrapping_add(j))
}

fn basic(node: &Node<'_>) -> Result<Built, Refusal> {
    match node.op() {
        "Add" => one(|inputs| add(inputs.get(0)?, inputs.get(1)?)),
        "Sub" => one(|inputs| {
            let (a, b) = (inputs.get(0)?, inputs.get(1)?);
            both_numbers!(a, b, float | x, y | x - y, int | i, j | i.wrapping_sub(j))
        }),
        "Mul" => one(|inputs| {
            let (a, b) = (inputs.get(0)?, inputs.get(1)?);
            both_numbers!(a, b, float | x, y | x * y, int | i, j | i.wrapping_mul(j))
        }),
        _ => one(|inputs| {
            let (a, b) = (inputs.get(0)?, inputs.get(1)?);
            no_zero(b)?;
            both_numbers!(
                a,
                b,
                float | x,
                y | x / y,
                int | i,
                j | if j == 0 { j } else { i.wrapping_div(j) }
            )
        }),
    }
}

/// Refuses a zero among integer divisors.
fn no_zero(array: &Array) -> Result<(), Fault> {
    let zero = match array.data() {
        TensorData::Int64(v) => v.contains(&0),
        TensorData::Int32(v) => v.contains(&0),
        TensorData::Int16(v) => v.contains(&0),
        TensorData::Int8(v) => v.contains(&0),
        TensorData::Uint64(v) => v.contains(&0),
        TensorData::Uint32(v) => v.contains(&0),
        TensorData::Uint16(v) => v.contains(&0),
        TensorData::Uint8(v) => v.contains(&0),
        _ => false,
    };
    if zero {
        return Err(Fault::value("integer division by zero"));
    }
    Ok(())
}

fn variadic(node: &Node<'_>) -> Result<Built, Refusal> {
    let op = node.op().to_owned();
    one(move |inputs| {
        let mut all = inputs.all();
        let Some(first) = all.next() else {
            return Err(Fault::shape("no inputs"));
        };
        let count = inputs.all().count();
        let mut result = first.clone();
        for next in all {
            let (a, b) = (&result, next);
            // NaN wins, as in NumPy and ONNX Runtime.
            result = match &*op {
                "Max" => both_numbers!(
                    a,
                    b,
                    float | x,
                    y | if x.is_nan() || x > y { x } else { y },
                    int | i,
                    j | i.max(j)
                ),
                "Min" => both_numbers!(
                    a,
                    b,
                    float | x,
                    y | if x.is_nan() || x < y { x } else { y },
                    int | i,
                    j | i.min(j)
                ),
                _ => add(a, b),
            }?;
        }
        if op == "Mean" && count > 1 {
            let shape = *result.shape();
            result = match result.data() {
                TensorData::Fp32(v) => {
                    Array::of(shape, v.iter().map(|x| x / count as f32).collect())
                }
                TensorData::Fp64(v) => {
                    Array::of(shape, v.iter().map(|x| x / count as f64).collect())
                }
                _ => Err(no_types(&[&result])),
            }?;
        }
        Ok(result)
    })
}

/// `x < 0` for types that may be unsigned.
fn below_zero<T: Copy + Default + PartialOrd>(x: T) -> bool {
    x < T::default()
}

/// Integers take the divisor's sign, or with `fmod` the dividend's.
fn modulo(node: &Node<'_>) -> Result<Built, Refusal> {
    let fmod = node.int("fmod")?.unwrap_or(0) != 0;
    one(move |inputs| {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        no_zero(b)?;
        both_numbers!(
            a,
            b,
            float | x,
            y | if fmod { x % y } else { x - y * (x / y).floor() },
            int | i,
            j | if j == 0 {
                j
            } else {
                let rest = i.wrapping_rem(j);
                if !fmod && rest != 0 && (below_zero(rest) != below_zero(j)) {
                    rest.wrapping_add(j)
                } else {
                    rest
                }
            }
        )
    })
}

/// The result has the base's type; the exponent may have another.
fn pow(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        let y = b.data().to_f64().ok_or_else(|| no_types(&[a, b]))?;
        let integral = |p: f64, q: f64| p.powf(q);
        match a.data() {
            TensorData::Fp32(x) => {
                let (shape, values) = zip((a, x), (b, &y), |&p, &q| {
                    if q == 2.0 { p * p } else { p.powf(q as f32) }
                })?;
                Array::of(shape, values)
            }
            TensorData::Fp64(x) => {
                let (shape, values) = zip((a, x), (b, &y), |&p, &q| p.powf(q))?;
                Array::of(shape, values)
            }
            TensorData::Int64(x) => {
                let (shape, values) = zip((a, x), (b, &y), |&p, &q| {
                    if (0.0..64.0).contains(&q) && q.fract() == 0.0 {
                        p.wrapping_pow(q as u32)
                    } else {
                        integral(p as f64, q) as i64
                    }
                })?;
                Array::of(shape, values)
            }
            TensorData::Int32(x) => {
                let (shape, values) = zip((a, x), (b, &y), |&p, &q| integral(p.into(), q) as i32)?;
                Array::of(shape, values)
            }
            _ => Err(no_types(&[a, b])),
        }
    })
}

fn prelu(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        both_numbers!(
            a,
            b,
            float | x,
            y | if x < 0.0 { x * y } else { x },
            int | i,
            j | { if below_zero(i) { i.wrapping_mul(j) } else { i } }
        )
    })
}

/// A comparison over any two values of the same type.
macro_rules! same_type {
    ($a:expr, $b:expr, [$($case:ident),+], |$x:ident, $y:ident| $body:expr) => {
        match ($a.data(), $b.data()) {
            $((TensorData::$case(p), TensorData::$case(q)) => {
                let (shape, values) = zip(($a, p), ($b, q), |$x, $y| $body)?;
                Array::of(shape, values)
            })+
            _ => Err(no_types(&[$a, $b])),
        }
    };
}

fn equal(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        same_type!(
            a,
            b,
            [
                Fp32, Fp64, Int64, Int32, Int16, Int8, Uint64, Uint32, Uint16, Uint8, Bool, Bytes
            ],
            |x, y| x == y
        )
    })
}

fn compare(node: &Node<'_>) -> Result<Built, Refusal> {
    macro_rules! ordered {
        ($op:tt) => {
            one(|inputs| {
                let (a, b) = (inputs.get(0)?, inputs.get(1)?);
                same_type!(a, b, [Fp32, Fp64, Int64, Int32, Int16, Int8, Uint64, Uint32, Uint16, Uint8],
                    |x, y| x $op y)
            })
        };
    }
    match node.op() {
        "Less" => ordered!(<),
        "LessOrEqual" => ordered!(<=),
        "Greater" => ordered!(>),
        _ => ordered!(>=),
    }
}

fn logic(node: &Node<'_>) -> Result<Built, Refusal> {
    let op = node.op().to_owned();
    one(move |inputs| {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        let (x, y) = (a.values::<bool>()?, b.values::<bool>()?);
        let (shape, values) = zip((a, x), (b, y), |&x, &y| match &*op {
            "And" => x && y,
            "Or" => x || y,
            _ => x != y,
        })?;
        Array::of(shape, values)
    })
}

fn bitwise(node: &Node<'_>) -> Result<Built, Refusal> {
    let op = node.op().to_owned();
    one(move |inputs| {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        same_type!(
            a,
            b,
            [Int64, Int32, Int16, Int8, Uint64, Uint32, Uint16, Uint8],
            |x, y| match &*op {
                "BitwiseAnd" => x & y,
                "BitwiseOr" => x | y,
                _ => x ^ y,
            }
        )
    })
}

/// Bits that leave the type are lost, however far they go.
fn shift(node: &Node<'_>) -> Result<Built, Refusal> {
    let left = match node.string("direction")?.as_deref() {
        Some("LEFT") => true,
        Some("RIGHT") => false,
        _ => return Err(node.broken("direction")),
    };
    one(move |inputs| {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        same_type!(a, b, [Uint64, Uint32, Uint16, Uint8], |x, y| {
            let by = u32::try_from(i128::from(*y)).unwrap_or(u32::MAX);
            let moved = if left {
                x.checked_shl(by)
            } else {
                x.checked_shr(by)
            };
            moved.unwrap_or(0)
        })
    })
}

/// `Where`: any type, three-way broadcasting.
fn choose(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let (condition, yes, no) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        if yes.datatype() != no.datatype() {
            return Err(no_types(&[yes, no]));
        }
        let shape = broadcast_shape(condition.shape(), yes.shape())?;
        let shape = broadcast_shape(&shape, no.shape())?;
        let (yes, no) = (expand(yes, &shape)?, expand(no, &shape)?);
        let condition = expand(condition, &shape)?;
        let condition = condition.values::<bool>()?;
        fn pick<T: crate::onnx::array::Element>(
            condition: &[bool],
            yes: &[T],
            no: &Array,
        ) -> Result<Vec<T>, Fault> {
            let pairs = condition.iter().zip(yes.iter().zip(no.values::<T>()?));
            Ok(pairs
                .map(|(&c, (y, n))| if c { y } else { n }.clone())
                .collect())
        }
        let data = same_data!(yes.data(), v => pick(condition, v, &no)?);
        Array::new(shape, data)
    })
}
