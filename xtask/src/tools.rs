//! Tools that some tests need, found or installed, never assumed.

use crate::shell;
use anyhow::{Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Folder of PostgreSQL's server programs; installs Debian's package if it can.
pub fn postgres() -> Result<PathBuf> {
    if let Some(folder) = find_postgres() {
        shell::say(&format!("PostgreSQL: found in {}", folder.display()));
        return Ok(folder);
    }
    let root = rustix::process::geteuid().is_root();
    if root && on_path("apt-get").is_some() {
        // No cluster is created or started: the tests start their own.
        let mut install = Command::new("apt-get");
        install
            .args([
                "install",
                "-y",
                "-q",
                "--no-install-recommends",
                "postgresql",
            ])
            .env("DEBIAN_FRONTEND", "noninteractive");
        if shell::run("installing PostgreSQL for the store's tests", &mut install).is_err() {
            shell::run(
                "refreshing package lists",
                Command::new("apt-get").arg("update"),
            )?;
            shell::run("installing PostgreSQL for the store's tests", &mut install)?;
        }
        if let Some(folder) = find_postgres() {
            return Ok(folder);
        }
    }
    bail!(
        "the store's tests start their own PostgreSQL and need its programs `initdb` and `postgres`: \
         install them (Debian and Ubuntu: apt-get install postgresql; Fedora: dnf install \
         postgresql-server; macOS: brew install postgresql) or put their folder on PATH"
    )
}

/// The first folder that holds all programs: Debian's, newest first, else PATH.
fn find_postgres() -> Option<PathBuf> {
    let mut packaged: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    packaged.sort();
    let packaged = packaged.into_iter().rev().map(|(_, folder)| folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    packaged.chain(std::env::split_paths(&path)).find(|folder| {
        let programs = ["initdb", "pg_ctl", "postgres", "createdb"];
        programs
            .iter()
            .all(|program| folder.join(program).is_file())
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// A Python with the packages of `requirements`, in a virtual environment under
/// the user's cache; the reason if there cannot be one. Python is optional: it
/// only drives other people's clients against the gateway.
pub fn python(name: &str, requirements: &Path) -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(requirements)?;
    let folder = shell::cache().join("venv").join(name);
    let python = folder.join("bin/python");
    let marker = folder.join("installed.txt");
    if python.is_file() && std::fs::read_to_string(&marker).is_ok_and(|had| had == wanted) {
        return Ok(python);
    }
    shell::say(&format!(
        "preparing a Python environment in {}",
        folder.display()
    ));
    std::fs::create_dir_all(&folder)?;
    shell::output(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ])
    .args(["--retries", "1", "--timeout", "20", "-r"])
    .arg(requirements);
    shell::output(&mut pip)?;
    std::fs::write(marker, wanted)?;
    Ok(python)
}
