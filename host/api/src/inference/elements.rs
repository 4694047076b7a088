//! Tensor elements as JSON: nested or flat arrays in, flat or nested out.
//!
//! Reading takes text that serde_json has already found to be well-formed
//! (a [`serde_json::value::RawValue`]) and goes over it once, so that elements
//! land in a vector of their own type without a tree of values in between.
//! Nothing is converted: an element that its datatype cannot hold exactly (or,
//! for floats, within rounding) is an error.
//!
//! JSON has no NaN. A missing float is written `null`, and read from it; so are
//! infinities written, because nothing else in JSON could say them. Callers who
//! need to tell these apart ask for binary tensors.

use domain::tensor::{DataType, TensorData};
use half::{bf16, f16};
use std::{ops::Range, str::FromStr};

/// Deepest nesting that is read.
pub(crate) const MAX_DEPTH: usize = 16;

/// Elements that cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ElementError {
    #[error("data must be an array")]
    NotArray,
    #[error("data is nested deeper than {MAX_DEPTH} arrays")]
    TooDeep,
    #[error("data mixes elements and arrays at one depth")]
    Mixed,
    #[error("data is ragged: arrays at depth {depth} have {first} and {other} elements")]
    Ragged {
        depth: usize,
        first: usize,
        other: usize,
    },
    #[error("element {index}: {given} is not a value of {datatype}")]
    Value {
        index: usize,
        given: String,
        datatype: DataType,
    },
    #[error("element {0} is not UTF-8 text and cannot be written as JSON: ask for binary data")]
    NotText(usize),
}

/// Elements with the sizes of the arrays they stood in: one size for flat data.
#[derive(Debug, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) data: TensorData,
    pub(crate) dims: Vec<usize>,
}

impl Parsed {
    /// Whether the arrays fit `shape`: flat with the right number of elements,
    /// or nested exactly like it.
    pub(crate) fn fits(&self, shape: &[usize]) -> bool {
        match self.dims.as_slice() {
            [flat] if domain::tensor::volume(shape) == Some(*flat) => true,
            dims => dims == shape,
        }
    }
}

/// Reads `json` as elements of `datatype`. `expected` is how many the caller
/// announced; more or fewer are read all the same.
pub(crate) fn parse(
    json: &str,
    datatype: DataType,
    expected: usize,
) -> Result<Parsed, ElementError> {
    // Each element takes at least two bytes of text, so an announced size
    // cannot make us reserve more than a small multiple of what was sent.
    let room = expected.min(json.len() / 2 + 1);
    macro_rules! elements {
        ($case:ident, $read:expr) => {{
            let mut out = Vec::with_capacity(room);
            let dims = walk(json, datatype, &mut out, $read)?;
            Parsed {
                data: TensorData::$case(out),
                dims,
            }
        }};
    }
    Ok(match datatype {
        DataType::Bool => elements!(Bool, boolean),
        DataType::Uint8 => elements!(Uint8, number),
        DataType::Uint16 => elements!(Uint16, number),
        DataType::Uint32 => elements!(Uint32, number),
        DataType::Uint64 => elements!(Uint64, number),
        DataType::Int8 => elements!(Int8, number),
        DataType::Int16 => elements!(Int16, number),
        DataType::Int32 => elements!(Int32, number),
        DataType::Int64 => elements!(Int64, number),
        DataType::Fp16 => elements!(Fp16, |token| {
            let value = float64(token)?;
            Some(f16::from_f64(value)).filter(|half| half.is_finite() || value.is_nan())
        }),
        DataType::Bf16 => elements!(Bf16, |token| {
            let value = float64(token)?;
            Some(bf16::from_f64(value)).filter(|half| half.is_finite() || value.is_nan())
        }),
        DataType::Fp32 => elements!(Fp32, float32),
        DataType::Fp64 => elements!(Fp64, float64),
        DataType::Bytes => elements!(Bytes, text),
    })
}

fn boolean(token: &str) -> Option<bool> {
    match token {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whole numbers: what Rust reads as one is the subset of JSON's numbers
/// without point and exponent, and its range is checked.
fn number<T: FromStr>(token: &str) -> Option<T> {
    token.parse().ok()
}

/// Whether the token is a JSON number: Rust would also read "inf" and "nan",
/// but those are not JSON, and strings keep their quotes.
fn numeric(token: &str) -> bool {
    matches!(token.as_bytes().first(), Some(b'-' | b'0'..=b'9'))
}

fn float32(token: &str) -> Option<f32> {
    if numeric(token) {
        return token.parse().ok().filter(|value: &f32| value.is_finite());
    }
    (token == "null").then_some(f32::NAN)
}

fn float64(token: &str) -> Option<f64> {
    if numeric(token) {
        return token.parse().ok().filter(|value: &f64| value.is_finite());
    }
    (token == "null").then_some(f64::NAN)
}

fn text(token: &str) -> Option<Vec<u8>> {
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(token)
            .ok()
            .map(String::into_bytes);
    }
    Some(inner.as_bytes().to_vec())
}

/// Depths reached while walking, and the size of the arrays at each.
#[derive(Default)]
struct Depths {
    depth: usize,
    /// Members so far of the open array at each depth.
    open: [usize; MAX_DEPTH],
    /// Members of the first closed array at each depth.
    sizes: [Option<usize>; MAX_DEPTH],
    /// Depth at which elements stand.
    leaf: Option<usize>,
    /// Deepest array.
    deepest: usize,
}

impl Depths {
    fn enter(&mut self) -> Result<(), ElementError> {
        if self.leaf.is_some_and(|leaf| self.depth >= leaf) {
            return Err(ElementError::Mixed);
        }
        self.count();
        let open = self.open.get_mut(self.depth).ok_or(ElementError::TooDeep)?;
        *open = 0;
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        Ok(())
    }

    fn leave(&mut self) -> Result<(), ElementError> {
        let at = self.depth.saturating_sub(1);
        let (Some(&other), Some(size)) = (self.open.get(at), self.sizes.get_mut(at)) else {
            return Err(ElementError::TooDeep);
        };
        let first = *size.get_or_insert(other);
        if first != other {
            return Err(ElementError::Ragged {
                depth: self.depth,
                first,
                other,
            });
        }
        self.depth = at;
        Ok(())
    }

    fn element(&mut self) -> Result<(), ElementError> {
        if self.depth < self.deepest || self.depth == 0 {
            return Err(if self.depth == 0 {
                ElementError::NotArray
            } else {
                ElementError::Mixed
            });
        }
        self.leaf = Some(self.depth);
        self.count();
        Ok(())
    }

    fn count(&mut self) {
        if let Some(open) = self
            .depth
            .checked_sub(1)
            .and_then(|at| self.open.get_mut(at))
        {
            *open += 1;
        }
    }

    fn dims(&self) -> Vec<usize> {
        let sizes = self.sizes.iter().take(self.deepest);
        sizes.map(|size| size.unwrap_or(0)).collect()
    }
}

/// Goes over well-formed JSON once and reads every element into `out`.
fn walk<T>(
    json: &str,
    datatype: DataType,
    out: &mut Vec<T>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<usize>, ElementError> {
    let bytes = json.as_bytes();
    let mut depths = Depths::default();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => at += 1,
            b'[' => {
                depths.enter()?;
                at += 1;
            }
            b']' => {
                depths.leave()?;
                at += 1;
            }
            _ => {
                let end = token_end(bytes, at);
                let token = json.get(at..end).unwrap_or_default();
                depths.element()?;
                let element = read(token).ok_or_else(|| ElementError::Value {
                    index: out.len(),
                    given: token.chars().take(40).collect(),
                    datatype,
                })?;
                out.push(element);
                at = end;
            }
        }
    }
    if depths.deepest == 0 {
        return Err(ElementError::NotArray);
    }
    Ok(depths.dims())
}

/// End of the scalar that begins at `start`. An object is taken to the end of
/// the text: no datatype reads it, so where it ends does not matter.
fn token_end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    match rest.first() {
        Some(b'"') => {
            let mut escaped = false;
            let close = rest.iter().skip(1).position(|&byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            close.map_or(bytes.len(), |close| start + close + 2)
        }
        Some(b'{') => bytes.len(),
        _ => rest
            .iter()
            .position(|byte| b",] \t\n\r".contains(byte))
            .map_or(bytes.len(), |length| start + length),
    }
}

/// Writes the elements of `range` separated by commas.
pub(crate) fn write_range(
    out: &mut Vec<u8>,
    data: &TensorData,
    range: Range<usize>,
) -> Result<(), ElementError> {
    macro_rules! write_all {
        ($values:expr, $each:expr) => {
            for (index, value) in $values
                .get(range.clone())
                .unwrap_or_default()
                .iter()
                .enumerate()
            {
                if index > 0 {
                    out.push(b',');
                }
                // Writing scalars to a vector cannot fail.
                let _ok = serde_json::to_writer(&mut *out, &$each(value));
            }
        };
    }
    match data {
        TensorData::Bool(v) => write_all!(v, |x: &bool| *x),
        TensorData::Uint8(v) => write_all!(v, |x: &u8| *x),
        TensorData::Uint16(v) => write_all!(v, |x: &u16| *x),
        TensorData::Uint32(v) => write_all!(v, |x: &u32| *x),
        TensorData::Uint64(v) => write_all!(v, |x: &u64| *x),
        TensorData::Int8(v) => write_all!(v, |x: &i8| *x),
        TensorData::Int16(v) => write_all!(v, |x: &i16| *x),
        TensorData::Int32(v) => write_all!(v, |x: &i32| *x),
        TensorData::Int64(v) => write_all!(v, |x: &i64| *x),
        TensorData::Fp16(v) => write_all!(v, |x: &f16| x.to_f32()),
        TensorData::Bf16(v) => write_all!(v, |x: &bf16| x.to_f32()),
        TensorData::Fp32(v) => write_all!(v, |x: &f32| *x),
        TensorData::Fp64(v) => write_all!(v, |x: &f64| *x),
        TensorData::Bytes(v) => {
            for (index, value) in v.get(range.clone()).unwrap_or_default().iter().enumerate() {
                let text = std::str::from_utf8(value)
                    .map_err(|_| ElementError::NotText(range.start + index))?;
                if index > 0 {
                    out.push(b',');
                }
                let _ok = serde_json::to_writer(&mut *out, text);
            }
        }
    }
    Ok(())
}

/// Writes the elements from `start` on as arrays nested like `shape`; gives the
/// next element. A scalar is written bare.
pub(crate) fn write_nested(
    out: &mut Vec<u8>,
    data: &TensorData,
    shape: &[usize],
    start: usize,
) -> Result<usize, ElementError> {
    match shape {
        [] => {
            write_range(out, data, start..start + 1)?;
            Ok(start + 1)
        }
        [inner] => {
            out.push(b'[');
            write_range(out, data, start..start + inner)?;
            out.push(b']');
            Ok(start + inner)
        }
        [outer, inner @ ..] => {
            out.push(b'[');
            let mut next = start;
            for index in 0..*outer {
                if index > 0 {
                    out.push(b',');
                }
                next = write_nested(out, data, inner, next)?;
            }
            out.push(b']');
            Ok(next)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(json: &str) -> Result<Parsed, ElementError> {
        parse(json, DataType::Fp32, 0)
    }

    #[test]
    fn nesting_gives_the_dimensions() {
        let parsed = floats("[[1, 2.5, -3e2],[4,5,null]]").unwrap();
        assert_eq!(parsed.dims, [2, 3]);
        let TensorData::Fp32(data) = &parsed.data else {
            panic!("wrong datatype")
        };
        assert_eq!(&data[..5], &[1.0, 2.5, -300.0, 4.0, 5.0]);
        assert!(data[5].is_nan());
        assert!(parsed.fits(&[2, 3]) && !parsed.fits(&[6]) && !parsed.fits(&[3, 2]));
        let flat = floats("[1,2,3,4,5,6]").unwrap();
        assert!(flat.fits(&[6]) && flat.fits(&[2, 3]) && !flat.fits(&[2, 2]));
        assert_eq!(floats("[[],[]]").unwrap().dims, [2, 0]);
        assert_eq!(floats("[ ]").unwrap().dims, [0]);
    }

    #[test]
    fn what_is_not_a_regular_array_is_refused() {
        assert_eq!(floats("1"), Err(ElementError::NotArray));
        assert_eq!(floats("null"), Err(ElementError::NotArray));
        assert_eq!(floats("[1,[2]]"), Err(ElementError::Mixed));
        assert_eq!(floats("[[1],2]"), Err(ElementError::Mixed));
        assert_eq!(floats("[[],2]"), Err(ElementError::Mixed));
        assert_eq!(
            floats("[[1,2],[3]]"),
            Err(ElementError::Ragged {
                depth: 2,
                first: 2,
                other: 1
            })
        );
        let deep = format!("{}1{}", "[".repeat(17), "]".repeat(17));
        assert_eq!(floats(&deep), Err(ElementError::TooDeep));
        let deepest = format!("{}1{}", "[".repeat(16), "]".repeat(16));
        assert_eq!(floats(&deepest).unwrap().dims, [1; 16]);
    }

    #[test]
    fn elements_out_of_range_are_refused_at_each_border() {
        let cases: [(DataType, &[&str], &[&str]); 11] = [
            (
                DataType::Bool,
                &["true", "false", "0", "1"],
                &["2", "null", "\"true\"", "1.0"],
            ),
            (
                DataType::Uint8,
                &["0", "255"],
                &["256", "-1", "1.0", "1e1", "null", "\"1\"", "true"],
            ),
            (DataType::Int8, &["-128", "127", "-0"], &["-129", "128"]),
            (DataType::Uint16, &["65535"], &["65536"]),
            (
                DataType::Int32,
                &["-2147483648"],
                &["2147483648", "{}", "{\"a\":[1]}"],
            ),
            (
                DataType::Uint64,
                &["18446744073709551615"],
                &["18446744073709551616"],
            ),
            (
                DataType::Int64,
                &["-9223372036854775808"],
                &["9223372036854775808"],
            ),
            (DataType::Fp16, &["65504", "null"], &["65520", "-1e9"]),
            (
                DataType::Fp32,
                &["3.4028235e38", "-0.0", "null"],
                &["3.5e38", "\"1\"", "true"],
            ),
            (
                DataType::Fp64,
                &["1.7976931348623157e308"],
                &["1e309", "\"NaN\""],
            ),
            (
                DataType::Bytes,
                &["\"\"", "\"a\\\"b\\\\\"", "\"é\""],
                &["1", "null", "{}"],
            ),
        ];
        for (datatype, good, bad) in cases {
            for json in good {
                assert!(
                    parse(&format!("[{json}]"), datatype, 1).is_ok(),
                    "{datatype} {json}"
                );
            }
            for json in bad {
                let result = parse(&format!("[{json}]"), datatype, 1);
                assert!(
                    matches!(result, Err(ElementError::Value { index: 0, .. })),
                    "{datatype} {json}: {result:?}"
                );
            }
        }
    }

    #[test]
    fn strings_end_at_their_own_quote() {
        let parsed = parse(r#"["a,]\"[","\\","b"]"#, DataType::Bytes, 3).unwrap();
        let expected = ["a,]\"[", "\\", "b"].map(|s| s.as_bytes().to_vec());
        assert_eq!(parsed.data, TensorData::Bytes(expected.to_vec()));
    }

    #[test]
    fn an_announced_size_reserves_no_more_than_was_sent() {
        let parsed = parse("[1]", DataType::Fp64, usize::MAX).unwrap();
        let TensorData::Fp64(data) = parsed.data else {
            panic!("wrong datatype")
        };
        assert!(data.capacity() < 16);
    }

    #[test]
    fn what_json_cannot_say_is_null_or_refused() {
        let mut out = Vec::new();
        let data = TensorData::Fp32(vec![1.0, f32::NAN, f32::INFINITY, 1e-7]);
        write_nested(&mut out, &data, &[2, 2], 0).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "[[1.0,null],[null,1e-7]]");
        let data = TensorData::Bytes(vec![vec![b'a'], vec![0xff]]);
        assert_eq!(
            write_range(&mut Vec::new(), &data, 0..2),
            Err(ElementError::NotText(1))
        );
    }
}
