//! `cargo xtask tidy`: rules of this repository that no compiler checks. Every
//! finding names a place and what to do about it; all are reported at once.
//!
//! Each rule is a function from what it looks at to findings, so that the tests
//! below show it small repositories with one thing wrong.

mod arrows;
mod frozen;
mod layout;
mod sources;

use crate::contract;
use anyhow::{Result, bail};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File, relative to the repository.
    pub file: PathBuf,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    fn new(
        file: impl Into<PathBuf>,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (file, what, remedy) = (file.into(), what.into(), remedy.into());
        Self {
            file,
            line,
            what,
            remedy,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}; {}",
            self.file.display(),
            self.line.max(1),
            self.what,
            self.remedy
        )
    }
}

/// Checks the repository at `root`; prints findings and fails if there are any.
pub fn run(root: &Path) -> Result<()> {
    let found = check(root)?;
    for finding in &found {
        eprintln!("{finding}");
    }
    match found.len() {
        0 => {
            crate::shell::say("tidy: nothing to report");
            Ok(())
        }
        count => bail!("tidy found {count} thing(s)"),
    }
}

/// All findings, sorted by place.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let rooms = arrows::rooms(&metadata, root);
    let files = sources::read_all(root)?;
    let mut found = arrows::check(&rooms);
    found.extend(layout::top_level(root)?);
    found.extend(layout::map(root, &rooms));
    found.extend(layout::guests_are_tested(root, &files)?);
    found.extend(sources::check(&files, &sources::waivers(root)));
    found.extend(sources::orphans(&files));
    found.extend(frozen::check(root)?);
    found.extend(contract_page(root)?);
    found.sort();
    Ok(found)
}

/// Whether the page of the contract says what the contract does.
fn contract_page(root: &Path) -> Result<Option<Finding>> {
    let is = std::fs::read_to_string(root.join(contract::PAGE)).unwrap_or_default();
    let current = is == contract::page(root)?;
    Ok((!current).then(|| {
        Finding::new(
            contract::PAGE,
            0,
            "the page differs from the comments in wit/",
            "run `cargo xtask contract`",
        )
    }))
}
