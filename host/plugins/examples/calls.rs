//! What a transform call costs, warm and fresh, and what each knob of the
//! instance allocator buys.
//!
//! ```text
//! cargo xtask guests && cargo run --release -p plugins --example calls
//! ```
//!
//! Each figure is the median of several rounds, in nanoseconds of a thread's own
//! CPU time per call, so that other work on the machine does not show; with two
//! threads, a figure above the single-threaded one is contention.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring program"
)]

use domain::{
    batch::{Batch, Block, Buffer},
    digest::Digest,
    plugin::{Isolation, PluginLimits},
    ports::{
        Clock,
        engine::{PluginEngine, Transform},
    },
    time::Timestamp,
};
use plugins::{PluginConfig, PluginHost, Tuning};
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

fn batch() -> Batch {
    Batch {
        rows: 1,
        blocks: vec![Block {
            fields: 30,
            values: Buffer::F32((0..30).map(|i| i as f32).collect()),
            validity: None,
        }],
    }
}

fn load(config: PluginConfig, isolation: Isolation, guest: &Guest) -> Arc<dyn Transform> {
    let host = PluginHost::new(config, Arc::new(Wall)).unwrap();
    let limits = PluginLimits {
        isolation,
        ..PluginLimits::default()
    };
    let revision = Digest::of(&guest.bytes);
    host.load_transform(&revision, &guest.bytes, &guest.settings, &limits)
        .unwrap()
}

/// CPU time of this thread so far, in nanoseconds.
fn thread_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// CPU nanoseconds per call on each of `threads` threads: median of rounds.
fn measure(transform: &Arc<dyn Transform>, threads: usize) -> f64 {
    const ROUND: Duration = Duration::from_millis(150);
    let mut rounds = Vec::new();
    for _ in 0..7 {
        let figures: Vec<f64> = std::thread::scope(|scope| {
            let worker = || {
                let batch = batch();
                let (started, cpu) = (Instant::now(), thread_cpu());
                let mut calls = 0u32;
                while started.elapsed() < ROUND {
                    for _ in 0..20 {
                        transform.apply(&batch).unwrap();
                    }
                    calls += 20;
                }
                (thread_cpu() - cpu) / f64::from(calls)
            };
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap())
                .collect()
        });
        rounds.push(figures.iter().sum::<f64>() / figures.len() as f64);
    }
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// Changes one knob.
type Turn = fn(&mut Tuning);

struct Guest {
    bytes: Vec<u8>,
    settings: String,
}

fn main() {
    let folder = std::env::var("TOLLGATE_GUESTS").unwrap_or_else(|_| "target/guests".into());
    let name = std::env::args().nth(1).unwrap_or_else(|| "plain".into());
    let settings = std::env::args().nth(2).map_or_else(
        || "{}".to_owned(),
        |path| std::fs::read_to_string(path).unwrap(),
    );
    let guest = Guest {
        bytes: std::fs::read(format!("{folder}/{name}.wasm")).unwrap(),
        settings,
    };
    println!("{:<44} {:>10} {:>10}", "", "1 thread", "2 threads");
    let show = |label: &str, config: PluginConfig, isolation| {
        let transform = load(config, isolation, &guest);
        println!(
            "{label:<44} {:>10.0} {:>10.0}",
            measure(&transform, 1),
            measure(&transform, 2)
        );
    };
    show("warm", PluginConfig::default(), Isolation::Warm);
    show("fresh", PluginConfig::default(), Isolation::Fresh);
    let unsnapshot = PluginConfig {
        snapshot: false,
        ..PluginConfig::default()
    };
    show(
        "fresh, configured at every call",
        unsnapshot,
        Isolation::Fresh,
    );
    let knobs: [(&str, Turn); 8] = [
        ("fresh, no pool", |t| t.pooling = false),
        ("fresh, no copy-on-write images", |t| {
            t.memory_init_cow = false
        }),
        ("fresh, no pagemap scan", |t| t.pagemap_scan = false),
        ("fresh, no image, no pagemap scan", |t| {
            t.memory_init_cow = false;
            t.pagemap_scan = false;
        }),
        ("fresh, nothing kept resident", |t| {
            t.memory_keep_resident = 0
        }),
        ("fresh, 64 KiB kept resident", |t| {
            t.memory_keep_resident = 64 << 10
        }),
        ("fresh, tables not kept resident", |t| {
            t.table_keep_resident = 0
        }),
        ("fresh, 4 unused warm slots", |t| {
            t.max_unused_warm_slots = 4
        }),
    ];
    for (label, turn) in knobs {
        let mut config = PluginConfig::default();
        turn(&mut config.tuning);
        show(label, config, Isolation::Fresh);
    }
}
