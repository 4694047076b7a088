//! What the transform costs without a sandbox: nanoseconds per row of thirty
//! columns, to compare with `host/plugins/examples/calls.rs`.
//!
//! ```text
//! cargo run --release --example native -- ../examples/breast-cancer/tabular.json
//! ```

use std::time::Instant;
use tabular::table::Table;
use tollgate_plugin::{Batch, Block, Buffer, Transform};

fn main() {
    let path = std::env::args()
        .nth(1)
        .expect("the path of a settings file");
    let settings = std::fs::read_to_string(path).expect("readable settings");
    let table = Table::configure(&settings).expect("valid settings");
    let fields = table.describe().inputs.len();
    let batch = || Batch {
        rows: 1,
        blocks: vec![Block {
            fields: fields as u32,
            values: Buffer::F32s((0..fields).map(|i| i as f32).collect()),
            validity: None,
        }],
    };
    let mut rounds: Vec<u128> = (0..9)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..100_000 {
                std::hint::black_box(
                    table
                        .apply(std::hint::black_box(batch()))
                        .expect("an answer"),
                );
            }
            started.elapsed().as_nanos() / 100_000
        })
        .collect();
    rounds.sort_unstable();
    println!("native {} ns", rounds[4]);
}
