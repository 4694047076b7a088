//! `cargo xtask ci`: what must hold before a change is merged.

use crate::{guests, shell, test, tidy};
use anyhow::Result;
use std::{path::Path, time::Instant};

/// How much of it to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Stop before the tests (`.ci/run` runs them as its last command).
    #[arg(long)]
    pub without_tests: bool,
}

/// What guests are compiled for.
const WASM: &str = "wasm32-unknown-unknown";
/// Workspaces whose code is compiled to WebAssembly.
const GUESTS: [&str; 3] = ["plugins", "tests/guests", "sdk/rust"];

/// Runs every step, in the order that fails fastest.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let began = Instant::now();
    timed("fmt", || fmt(root))?;
    timed("tidy", || tidy::run(root))?;
    timed("clippy", || clippy(root))?;
    timed("doc", || doc(root))?;
    if !options.without_tests {
        timed("test", || test::run(root, &test::Options::default()))?;
    }
    let what = match options.without_tests {
        true => "format, layout, lints and documentation are good (tests not run)",
        false => "all good",
    };
    shell::say(&format!(
        "{what} after {:.0} s",
        began.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn timed(step: &str, run: impl FnOnce() -> Result<()>) -> Result<()> {
    let began = Instant::now();
    run()?;
    shell::say(&format!(
        "{step} took {:.0} s",
        began.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn guest_manifests(root: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    GUESTS
        .map(|folder| root.join(folder).join("Cargo.toml"))
        .into_iter()
        .filter(|manifest| manifest.is_file())
}

fn fmt(root: &Path) -> Result<()> {
    shell::run(
        "checking format",
        shell::cargo(root).args(["fmt", "--all", "--check"]),
    )?;
    for manifest in guest_manifests(root) {
        let mut command = shell::cargo(root);
        command
            .args(["fmt", "--all", "--check", "--manifest-path"])
            .arg(manifest);
        shell::run("checking format of guests", &mut command)?;
    }
    Ok(())
}

/// In the profile that everything else uses: build scripts and procedural macros
/// are then compiled once, which a cold run notices.
fn clippy(root: &Path) -> Result<()> {
    let mut command = shell::cargo(root);
    command.args(["clippy", "--release", "--workspace", "--all-targets"]);
    command.args(["--", "-D", "warnings"]);
    shell::run("linting", &mut command)?;
    if !guests::add_target(root)? {
        shell::say(&format!(
            "skipping the lints of guests: this toolchain has no {WASM} and rustup cannot add it"
        ));
        return Ok(());
    }
    for manifest in guest_manifests(root) {
        let mut command = shell::cargo(root);
        if let Some(folder) = manifest.parent() {
            // Their own `.cargo/config.toml` counts only from inside.
            command.current_dir(folder);
        }
        command.args(["clippy", "--release", "--workspace", "--target", WASM]);
        command.args(["--", "-D", "warnings"]);
        shell::run("linting guests", &mut command)?;
    }
    Ok(())
}

fn doc(root: &Path) -> Result<()> {
    let mut command = shell::cargo(root);
    command
        .args(["doc", "--release", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    shell::run("building the documentation", &mut command)
}
