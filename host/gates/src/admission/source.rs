//! Checks of a module's text before the parser sees it.
//!
//! regorus' parser takes about twice as long for every level of nested `[` and
//! `{`, so depth is limited here, on regorus' own tokens, whose time is linear.

use super::finding;
use crate::engine::{MAX_COLUMNS, MAX_LINES, MAX_MODULE_BYTES};
use domain::ports::engine::Finding;
use regorus::unstable::{Lexer, Source, TokenKind};

/// Deepest nesting of `[` and `{` together.
const MAX_BRACKETS: usize = 8;
/// Deepest nesting of `(`.
const MAX_PARENTHESES: usize = 16;

pub(super) fn check(path: &str, text: &str) -> Option<Finding> {
    if !is_path(path) {
        let message =
            "paths end in .rego, have at most 128 letters, digits, '_', '-', '.', '/', and no '..'";
        return Some(finding("bad_path", path, None, message));
    }
    let lines = text.lines().count();
    if text.len() > MAX_MODULE_BYTES.get() || lines > MAX_LINES.get() {
        let message = format!(
            "{} bytes in {lines} lines; a module may have {MAX_MODULE_BYTES} bytes and {MAX_LINES} lines: split it",
            text.len()
        );
        return Some(finding("too_large", path, None, message));
    }
    match brackets(path, text) {
        Ok(found) => found,
        Err(error) => {
            let message = crate::text::clean(&format!("{error:#}"));
            Some(finding("not_rego", path, None, message))
        }
    }
}

fn is_path(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
    path.ends_with(".rego")
        && path.len() <= 128
        && path.bytes().all(plain)
        && !path.contains("..")
        && !path.starts_with('/')
}

fn brackets(path: &str, text: &str) -> anyhow::Result<Option<Finding>> {
    let source = Source::from_contents(path.to_owned(), text.to_owned())?;
    let mut lexer = Lexer::new(&source);
    lexer.set_max_col(MAX_COLUMNS);
    let (mut brackets, mut parentheses) = (0usize, 0usize);
    loop {
        let token = lexer.next_token()?;
        match (&token.0, token.1.text()) {
            (TokenKind::Eof, _) => return Ok(None),
            (TokenKind::Symbol, "[" | "{") => brackets += 1,
            (TokenKind::Symbol, "]" | "}") => brackets = brackets.saturating_sub(1),
            (TokenKind::Symbol, "(") => parentheses += 1,
            (TokenKind::Symbol, ")") => parentheses = parentheses.saturating_sub(1),
            _ => {}
        }
        if brackets > MAX_BRACKETS || parentheses > MAX_PARENTHESES {
            let message = format!(
                "nested deeper than {MAX_BRACKETS} brackets or {MAX_PARENTHESES} parentheses: give the inner part a rule of its own"
            );
            return Ok(Some(finding("too_deep", path, Some(token.1.line), message)));
        }
    }
}
