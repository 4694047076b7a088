//! The recipe for Rust: a `cdylib` for `wasm32-unknown-unknown`.

use super::{BuildError, tools};
use crate::{Project, Say};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";

/// Makes a core module of the project and returns its bytes. `scratch` is a
/// folder for intermediate files, kept between builds.
pub(super) fn build(
    project: &Project,
    scratch: &Path,
    say: Say<'_>,
) -> Result<Vec<u8>, BuildError> {
    // An author's own choice is kept: many projects may share their dependencies.
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| scratch.to_owned(), PathBuf::from);
    let mut command = cargo(&project.folder, say)?;
    command
        .args(["build", "--release", "--target", TARGET])
        .current_dir(&project.folder)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_BUILD_BUILD_DIR", &target)
        // Meant for the host's code.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    say(&format!("cargo: compiling for {TARGET}"));
    tools::run("cargo", &mut command)?;
    let file = format!("{}.wasm", project.manifest.name.replace('-', "_"));
    let path = target.join(TARGET).join("release").join(file);
    fs::read(&path).map_err(|source| BuildError::File {
        path,
        doing: "read (the package in Cargo.toml must have the plugin's name and be a cdylib)",
        source,
    })
}

/// A cargo that compiles for the target: the one in use, if need be after rustup
/// added the target, else Debian's, which builds the standard library itself.
fn cargo(folder: &Path, say: Say<'_>) -> Result<Command, BuildError> {
    let cargo = env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from);
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(folder)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
        .ok_or_else(|| BuildError::Missing {
            tool: "rustc".into(),
            remedy: "install Rust 1.85 or later with rustup".into(),
        })?;
    let has_target = || {
        sysroot
            .join("lib/rustlib")
            .join(TARGET)
            .join("lib")
            .is_dir()
    };
    if !has_target() && tools::find("rustup").is_some() {
        say(&format!("rustup: adding the target {TARGET}"));
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", TARGET]).current_dir(folder);
        // Judged by its effect.
        drop(tools::run("rustup", &mut rustup));
    }
    if has_target() {
        return Ok(Command::new(cargo));
    }
    debian(&sysroot).ok_or_else(|| BuildError::Missing {
        tool: format!("the Rust target {TARGET}"),
        remedy: format!(
            "run `rustup target add {TARGET}`, or on Debian and Ubuntu as root `apt-get install \
             rustc-web cargo-web rust-web-src`"
        ),
    })
}

fn debian(sysroot: &Path) -> Option<Command> {
    let source = Path::new("/usr/lib/rustlib/src/rust/library/std");
    let linker = fs::read_dir(sysroot.join("lib/rustlib"))
        .ok()?
        .flatten()
        .map(|target| target.path().join("bin/rust-lld"))
        .find(|path| path.exists())?;
    if !source.exists() || !Path::new("/usr/bin/rustc").exists() {
        return None;
    }
    let mut command = Command::new("/usr/bin/cargo");
    command
        .arg("-Zbuild-std=std,panic_abort")
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    Some(command)
}
