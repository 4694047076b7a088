//! What a transform costs by the language it is written in: size, admission,
//! and calls, fresh and warm, with 1 and 64 rows.
//!
//! ```text
//! cargo build --release --workspace --example languages
//! target/release/examples/languages SETTINGS.json COMPONENT.wasm…
//! ```
//!
//! Compiling runs in a worker process, as in the gateway; its time is CPU time
//! of all its threads. A call is the median over
//! rounds of the thread's own CPU time, so that other work on the machine does
//! not show. The batch holds 1.5 in every float, 1 in every integer and "Graz" in every text.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring program"
)]

use domain::{
    batch::{Batch, Contract, Element},
    digest::Digest,
    frame::{Column, ColumnData, Frame},
    plugin::{Isolation, PluginLimits},
    ports::{
        Clock,
        engine::{PluginEngine, Transform},
    },
    time::Timestamp,
};
use plugins::{PluginConfig, PluginHost};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

#[derive(Debug)]
struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }
}

/// A batch as the gateway makes it from a table.
fn batch(contract: &Contract, rows: usize) -> Batch {
    let columns = contract.inputs.iter().map(|field| Column {
        name: Arc::clone(&field.name),
        data: match field.element {
            Element::F32 | Element::F64 => ColumnData::Numbers(vec![1.5; rows]),
            Element::S64 | Element::S32 | Element::U8 => ColumnData::Integers(vec![1; rows]),
            Element::Utf8 => ColumnData::Text(vec![Some("Graz".to_owned()); rows]),
        },
    });
    let frame = Frame::new(columns.collect()).unwrap();
    contract.batch_from_frame(&frame).unwrap()
}

/// CPU time of this thread so far, in nanoseconds.
fn thread_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// CPU microseconds of a call: median of rounds.
fn measure(transform: &Arc<dyn Transform>, rows: usize) -> f64 {
    let batch = batch(transform.contract(), rows);
    let mut rounds: Vec<f64> = (0..7)
        .map(|_| {
            let (started, cpu, mut calls) = (Instant::now(), thread_cpu(), 0u32);
            while started.elapsed() < Duration::from_millis(200) {
                for _ in 0..10 {
                    transform.apply(&batch).unwrap();
                }
                calls += 10;
            }
            (thread_cpu() - cpu) / f64::from(calls) / 1000.0
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// CPU seconds of children that have ended.
fn children() -> f64 {
    let ticks = |text: &str, at: usize| {
        text.split_whitespace()
            .nth(at)
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = text.rsplit_once(')').unwrap().1;
    // cutime and cstime, fields 16 and 17 of proc(5), in hundredths of a second.
    (ticks(after, 13) + ticks(after, 14)) / 100.0
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1024
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == "compile-worker")
    {
        plugins::compile_worker(std::io::stdin().lock(), std::io::stdout().lock(), true).unwrap();
        return;
    }
    let own = std::env::current_exe().unwrap();
    // So that a component is compiled once, for the first load, and measured there.
    let cache = tempfile::tempdir().unwrap();
    let config = PluginConfig {
        compiler: Some(vec![own.into_os_string(), "compile-worker".into()]),
        cache: Some(cache.path().to_owned()),
        ..PluginConfig::default()
    };
    let (settings, components) = arguments.split_first().unwrap();
    let settings = std::fs::read_to_string(settings).unwrap();
    let settings = settings.trim().to_owned();
    println!(
        "{:<28} {:>9} {:>12} {:>8} | us per call: {:>9} {:>9} {:>9} {:>9} | {:>8}",
        "component",
        "KiB",
        "compile cpu s",
        "wall s",
        "fresh 1",
        "fresh 64",
        "warm 1",
        "warm 64",
        "MiB more"
    );
    for path in components {
        let bytes = std::fs::read(path).unwrap();
        let host = PluginHost::new(config.clone(), Arc::new(Wall)).unwrap();
        let (before, rss) = (children(), resident());
        let started = Instant::now();
        let load = |isolation| {
            let limits = PluginLimits {
                isolation,
                deadline_ms: 1000,
                ..PluginLimits::default()
            };
            host.load_transform(&Digest::of(&bytes), &bytes, &settings, &limits)
                .unwrap()
        };
        let warm = load(Isolation::Warm);
        let (compile, wall) = (children() - before, started.elapsed().as_secs_f64());
        let held = resident().saturating_sub(rss);
        let fresh = load(Isolation::Fresh);
        println!(
            "{:<28} {:>9} {compile:>12.2} {wall:>8.2} |              {:>9.1} {:>9.1} {:>9.1} {:>9.1} | {held:>8}",
            path.rsplit('/').next().unwrap(),
            bytes.len() / 1024,
            measure(&fresh, 1),
            measure(&fresh, 64),
            measure(&warm, 1),
            measure(&warm, 64),
        );
    }
}
