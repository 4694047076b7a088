//! Tools that recipes need: found, or installed under a pinned version into a
//! folder of the user's. Nothing is installed for the whole machine.

use super::BuildError;
use crate::Say;
use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What is kept of a tool's last words, in bytes.
const TAIL: usize = 4096;

/// A program on `PATH`.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// A program on `PATH`, or how to get it.
pub(super) fn need(name: &str, remedy: &str) -> Result<PathBuf, BuildError> {
    find(name).ok_or_else(|| BuildError::Missing {
        tool: name.to_owned(),
        remedy: remedy.to_owned(),
    })
}

/// Runs a tool to its end; what it said comes back with its failure.
pub(super) fn run(tool: &str, command: &mut Command) -> Result<(), BuildError> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| BuildError::Missing {
            tool: tool.to_owned(),
            remedy: format!("it cannot be started ({error})"),
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(BuildError::Failed {
        tool: tool.to_owned(),
        status: output.status.to_string(),
        said: tail(&String::from_utf8_lossy(&said)),
    })
}

/// The end of a text, from the start of a line if there is one.
fn tail(text: &str) -> String {
    let text = text.trim_end();
    let from = text.len().saturating_sub(TAIL);
    let cut: String = text
        .char_indices()
        .filter(|(at, _)| *at >= from)
        .map(|(_, c)| c)
        .collect();
    match cut.split_once('\n') {
        Some((_, rest)) if from > 0 => rest.to_owned(),
        _ => cut,
    }
}

/// Where tools are kept: `tollgate/tools` in the user's cache folder.
fn folder() -> Result<PathBuf, BuildError> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")));
    cache
        .map(|cache| cache.join("tollgate/tools"))
        .ok_or_else(|| BuildError::Missing {
            tool: "a folder for tools".into(),
            remedy: "set HOME or XDG_CACHE_HOME".into(),
        })
}

/// The folder of a tool. When it is not there, `make` fills a folder beside it,
/// which takes its place only when all went well.
fn installed(
    name: &str,
    say: Say<'_>,
    make: impl FnOnce(&Path) -> Result<(), BuildError>,
) -> Result<PathBuf, BuildError> {
    let parent = folder()?;
    let path = parent.join(name);
    if path.is_dir() {
        return Ok(path);
    }
    let failed = |source: io::Error| BuildError::File {
        path: path.clone(),
        doing: "made",
        source,
    };
    fs::create_dir_all(&parent).map_err(failed)?;
    say(&format!("installing {name} into {}", path.display()));
    let fresh = tempfile::tempdir_in(&parent).map_err(failed)?;
    make(fresh.path()).map_err(|error| not_installed(name, error))?;
    let fresh = fresh.keep();
    match fs::rename(&fresh, &path) {
        // Somebody else was faster: theirs is as good.
        Err(_) if path.is_dir() => fs::remove_dir_all(&fresh).map_err(failed)?,
        renamed => renamed.map_err(failed)?,
    }
    Ok(path)
}

fn not_installed(tool: &str, error: BuildError) -> BuildError {
    match error {
        BuildError::Failed { said, .. } => BuildError::NotInstalled {
            tool: tool.to_owned(),
            said,
        },
        other => other,
    }
}

/// A package of PyPI in a folder of its own, to be used through `PYTHONPATH`.
pub(super) fn pip(package: &str, version: &str, say: Say<'_>) -> Result<PathBuf, BuildError> {
    let python = python()?;
    installed(&format!("{package}-{version}"), say, |into| {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-input"])
            .args(["--disable-pip-version-check", "--retries", "1"])
            .args(["--timeout", "30", "--target"])
            .arg(into)
            .arg(format!("{package}=={version}"));
        run("pip", &mut pip)
    })
}

/// The Python in use.
pub(super) fn python() -> Result<PathBuf, BuildError> {
    need(
        "python3",
        "install Python 3.10 or later with pip (Debian and Ubuntu: apt-get install python3-pip)",
    )
}

/// Packages of npm, exactly those of a lock file, with a program beside them.
pub(super) fn npm(name: &str, files: &[(&str, &str)], say: Say<'_>) -> Result<PathBuf, BuildError> {
    let npm = need(
        "npm",
        "install Node.js 20 or later (Debian and Ubuntu: apt-get install npm)",
    )?;
    installed(name, say, |into| {
        for (file, text) in files {
            fs::write(into.join(file), text).map_err(|source| BuildError::File {
                path: into.join(file),
                doing: "written",
                source,
            })?;
        }
        let mut command = Command::new(npm);
        command
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .arg("--silent")
            .current_dir(into);
        run("npm", &mut command)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_start_with_a_whole_line() {
        assert_eq!(tail("a\nb\n"), "a\nb");
        let long = "é".repeat(TAIL) + "\nlast line\n";
        assert_eq!(tail(&long), "last line");
    }

    #[test]
    fn a_tool_that_fails_is_quoted() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let error = run("sh", &mut command).unwrap_err().to_string();
        assert!(error.contains("sh failed (exit status: 3)"), "{error}");
        assert!(error.ends_with("out\nerr"), "{error}");
    }
}
