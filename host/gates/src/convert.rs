//! From regorus values to JSON, bounded.
//!
//! regorus shares values, so a small policy can answer with a document that is
//! astronomically large when written out; its own `Display` panics and its own
//! serialiser writes `Undefined` as text. So the answer is walked here, with a
//! budget of nodes and bytes, and every number is checked.

use regorus::Value;
use serde_json::{Map, Number};

const MAX_NODES: usize = 20_000;
const MAX_BYTES: usize = 512 << 10;
const MAX_DEPTH: usize = 32;

/// `None` for undefined; otherwise the value as JSON, sets as sorted arrays.
pub(crate) fn to_json(value: &Value) -> Result<Option<serde_json::Value>, String> {
    if matches!(value, Value::Undefined) {
        return Ok(None);
    }
    let mut budget = Budget {
        nodes: MAX_NODES,
        bytes: MAX_BYTES,
    };
    budget.convert(value, 0).map(Some)
}

struct Budget {
    nodes: usize,
    bytes: usize,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), String> {
        let too_large = || "the answer is too large".to_owned();
        self.nodes = self.nodes.checked_sub(1).ok_or_else(too_large)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<String, String> {
        self.take(text.len())?;
        Ok(text.to_owned())
    }

    fn convert(&mut self, value: &Value, depth: usize) -> Result<serde_json::Value, String> {
        if depth > MAX_DEPTH {
            return Err("the answer is nested too deeply".to_owned());
        }
        self.take(8)?;
        Ok(match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::String(text) => self.text(text)?.into(),
            Value::Number(_) => serde_json::Value::Number(number(value)?),
            Value::Array(items) => self.list(items.iter(), depth)?,
            Value::Set(items) => self.list(items.iter_sorted(), depth)?,
            Value::Object(fields) => {
                let mut map = Map::new();
                for (key, value) in fields.iter_sorted() {
                    let Value::String(key) = key else {
                        return Err("the answer has an object key that is not text".to_owned());
                    };
                    let key = self.text(key)?;
                    map.insert(key, self.convert(value, depth + 1)?);
                }
                map.into()
            }
            Value::Undefined => return Err("the answer holds an undefined value".to_owned()),
        })
    }

    fn list<'v>(
        &mut self,
        items: impl Iterator<Item = &'v Value>,
        depth: usize,
    ) -> Result<serde_json::Value, String> {
        let items = items.map(|item| self.convert(item, depth + 1));
        Ok(serde_json::Value::Array(items.collect::<Result<_, _>>()?))
    }
}

fn number(value: &Value) -> Result<Number, String> {
    if let Ok(whole) = value.as_i64() {
        return Ok(whole.into());
    }
    if let Ok(whole) = value.as_u64() {
        return Ok(whole.into());
    }
    value
        .as_f64()
        .ok()
        .and_then(Number::from_f64)
        .ok_or_else(|| "the answer holds a number that is not finite or too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_is_nothing_and_inside_a_document_an_error() {
        assert_eq!(to_json(&Value::Undefined).unwrap(), None);
        assert!(to_json(&Value::from(vec![Value::Undefined])).is_err());
    }

    #[test]
    fn a_document_that_shares_itself_many_times_is_refused() {
        let mut value = Value::from("x");
        for _ in 0..30 {
            value = Value::from(vec![value.clone(), value]);
        }
        assert!(to_json(&value).unwrap_err().contains("too large"));
    }

    #[test]
    fn numbers_keep_their_kind() {
        let value = Value::from(vec![
            Value::from(1.0),
            Value::from(u64::MAX),
            Value::from(0.5),
        ]);
        let json = to_json(&value).unwrap().unwrap();
        assert_eq!(json.to_string(), format!("[1,{},0.5]", u64::MAX));
    }

    #[test]
    fn infinity_is_never_a_number() {
        for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let json = to_json(&Value::from(value));
            assert!(!matches!(json, Ok(Some(serde_json::Value::Number(_)))));
        }
    }
}
