//! `cargo xtask bench`: builds the measuring programs and runs them. What is
//! measured and how is in `tests/bench/`.

use crate::{guests, shell};
use anyhow::Result;
use std::path::Path;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Also start MLServer, KServe, MLflow and BentoML on the same model, in
    /// virtual environments under the user's cache.
    #[arg(long)]
    pub peers: bool,
    /// Also measure ONNX Runtime in process, from a virtual environment there
    /// (part of `--peers`).
    #[arg(long)]
    pub onnx_runtime: bool,
    /// Seconds of load for each sample.
    #[arg(long, default_value_t = 4)]
    pub seconds: u32,
    /// Rounds, interleaved; figures are medians over them.
    #[arg(long, default_value_t = 5)]
    pub rounds: u32,
    /// Print the figures without writing them to docs/performance.md.
    #[arg(long)]
    pub dry_run: bool,
}

/// Builds and measures.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let guests = guests::build_guests(root)?;
    shell::build(root, &["tollgate", "limit", "bench"])?;
    let mut bench = std::process::Command::new(shell::binary(root, "bench"));
    // What the gateway does for itself, for the models that run in the bench.
    bench.env("RAYON_NUM_THREADS", "1");
    bench
        .current_dir(root)
        .env("TOLLGATE_GUESTS", guests)
        .env("XTASK_TOLLGATE", shell::binary(root, "tollgate"))
        .args(["--seconds", &options.seconds.to_string()])
        .args(["--rounds", &options.rounds.to_string()]);
    if options.peers {
        bench.arg("--peers");
    }
    if options.onnx_runtime {
        bench.arg("--onnx-runtime");
    }
    if options.dry_run {
        bench.arg("--dry-run");
    }
    shell::run("measuring", &mut bench)
}
