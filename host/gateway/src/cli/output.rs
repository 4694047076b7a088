//! What commands print: text for people, JSON for scripts.

use console::style;
use domain::time::Timestamp;
use serde_json::Value;
use std::{io::Write as _, process::ExitCode};

/// Exit code of a refusal.
pub(crate) const REFUSED: u8 = 1;
/// Exit code of wrong usage or settings.
pub(crate) const USAGE: u8 = 2;
/// Exit code of a decision that is open.
pub(crate) const INCONCLUSIVE: u8 = 3;
/// Exit code when the server or the system said no.
pub(crate) const FAILED: u8 = 4;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// JSON for scripts.
    pub(crate) json: bool,
}

/// Prints `text`. A reader that has seen enough, as in `tollgate ledger | head`,
/// is no failure; and there is nobody left to tell of another.
pub(crate) fn print(text: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _gone = out.write_all(text).and_then(|()| out.flush());
}

fn line(text: &str) {
    print(format!("{text}\n").as_bytes());
}

#[expect(
    clippy::print_stderr,
    reason = "errors of commands go to standard error"
)]
fn complain(text: &str) {
    eprintln!("{text}");
}

/// One line of progress, apart from what a command answers.
pub(crate) fn progress(text: &str) {
    complain(&style(text).dim().for_stderr().to_string());
}

/// Prints why a command failed.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    fail_with(FAILED, error)
}

/// Prints why a command failed and ends with `code`.
pub(crate) fn fail_with(code: u8, error: &anyhow::Error) -> ExitCode {
    complain(&format!(
        "{} {error:#}",
        style("error:").red().bold().for_stderr()
    ));
    ExitCode::from(code)
}

impl Output {
    /// One line for people; nothing for scripts.
    pub(crate) fn say(self, text: &str) {
        if !self.json {
            line(text);
        }
    }

    /// One value: JSON for scripts, name and value for people.
    pub(crate) fn value(self, value: &Value) {
        if self.json {
            line(&value.to_string());
            return;
        }
        match value.as_object() {
            Some(fields) => {
                let width = fields.keys().map(String::len).max().unwrap_or(0);
                for (name, value) in fields {
                    line(&format!("{name:width$}  {}", cell(name, value)));
                }
            }
            None => line(&short(value)),
        }
    }

    /// Rows of values: a JSON array for scripts, a table for people.
    pub(crate) fn list(self, rows: &[Value], columns: &[&str]) {
        if self.json {
            line(&Value::from(rows.to_vec()).to_string());
            return;
        }
        if rows.is_empty() {
            line("none");
            return;
        }
        let mut table = vec![
            columns
                .iter()
                .map(|name| name.to_uppercase())
                .collect::<Vec<_>>(),
        ];
        for row in rows {
            let found = |name: &&str| {
                let pointer = format!("/{}", name.replace('.', "/"));
                cell(name, row.pointer(&pointer).unwrap_or(&Value::Null))
            };
            table.push(columns.iter().map(found).collect());
        }
        for row in aligned(&table) {
            line(&row);
        }
    }
}

/// Rows with their cells padded to common widths.
fn aligned(table: &[Vec<String>]) -> Vec<String> {
    let columns = table.first().map_or(0, Vec::len);
    let width = |at: usize| {
        table
            .iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let pad = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    table.iter().map(pad).collect()
}

/// The value called `name` on one line; moments as people write them.
fn cell(name: &str, value: &Value) -> String {
    match value.as_i64() {
        Some(ms) if name == "at" || name.ends_with("_at") => Timestamp(ms).to_rfc3339(),
        _ => short(value),
    }
}

/// A value on one line.
fn short(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.replace('\n', " "),
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() => format!("{float:.4}"),
            _ => number.to_string(),
        },
        Value::Array(items)
            if items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            items.iter().map(short).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_line_up() {
        let table = [
            vec!["A".to_owned(), "B".to_owned()],
            vec!["long".to_owned(), "x".to_owned()],
        ];
        assert_eq!(aligned(&table), ["A     B", "long  x"]);
    }
}
