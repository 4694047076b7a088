//! The `cargo xtask` command line. What each command does is in the library.

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};
use xtask::{bench, ci, contract, demo, guests, shell, test, tidy};

/// Build, demo, test, tidy, bench.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds everything, starts the gateway and plays the story on real data.
    Demo(demo::Options),
    /// Runs every test, after building the gateway and the plugins.
    Test(test::Options),
    /// Builds the plugins and the test guests, and prints where they are.
    Guests,
    /// Makes a component of a core module that cargo built for wasm32-unknown-unknown.
    Component {
        /// The module
        module: PathBuf,
        /// Where to write the component
        out: PathBuf,
    },
    /// Writes docs/plugin-contract.md from the comments in wit/.
    Contract,
    /// Checks the rules that compilers cannot: arrows, sizes, notes, frozen contracts.
    Tidy,
    /// Runs what CI runs: fmt, clippy, tidy, docs, tests.
    Ci(ci::Options),
    /// Measures the gateway beside its limit and its peers.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let root = shell::root()?;
    match command {
        Command::Demo(options) => demo::run(&root, &options),
        Command::Test(options) => test::run(&root, &options),
        Command::Guests => guests::build_guests(&root)
            .map(|folder| shell::say(&format!("guests are in {}", folder.display()))),
        Command::Component { module, out } => guests::component(&module, &out),
        Command::Contract => contract::run(&root),
        Command::Tidy => tidy::run(&root),
        Command::Ci(options) => ci::run(&root, &options),
        Command::Bench(options) => bench::run(&root, &options),
    }
}
