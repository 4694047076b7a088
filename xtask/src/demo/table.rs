//! What a gate said, check by check, as a table.

use crate::admin::list;
use console::{measure_text_width, style};
use serde_json::Value;

const HEAD: [&str; 7] = [
    "check",
    "status",
    "observed",
    "bound",
    "n",
    "95 % interval",
    "message",
];

/// The checks of every gate of a decision.
pub(super) fn checks(decision: &Value) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for result in list(decision, "/results") {
        for check in list(&result, "/verdict/checks") {
            rows.push(row(&check));
        }
    }
    lay_out(&rows)
}

/// The reasons of a decision, one a line.
pub(super) fn reasons(decision: &Value) -> String {
    let mut lines = Vec::new();
    for reason in list(decision, "/reasons") {
        let field = |name: &str| {
            reason
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        lines.push(format!(
            "            {}: {}",
            field("code"),
            field("message")
        ));
    }
    lines.join("\n")
}

fn row(check: &Value) -> [String; 7] {
    let text = |name: &str| {
        check
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let low = figure(check.get("ci_low"));
    let interval = match low.as_str() {
        "" => String::new(),
        low => format!("{low} to {}", figure(check.get("ci_high"))),
    };
    [
        text("id"),
        text("status"),
        figure(check.get("observed")),
        figure(check.get("bound")),
        figure(check.get("n")),
        interval,
        text("message"),
    ]
}

/// A number as short as it can be without hiding what matters.
fn figure(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
        Some(Value::Number(number)) => {
            let value = number.as_f64().unwrap_or_default();
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => String::new(),
    }
}

fn lay_out(rows: &[[String; 7]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| measure_text_width(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut lines = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::from("            ");
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let right = (2..=4).contains(&column);
            let gap = " ".repeat(width.saturating_sub(measure_text_width(cell)));
            let shown = paint(cell, index, column);
            line += &if right {
                format!("{gap}{shown}  ")
            } else {
                format!("{shown}{gap}  ")
            };
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn paint(cell: &str, row: usize, column: usize) -> String {
    let styled = match (row, column, cell) {
        (0, ..) => style(cell).bold(),
        (_, 1, "pass") => style(cell).green(),
        (_, 1, "fail") => style(cell).red().bold(),
        (_, 1, _) => style(cell).yellow(),
        _ => style(cell),
    };
    styled.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_check_shows_its_figures_and_leaves_missing_ones_empty() {
        let decision = json!({"results": [{"verdict": {"checks": [
            {"id": "auc", "status": "fail", "observed": -0.07832, "bound": -0.02, "n": 228,
             "ci_low": -0.12, "ci_high": -0.037, "message": "worse"},
            {"id": "rows", "status": "pass", "observed": null, "bound": null, "n": null,
             "ci_low": null, "ci_high": null, "message": ""},
        ]}}]});
        let text = console::strip_ansi_codes(&checks(&decision)).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines[0],
            "check  status  observed  bound    n  95 % interval    message"
        );
        assert_eq!(
            lines[1],
            "auc    fail     -0.0783  -0.02  228  -0.12 to -0.037  worse"
        );
        assert_eq!(lines[2], "rows   pass");
    }
}
