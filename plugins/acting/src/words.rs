//! An event in words.

use tollgate_plugin::{Cause, Event};

/// Name of a cause, as in the contract.
#[must_use]
pub const fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Health => "health",
        Cause::Quality => "quality",
        Cause::Drift => "drift",
        Cause::Manual => "manual",
    }
}

/// A cause for people.
#[must_use]
pub const fn explained(cause: Cause) -> &'static str {
    match cause {
        Cause::Health => "errors or latency",
        Cause::Quality => "worse predictions",
        Cause::Drift => "drifted data",
        Cause::Manual => "an operator's request",
    }
}

/// One sentence, as in `churn was rolled back from churn/7 to churn/6 because of
/// worse predictions`.
#[must_use]
pub fn summary(event: &Event) -> String {
    format!(
        "{} was rolled back from {} to {} because of {}",
        event.endpoint,
        event.from,
        event.to,
        explained(event.cause)
    )
}

/// Text on one line, without control characters, of at most `most` characters.
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.chars().take(most).map(clean).collect();
    if text.chars().nth(most).is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_of_bounded_length() {
        assert_eq!(line("a\nb\u{1b}c", 10), "a b c");
        assert_eq!(line("abcdef", 6), "abcdef");
        assert_eq!(line("äbcdefg", 6), "äbcde…");
        assert_eq!(line("", 6), "");
    }
}
