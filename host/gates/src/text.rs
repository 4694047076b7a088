//! Words that come out of a policy, made safe to show.

/// Longest message that is kept, in characters.
pub(crate) const MAX_MESSAGE: usize = 1000;

/// `message` on one line, without control characters, shortened.
pub(crate) fn clean(message: &str) -> String {
    let flat = message.split_whitespace().collect::<Vec<_>>().join(" ");
    flat.chars()
        .filter(|c| !c.is_control())
        .take(MAX_MESSAGE)
        .collect()
}

/// A number in at most six significant digits, without trailing zeros.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..15.0).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    // Within the range above, so the cast is exact.
    let decimals = (5.0 - magnitude).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.9931, "0.9931"),
            (-0.01, "-0.01"),
            (569.0, "569"),
            (123_456_789.0, "123456789"),
            (0.123_456_789, "0.123457"),
            (1e-9, "1.00000e-9"),
            (1e300, "1.00000e300"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn messages_are_one_line_without_control_characters() {
        assert_eq!(clean("a\n\tb\u{1b}[31m  c"), "a b[31m c");
        assert_eq!(clean(&"x".repeat(5000)).len(), MAX_MESSAGE);
    }
}
