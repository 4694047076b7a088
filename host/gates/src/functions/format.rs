//! `sprintf` for messages, bounded in everything: width and precision at most
//! two digits, text at most as long as asked for, values walked with a budget.
//!
//! Verbs as Go's `fmt` means them: `%s` `%v` `%d` `%f` `%g` `%e` `%q` `%x` `%%`,
//! with `0` or a space as padding, and a precision for `%f` `%g` `%e`.

use anyhow::{Result, anyhow, bail};
use regorus::Value;
use std::{fmt::Write, iter::Peekable, str::Chars};

struct Verb {
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    letter: char,
}

/// Formats `values` into `template`; an error if it would be longer than `max`.
pub(super) fn sprintf(template: &str, values: &[&Value], max: usize) -> Result<String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
        } else if chars.next_if_eq(&'%').is_some() {
            out.push('%');
        } else {
            let verb = read(&mut chars)?;
            let value = values
                .next()
                .ok_or_else(|| anyhow!("sprintf has more verbs than values"))?;
            let text = one(&verb, value, max)?;
            let missing = verb.width.saturating_sub(text.chars().count());
            let padding = if verb.zeros { "0" } else { " " };
            out.push_str(&padding.repeat(missing));
            out.push_str(&text);
        }
        if out.len() > max {
            bail!("sprintf would make more than {max} bytes");
        }
    }
    match values.next() {
        Some(_) => bail!("sprintf has more values than verbs"),
        None => Ok(out),
    }
}

fn read(chars: &mut Peekable<Chars<'_>>) -> Result<Verb> {
    let zeros = chars.next_if_eq(&'0').is_some();
    let width = small(chars)?.unwrap_or(0);
    let precision = match chars.next_if_eq(&'.') {
        Some(_) => Some(small(chars)?.unwrap_or(0)),
        None => None,
    };
    match chars.next() {
        Some(letter) => Ok(Verb {
            zeros,
            width,
            precision,
            letter,
        }),
        None => bail!("sprintf template ends inside a verb"),
    }
}

fn small(chars: &mut Peekable<Chars<'_>>) -> Result<Option<usize>> {
    let mut number = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let next = number.unwrap_or(0) * 10 + digit as usize;
        if next > 99 {
            bail!("sprintf takes a width and a precision of at most 99");
        }
        number = Some(next);
    }
    Ok(number)
}

fn one(verb: &Verb, value: &Value, max: usize) -> Result<String> {
    let float = || {
        let number = value.as_f64().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| anyhow!("sprintf %{} takes a number", verb.letter))
    };
    let precision = verb.precision.unwrap_or(6);
    Ok(match verb.letter {
        's' | 'v' => show(value, max)?,
        'q' => match value {
            Value::String(text) => serde_json::to_string(text.as_ref())?,
            _ => bail!("sprintf %q takes a text"),
        },
        'd' => whole(value)?.to_string(),
        'x' => format!("{:x}", whole(value)?),
        'f' => format!("{:.precision$}", float()?),
        'e' => format!("{:.precision$e}", float()?),
        'g' => crate::text::number(float()?),
        other => bail!("sprintf does not know %{other}"),
    })
}

fn whole(value: &Value) -> Result<i64> {
    value
        .as_i64()
        .map_err(|_| anyhow!("sprintf %d and %x take a whole number of at most 64 bits"))
}

/// A value as text: JSON, but a text on its own without quotes.
fn show(value: &Value, max: usize) -> Result<String> {
    if let Value::String(text) = value {
        return Ok(text.to_string());
    }
    let mut out = String::new();
    write_value(value, &mut out, max, 0)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut String, max: usize, depth: usize) -> Result<()> {
    if out.len() > max || depth > 16 {
        bail!("sprintf got a value that is too large to show");
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => write!(out, "{value}")?,
        Value::String(text) => {
            if text.len() > max {
                bail!("sprintf got a value that is too large to show");
            }
            out.push_str(&serde_json::to_string(text.as_ref())?);
        }
        Value::Number(_) => match (value.as_i64(), value.as_f64()) {
            (Ok(whole), _) => write!(out, "{whole}")?,
            (_, Ok(number)) if number.is_finite() => write!(out, "{number}")?,
            _ => bail!("sprintf got a number that is too large to show"),
        },
        Value::Array(items) => list(items.iter(), "[]", out, max, depth)?,
        Value::Set(items) => list(items.iter_sorted(), "{}", out, max, depth)?,
        Value::Object(fields) => {
            out.push('{');
            for (place, (key, value)) in fields.iter_sorted().enumerate() {
                out.push_str(if place > 0 { ", " } else { "" });
                write_value(key, out, max, depth + 1)?;
                out.push_str(": ");
                write_value(value, out, max, depth + 1)?;
            }
            out.push('}');
        }
        Value::Undefined => out.push_str("undefined"),
    }
    Ok(())
}

fn list<'v>(
    items: impl Iterator<Item = &'v Value>,
    brackets: &str,
    out: &mut String,
    max: usize,
    depth: usize,
) -> Result<()> {
    let (open, close) = brackets.split_at(1);
    out.push_str(open);
    for (place, item) in items.enumerate() {
        out.push_str(if place > 0 { ", " } else { "" });
        write_value(item, out, max, depth + 1)?;
    }
    out.push_str(close);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(template: &str, values: &[Value]) -> Result<String> {
        let values: Vec<&Value> = values.iter().collect();
        sprintf(template, &values, 1000)
    }

    #[test]
    fn verbs_do_what_they_do_in_go() {
        let pi = || Value::from(std::f64::consts::PI);
        let list = Value::from(vec![Value::from("a"), Value::from(1u64)]);
        for (template, value, text) in [
            ("%s!", Value::from("a"), "a!"),
            ("%q", Value::from("a\""), r#""a\"""#),
            ("%d", Value::from(42u64), "42"),
            ("%05d", Value::from(42u64), "00042"),
            ("%5d", Value::from(42u64), "   42"),
            ("%x", Value::from(255u64), "ff"),
            ("%.2f", pi(), "3.14"),
            ("%8.3f", pi(), "   3.142"),
            ("%f", Value::from(1u64), "1.000000"),
            ("%v", list, r#"["a", 1]"#),
            ("%v", Value::from(0.5), "0.5"),
            ("%v%%", Value::Null, "null%"),
        ] {
            assert_eq!(format(template, &[value]).unwrap(), text, "{template}");
        }
    }

    #[test]
    fn edge_8_wide_widths_and_long_texts_are_errors() {
        let one = || Value::from(1u64);
        for template in ["%2000000000d", "%100d", "%.2000000000f", "%099999999999d"] {
            assert!(format(template, &[one()]).is_err(), "{template}");
        }
        let long = Value::from("x".repeat(600));
        assert!(format("%s%s", &[long.clone(), long]).is_err());
    }

    #[test]
    fn wrong_values_and_counts_are_errors() {
        for (template, values) in [
            ("%d", vec![Value::from("x")]),
            ("%d", vec![Value::from(0.5)]),
            ("%f", vec![Value::Null]),
            ("%d", vec![]),
            ("x", vec![Value::Null]),
            ("%", vec![Value::Null]),
            ("%n", vec![Value::Null]),
        ] {
            assert!(format(template, &values).is_err(), "{template}");
        }
    }

    #[test]
    fn a_value_that_shares_itself_many_times_is_an_error() {
        let mut value = Value::from("x");
        for _ in 0..12 {
            value = Value::from(vec![value.clone(), value]);
        }
        assert!(format("%v", &[value]).is_err());
    }
}
