//! What the author's commands print.

use crate::cli::output::Output;
use authoring::{
    bench::Bench,
    build::Built,
    check::Checked,
    golden::{CaseReport, Report},
    run::Ran,
};
use console::style;
use domain::digest::Digest;
use plugins::trial::LogLine;
use serde_json::{Value, json};

pub(super) fn built(output: Output, built: &Built) {
    let size = built.component.len();
    let digest = Digest::of(&built.component);
    if output.json {
        output.value(&json!({ "component": built.path, "size": size, "digest": digest }));
    } else {
        output.say(&format!(
            "built {} ({} KiB, {digest})",
            built.path.display(),
            size.div_ceil(1024)
        ));
    }
}

pub(super) fn checked(output: Output, checked: &Checked) {
    let problems: Vec<Value> = checked
        .problems
        .iter()
        .map(|problem| json!({ "what": problem.what, "remedy": problem.remedy }))
        .collect();
    let names = |of: fn(&plugins::trial::Surface) -> &Vec<String>| {
        checked
            .surface
            .as_ref()
            .map(of)
            .cloned()
            .unwrap_or_default()
    };
    let value = json!({
        "admitted": checked.kind.is_some(),
        "kind": checked.kind,
        "wit_version": checked.wit_version,
        "size": checked.size,
        "digest": checked.digest,
        "imports": names(|surface| &surface.imports),
        "exports": names(|surface| &surface.exports),
        "contract": checked.contract,
        "problems": problems,
    });
    if output.json {
        return output.value(&value);
    }
    let plain = [
        "kind",
        "wit_version",
        "size",
        "digest",
        "imports",
        "exports",
    ];
    output.value(
        &plain
            .iter()
            .map(|key| ((*key).to_owned(), value[*key].clone()))
            .collect(),
    );
    if let Some(contract) = &checked.contract {
        output.say("\ntakes");
        let rows = serde_json::to_value(&contract.inputs).unwrap_or_default();
        output.list(&items(&rows), &["name", "element", "nullable"]);
        output.say("\ngives");
        let rows = serde_json::to_value(&contract.outputs).unwrap_or_default();
        output.list(&items(&rows), &["name", "element", "shape"]);
    }
    output.say("");
    for problem in &checked.problems {
        output.say(&format!(
            "{} {}",
            style("problem").red().bold(),
            problem.what
        ));
        output.say(&format!("        {}", problem.remedy));
    }
    if checked.problems.is_empty() {
        output.say(&format!(
            "{} a gateway would take it",
            style("ok").green().bold()
        ));
    }
}

fn items(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

pub(super) fn report(output: Output, report: &Report) {
    if output.json {
        let cases: Vec<Value> = report.cases.iter().map(case).collect();
        return output.value(&json!({ "passed": report.passed(), "cases": cases }));
    }
    let width = report
        .cases
        .iter()
        .map(|case| case.name.chars().count())
        .max();
    let width = width.unwrap_or(0).min(60);
    for case in &report.cases {
        let state = if case.passed() {
            style("pass").green()
        } else {
            style("FAIL").red().bold()
        };
        output.say(&format!(
            "{state}  {:width$}  fuel {} (start {}), {} KiB",
            case.name,
            thousands(case.cost.fuel),
            thousands(case.cost.start_fuel),
            case.cost.peak_memory.div_ceil(1024)
        ));
        for difference in &case.differences {
            output.say(&format!("        {}", difference.place));
            output.say(&format!("          expected  {}", difference.expected));
            output.say(&format!("          got       {}", difference.got));
        }
        if !case.passed() {
            lines(output, &case.lines);
        }
    }
    let failed = report.cases.iter().filter(|case| !case.passed()).count();
    output.say(&format!(
        "{} passed, {failed} failed",
        report.cases.len() - failed
    ));
}

fn case(case: &CaseReport) -> Value {
    let differences: Vec<Value> = case
        .differences
        .iter()
        .map(|it| json!({ "place": it.place, "expected": it.expected, "got": it.got }))
        .collect();
    json!({
        "name": case.name,
        "passed": case.passed(),
        "fuel": case.cost.fuel,
        "start_fuel": case.cost.start_fuel,
        "peak_memory": case.cost.peak_memory,
        "micros": case.cost.micros,
        "differences": differences,
        "log": log(&case.lines),
    })
}

fn log(lines: &[LogLine]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| json!({ "level": line.level.to_string(), "text": line.text }))
        .collect()
}

fn lines(output: Output, lines: &[LogLine]) {
    for line in lines {
        output.say(&format!(
            "        {}  {}",
            style(line.level).dim(),
            line.text
        ));
    }
}

/// Digits in groups of three.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(super) fn bench(output: Output, bench: &Bench) {
    if output.json {
        return output.value(&serde_json::to_value(bench).unwrap_or_default());
    }
    output.say(&format!(
        "component {} KiB, compiled in {:.0} ms; an instance {:.1} µs and {} fuel; memory {} KiB",
        bench.size.div_ceil(1024),
        bench.compile_ms,
        bench.start_us,
        thousands(bench.start_fuel),
        bench.peak_memory.div_ceil(1024)
    ));
    let rows: Vec<Value> = bench
        .calls
        .iter()
        .map(|cost| {
            json!({
                "call": cost.call,
                "rows": cost.rows,
                "median µs": format!("{:.1}", cost.median_us),
                "p90 µs": format!("{:.1}", cost.p90_us),
                "µs a row": cost.rows.map(|rows| format!("{:.3}", cost.median_us / rows as f64)),
                "fuel": cost.fuel.map(thousands),
                "calls": cost.calls,
            })
        })
        .collect();
    let columns = [
        "call",
        "rows",
        "median µs",
        "p90 µs",
        "µs a row",
        "fuel",
        "calls",
    ];
    output.list(&rows, &columns);
}

pub(super) fn ran(output: Output, ran: &Ran) {
    if output.json {
        let mut value = json!({
            "fuel": ran.fuel, "start_fuel": ran.start_fuel, "peak_memory": ran.peak_memory,
            "log": log(&ran.lines), "dropped_lines": ran.dropped_lines,
        });
        match &ran.outcome {
            Ok(outcome) => value["outcome"] = outcome.clone(),
            Err(stop) => value["stopped"] = json!(stop.to_string()),
        }
        return output.value(&value);
    }
    match &ran.outcome {
        Err(stop) => output.say(&format!("{} {stop}", style("stopped").red().bold())),
        Ok(outcome) => {
            for (key, value) in outcome.as_object().into_iter().flatten() {
                match key.as_str() {
                    "tensors" => output.list(&items(value), &["name", "shape", "values"]),
                    "scores" => output.list(
                        &items(value),
                        &["feature", "statistic", "p_value", "drifted"],
                    ),
                    "requests" => {
                        output.list(
                            &items(value),
                            &["method", "target", "path", "headers", "body"],
                        );
                    }
                    _ => output.say(&format!("{key}: {}", value.as_str().unwrap_or_default())),
                }
            }
        }
    }
    output.say(&format!(
        "\nfuel {} (start {}), memory {} KiB",
        thousands(ran.fuel),
        thousands(ran.start_fuel),
        ran.peak_memory.div_ceil(1024)
    ));
    lines(output, &ran.lines);
    if ran.dropped_lines > 0 {
        output.say(&format!(
            "        and {} lines that are not kept",
            ran.dropped_lines
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_readable() {
        let shown = [0, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
