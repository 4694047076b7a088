//! A body put together from the event's fields: chosen by name, never by a
//! template of text, so no value can break out of its place.

use crate::{settings::refused, time::rfc3339, words};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tollgate_plugin::{Event, Failure};

/// Most levels of a payload.
const MAX_DEPTH: usize = 8;
/// Most parts of a payload.
const MAX_PARTS: usize = 200;

/// What stands at one place of the body.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// A field of the event.
    Field(Field),
    /// Always the same JSON value.
    Value(Value),
    /// An object.
    Object(BTreeMap<String, Part>),
    /// A list.
    List(Vec<Part>),
}

/// A field of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Unique id, the same for every try.
    Id,
    /// The endpoint.
    Endpoint,
    /// The version that was taken out.
    From,
    /// The version that serves again.
    To,
    /// `health`, `quality`, `drift` or `manual`.
    Cause,
    /// The signal in words.
    Reason,
    /// When, in milliseconds since 1970 (UTC).
    At,
    /// When, as RFC 3339.
    Time,
    /// Which try this is, from 1. With it, two tries differ in their bodies.
    Attempt,
    /// One sentence that says what happened.
    Summary,
}

impl Field {
    fn of(self, event: &Event) -> Value {
        match self {
            Self::Id => event.id.as_str().into(),
            Self::Endpoint => event.endpoint.as_str().into(),
            Self::From => event.from.as_str().into(),
            Self::To => event.to.as_str().into(),
            Self::Cause => words::cause(event.cause).into(),
            Self::Reason => event.reason.as_str().into(),
            Self::At => event.at.into(),
            Self::Time => rfc3339(event.at).into(),
            Self::Attempt => event.attempt.into(),
            Self::Summary => words::summary(event).into(),
        }
    }
}

impl Part {
    /// This part for one event.
    #[must_use]
    pub fn of(&self, event: &Event) -> Value {
        match self {
            Self::Field(field) => field.of(event),
            Self::Value(value) => value.clone(),
            Self::Object(parts) => object(parts, event),
            Self::List(parts) => parts.iter().map(|part| part.of(event)).collect(),
        }
    }

    fn count(&self, depth: usize) -> Result<usize, Failure> {
        if depth > MAX_DEPTH {
            return Err(refused(format!(
                "payload is more than {MAX_DEPTH} levels deep"
            )));
        }
        match self {
            Self::Field(_) | Self::Value(_) => Ok(1),
            Self::Object(parts) => total(parts.values(), depth),
            Self::List(parts) => total(parts.iter(), depth),
        }
    }
}

fn total<'a>(parts: impl Iterator<Item = &'a Part>, depth: usize) -> Result<usize, Failure> {
    parts.map(|part| part.count(depth + 1)).sum()
}

/// Refuses payloads that are too large.
pub fn check(parts: &BTreeMap<String, Part>) -> Result<(), Failure> {
    let count = total(parts.values(), 0)?;
    if count > MAX_PARTS {
        return Err(refused(format!(
            "payload has {count} parts, allowed are {MAX_PARTS}"
        )));
    }
    Ok(())
}

/// An object of parts for one event.
#[must_use]
pub fn object(parts: &BTreeMap<String, Part>, event: &Event) -> Value {
    let members = parts
        .iter()
        .map(|(name, part)| (name.clone(), part.of(event)));
    Value::Object(members.collect::<Map<_, _>>())
}

/// The whole event but the number of the try, so that every try of one event has
/// the same body.
#[must_use]
pub fn whole() -> BTreeMap<String, Part> {
    let fields = [
        ("id", Field::Id),
        ("endpoint", Field::Endpoint),
        ("from", Field::From),
        ("to", Field::To),
        ("cause", Field::Cause),
        ("reason", Field::Reason),
        ("at", Field::At),
        ("time", Field::Time),
    ];
    let parts = fields.map(|(name, field)| (name.to_owned(), Part::Field(field)));
    let mut parts = BTreeMap::from(parts);
    let kind = Part::Value("tollgate.rollback".into());
    parts.insert("type".into(), kind);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_plugin::Cause;

    fn event(reason: &str) -> Event {
        Event {
            id: "e1".into(),
            endpoint: "churn".into(),
            from: "churn/2".into(),
            to: "churn/1".into(),
            cause: Cause::Drift,
            reason: reason.into(),
            at: 0,
            attempt: 3,
        }
    }

    #[test]
    fn values_cannot_break_out_of_their_place() {
        let text = r#"{"a":{"object":{"b":{"field":"reason"},"c":{"list":[{"value":[1]},{"field":"attempt"}]}}}}"#;
        let parts: BTreeMap<String, Part> = serde_json::from_str(text).unwrap();
        check(&parts).unwrap();
        for reason in ["\"},\"x\":1", "\u{0}\n\\", "💥 </script>"] {
            let body = object(&parts, &event(reason)).to_string();
            let back: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(back["a"]["b"], reason);
            assert_eq!(back["a"]["c"], serde_json::json!([[1], 3]));
            assert_eq!(back.as_object().map(Map::len), Some(1));
        }
    }

    #[test]
    fn payloads_are_bounded() {
        let mut part = Part::Field(Field::Id);
        for _ in 0..=MAX_DEPTH {
            part = Part::List(vec![part]);
        }
        let why = |part| {
            check(&BTreeMap::from([("a".to_owned(), part)]))
                .unwrap_err()
                .message
        };
        assert!(why(part).contains("levels deep"));
        assert!(why(Part::List(vec![Part::Field(Field::Id); 201])).contains("201 parts"));
        assert!(serde_json::from_str::<Part>(r#"{"field":"token"}"#).is_err());
    }

    #[test]
    fn the_whole_event_is_the_same_at_every_try() {
        let first = object(&whole(), &event("r"));
        let again = object(
            &whole(),
            &Event {
                attempt: 9,
                ..event("r")
            },
        );
        assert_eq!(first, again);
        assert_eq!(first["time"], "1970-01-01T00:00:00.000Z");
    }
}
