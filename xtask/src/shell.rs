//! Running commands and saying so.

use anyhow::{Context as _, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Root of the repository.
pub fn root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = manifest
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file() && folder.join("host").is_dir());
    root.map(Path::to_path_buf)
        .context("cannot find the repository's root above the manifest of xtask")
}

/// Says what happens next.
pub fn say(text: &str) {
    eprintln!(
        "{} {text}",
        console::style("==>").cyan().bold().for_stderr()
    );
}

/// The cargo that runs us, in the repository's root.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs `command` with our own output, after saying `what` it is for.
pub fn run(what: &str, command: &mut Command) -> Result<()> {
    say(&format!("{what}: {}", line(command)));
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{what} failed: `{}` ended with {status}", line(command))
    }
}

/// Runs `command` silently; its output if it succeeds.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` ended with {}: {}",
            line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Builds binaries of the workspace. `--workspace` keeps features the same as
/// in the tests, so that nothing is compiled twice.
pub fn build(root: &Path, binaries: &[&str]) -> Result<()> {
    let mut command = cargo(root);
    command.args(["build", "--release", "--workspace"]);
    for binary in binaries {
        command.args(["--bin", binary]);
    }
    run("building the gateway", &mut command)
}

/// A finished binary of the release profile.
pub fn binary(root: &Path, name: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("release").join(name)
}

/// The folder of this user's caches that is ours.
pub fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("tollgate")
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
