//! The functions a policy may call: a list of those that are allowed, so that
//! whatever a later regorus adds stays out until somebody has looked at it.
//!
//! Left out are: what reads clock, chance or network; what can allocate without
//! bound from a small argument (`numbers.range`, `bits.lsh`, `replace`,
//! `array.concat`, `net.cidr_expand`), because a failed allocation ends the
//! process; and what only debugs (`print`, `trace`). `sprintf` and `concat` are
//! needed, and are replaced by bounded ones written here.

mod format;

use anyhow::{Result, bail};
use regorus::{Engine, Value};

/// Longest text that `sprintf` and `concat` make, in bytes.
const MAX_TEXT: usize = 16 << 10;

/// Builtins that may be called, with their number of arguments.
pub(crate) const ALLOWED: &[(&str, usize)] = &[
    ("abs", 1),
    ("array.reverse", 1),
    ("array.slice", 3),
    ("ceil", 1),
    ("concat", 2),
    ("contains", 2),
    ("count", 1),
    ("endswith", 2),
    ("floor", 1),
    ("format_int", 2),
    ("glob.match", 3),
    ("indexof", 2),
    ("intersection", 1),
    ("is_array", 1),
    ("is_boolean", 1),
    ("is_null", 1),
    ("is_number", 1),
    ("is_object", 1),
    ("is_set", 1),
    ("is_string", 1),
    ("lower", 1),
    ("max", 1),
    ("min", 1),
    ("object.filter", 2),
    ("object.get", 3),
    ("object.keys", 1),
    ("object.remove", 2),
    ("object.subset", 2),
    ("object.union", 2),
    ("object.union_n", 1),
    ("regex.is_valid", 1),
    ("regex.match", 2),
    ("round", 1),
    ("semver.compare", 2),
    ("semver.is_valid", 1),
    ("sort", 1),
    ("split", 2),
    ("sprintf", 2),
    ("startswith", 2),
    ("strings.any_prefix_match", 2),
    ("strings.any_suffix_match", 2),
    ("strings.count", 2),
    ("substring", 3),
    ("sum", 1),
    ("time.clock", 1),
    ("time.date", 1),
    ("time.parse_rfc3339_ns", 1),
    ("time.weekday", 1),
    ("trim", 2),
    ("trim_left", 2),
    ("trim_prefix", 2),
    ("trim_right", 2),
    ("trim_space", 1),
    ("trim_suffix", 2),
    ("type_name", 1),
    ("union", 1),
    ("upper", 1),
];

/// What admission refuses is refused once more here: a call that got this far
/// is an error, which denies.
const REFUSED: &[(&str, u8)] = &[
    ("array.concat", 2),
    ("bits.lsh", 2),
    ("numbers.range", 2),
    ("numbers.range_step", 3),
    ("rand.intn", 2),
    ("replace", 3),
    ("strings.replace_n", 2),
    ("time.now_ns", 0),
    ("trace", 1),
];

/// What to do instead of calling `name`.
pub(crate) fn advice(name: &str) -> &'static str {
    match name {
        "time.now_ns" => "use input.request.at_ms, so that the decision can be replayed",
        "numbers.range" | "numbers.range_step" => "iterate over what is in the input",
        "print" | "trace" => "put what was observed into the check's message",
        "replace" | "strings.replace_n" | "array.concat" => "build the text with sprintf or concat",
        _ => "docs/policy-authors.md lists what may be called",
    }
}

/// Puts our functions in the place of builtins; an extension comes first in
/// regorus' lookup, and its errors always end the evaluation.
pub(crate) fn install(engine: &mut Engine) -> Result<()> {
    for (name, arguments) in REFUSED {
        let refuse = move |_: Vec<Value>| -> Result<Value> {
            bail!("{name} is not available to gates: {}", advice(name))
        };
        engine.add_extension((*name).to_owned(), *arguments, Box::new(refuse))?;
    }
    engine.add_extension("sprintf".to_owned(), 2, Box::new(sprintf))?;
    engine.add_extension("concat".to_owned(), 2, Box::new(concat))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an extension"
)]
fn sprintf(arguments: Vec<Value>) -> Result<Value> {
    let [Value::String(template), Value::Array(values)] = arguments.as_slice() else {
        bail!("sprintf takes a text and an array");
    };
    let values: Vec<&Value> = values.iter().collect();
    format::sprintf(template, &values, MAX_TEXT).map(Value::from)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an extension"
)]
fn concat(arguments: Vec<Value>) -> Result<Value> {
    let [Value::String(between), list] = arguments.as_slice() else {
        bail!("concat takes a text and an array or set of texts");
    };
    let items: Vec<&Value> = match list {
        Value::Array(items) => items.iter().collect(),
        Value::Set(items) => items.iter_sorted().collect(),
        _ => bail!("concat takes a text and an array or set of texts"),
    };
    let mut text = String::new();
    for (place, item) in items.into_iter().enumerate() {
        let Value::String(item) = item else {
            bail!("concat joins texts only");
        };
        if place > 0 {
            text.push_str(between);
        }
        text.push_str(item);
        if text.len() > MAX_TEXT {
            bail!("concat would make more than {MAX_TEXT} bytes");
        }
    }
    Ok(Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(items: &[&str]) -> Value {
        Value::from(
            items
                .iter()
                .map(|text| Value::from(*text))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn concat_joins_and_is_bounded() {
        let joined = concat(vec![Value::from(", "), texts(&["a", "b"])]).unwrap();
        assert_eq!(joined, Value::from("a, b"));
        let long = "x".repeat(MAX_TEXT);
        assert!(concat(vec![Value::from(""), texts(&[&long, "y"])]).is_err());
        assert!(concat(vec![Value::from(""), Value::from(vec![Value::from(1u64)])]).is_err());
    }

    #[test]
    fn the_list_is_sorted_and_does_not_hold_what_is_refused() {
        assert!(ALLOWED.is_sorted());
        for (name, _) in REFUSED {
            assert!(!ALLOWED.iter().any(|(allowed, _)| allowed == name));
        }
    }
}
