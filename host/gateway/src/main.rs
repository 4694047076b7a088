//! `tollgate`: the gateway, and the commands that talk to it.
//!
//! [`cli`] parses and dispatches; [`config`] reads settings; [`serve`] wires
//! every room together and runs it; [`world`] is the real clock and chance. No
//! rule of the product lives here.

mod cli;
mod config;
mod doctor;
mod serve;
mod world;

use clap::Parser as _;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Without this candle reads the machine's processor count again at every
/// matrix multiplication, which costs more than a small model; and it would
/// spread one request over cores that other requests need.
const THREADS: (&str, &str) = ("RAYON_NUM_THREADS", "1");

fn main() -> ExitCode {
    if std::env::var_os(THREADS.0).is_none() {
        pin_threads();
    }
    let arguments = cli::Cli::parse();
    if let Some(copy_on_write) = arguments.compile_worker() {
        return world::compile_worker(copy_on_write);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return cli::output::fail(&anyhow::Error::new(error).context("runtime")),
    };
    let code = runtime.block_on(cli::run(arguments));
    // Work that outlived the drain is not waited for.
    runtime.shutdown_background();
    code
}

#[expect(
    unsafe_code,
    reason = "the only way to set it for libraries that read the environment"
)]
fn pin_threads() {
    // SAFETY: main calls this first, before any other thread exists, so no
    // thread can be reading the environment.
    unsafe { std::env::set_var(THREADS.0, THREADS.1) };
}
