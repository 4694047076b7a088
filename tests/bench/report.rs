//! The report: tables in Markdown, and the place in docs/performance.md where
//! the last run stands.

use crate::{
    inprocess::Figure,
    peers::Peer,
    rounds::{Sample, Server, median, middle, ratio},
    starts::Memory,
};
use anyhow::{Context as _, Result};
use std::{fmt::Write as _, path::PathBuf};
use tests::places;

const BEGIN: &str = "<!-- bench: begin (written by `cargo xtask bench`) -->";
const END: &str = "<!-- bench: end -->";

/// What was found, as Markdown.
#[derive(Debug)]
pub(crate) struct Report(String);

impl Report {
    /// Says what ran where.
    pub(crate) fn new(command: &str) -> Self {
        let mut text = format!("`{command}`\n\n");
        line(&mut text, &format!("Machine: {}.\n", machine()));
        Self(text)
    }

    /// The gateway beside its limit.
    pub(crate) fn servers(&mut self, servers: &[Server]) {
        let Some(limit) = servers.first() else { return };
        let text = &mut self.0;
        line(
            text,
            "Load: 16 keep-alive connections on one thread that never sleeps (see `tests/bench/load.rs` for why), the reference XGBoost model (200 trees, depth 6), one row of 30 features in Open Inference Protocol JSON. Medians over rounds; ratios are medians of ratios within a round.\n",
        );
        line(
            text,
            "| server | CPU µs/request | × limit | requests/s | × limit | p50 ms | p99 ms | × limit | others % |",
        );
        line(text, "|---|---|---|---|---|---|---|---|---|");
        for server in servers {
            let of = |figure: fn(&Sample) -> f64| median(&server.samples, figure);
            let to = |figure: fn(&Sample) -> f64| ratio(&server.samples, &limit.samples, figure);
            line(
                text,
                &format!(
                    "| {} | {:.1} | {:.2} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} |",
                    label(&server.name),
                    of(|s| s.cpu_us),
                    to(|s| s.cpu_us),
                    of(|s| s.rate),
                    to(|s| s.rate),
                    of(|s| s.p50_ms),
                    of(|s| s.p99_ms),
                    to(|s| s.p99_ms),
                    of(|s| s.others * 100.0),
                ),
            );
        }
        line(text, "");
    }

    /// Fresh mode with one measure switched off at a time.
    pub(crate) fn fresh(&mut self, servers: &[Server]) {
        let Some(all) = servers.first() else { return };
        let text = &mut self.0;
        line(
            text,
            "What each measure buys in fresh mode: a gateway for each row, with that measure alone switched off (`plugins.…` in its settings), under the same load. *more* is against the first row.\n",
        );
        line(
            text,
            "| fresh mode | CPU µs/request | more | requests/s | × | p50 ms | p99 ms | others % |",
        );
        line(text, "|---|---|---|---|---|---|---|---|");
        for server in servers {
            let of = |figure: fn(&Sample) -> f64| median(&server.samples, figure);
            line(
                text,
                &format!(
                    "| {} | {:.1} | {:+.1} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} |",
                    server.name,
                    of(|s| s.cpu_us),
                    of(|s| s.cpu_us) - median(&all.samples, |s| s.cpu_us),
                    of(|s| s.rate),
                    ratio(&server.samples, &all.samples, |s| s.rate),
                    of(|s| s.p50_ms),
                    of(|s| s.p99_ms),
                    of(|s| s.others * 100.0),
                ),
            );
        }
        line(text, "");
    }

    /// Resident memory over a million predictions.
    pub(crate) fn memory(&mut self, memory: &Memory) {
        let text = &mut self.0;
        line(
            text,
            &format!(
                "Resident memory of the gateway: {:.1} MiB, after {} more predictions {:.1} MiB.\n",
                memory.before, memory.predictions, memory.after
            ),
        );
    }

    /// Start to first prediction.
    pub(crate) fn starts(&mut self, seconds: &[f64]) {
        let text = &mut self.0;
        line(
            text,
            &format!(
                "From start to the first right prediction with ten models (one of them behind a transform): {:.2} s, the median of {} starts.\n",
                middle(seconds.to_vec()),
                seconds.len()
            ),
        );
    }

    /// Figures without HTTP.
    pub(crate) fn in_process(&mut self, figures: &[Figure]) {
        let text = &mut self.0;
        line(text, "In process, one thread, one call after another:\n");
        line(text, "| what | µs/row |");
        line(text, "|---|---|");
        for figure in figures {
            line(text, &format!("| {} | {:.2} |", figure.what, figure.us));
        }
        line(text, "");
    }

    /// Other servers on the same model.
    pub(crate) fn peers(&mut self, rate: f64, peers: &[Peer]) {
        let text = &mut self.0;
        line(
            text,
            "Other servers with the same model and row, one after another, the same load:\n",
        );
        line(
            text,
            "| server | requests/s | p50 ms | p99 ms | CPU µs/request | the gateway is |",
        );
        line(text, "|---|---|---|---|---|---|");
        for peer in peers {
            match &peer.sample {
                Ok(sample) => line(
                    text,
                    &format!(
                        "| {} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} times as fast |",
                        peer.name,
                        sample.rate,
                        sample.p50_ms,
                        sample.p99_ms,
                        sample.cpu_us,
                        rate / sample.rate
                    ),
                ),
                Err(why) => {
                    let why = why.to_string().replace(['\n', '|'], " ");
                    line(
                        text,
                        &format!("| {} | not measured: {why} | | | | |", peer.name),
                    );
                }
            }
        }
        line(text, "");
    }

    /// All of it.
    pub(crate) fn text(self) -> String {
        self.0
    }
}

fn label(name: &str) -> &str {
    match name {
        "limit" => "limit: bare axum, the same forest",
        "plain" => "gateway: token, route, limits, metrics",
        "warm" => "gateway with the tabular transform, warm",
        "fresh" => "gateway with the tabular transform, fresh",
        other => other,
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to text cannot fail.
    writeln!(text, "{line}").ok();
}

/// The last sample of each server, for progress.
pub(crate) fn one_line(servers: &[Server]) -> String {
    let last = servers.iter().filter_map(|server| {
        let sample = server.samples.last()?;
        Some(format!(
            "{} {:.0}/s {:.1} µs",
            server.name, sample.rate, sample.cpu_us
        ))
    });
    last.collect::<Vec<_>>().join(", ")
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{cores} × {model}; load and server share it")
}

/// Puts the report between its marks in docs/performance.md.
pub(crate) fn write(report: &str) -> Result<PathBuf> {
    let file = places::root().join("docs/performance.md");
    let old = std::fs::read_to_string(&file).unwrap_or_else(|_| {
        format!(
            "# Performance\n\nWhat `cargo xtask bench` measured last. Server CPU time per request is the figure \
             to compare; requests per second swing with whatever else the machine does.\n\n{BEGIN}\n{END}\n"
        )
    });
    let marks = "docs/performance.md lacks the marks of the bench";
    let (before, rest) = old.split_once(BEGIN).context(marks)?;
    let (_, after) = rest.split_once(END).context(marks)?;
    std::fs::write(
        &file,
        format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", report.trim()),
    )?;
    Ok(file)
}
