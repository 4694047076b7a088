//! What stands where: the top level, the map in ARCHITECTURE.md, and that every
//! guest of the tests is used by one.

use super::{Finding, arrows::Room, sources::Source};
use anyhow::Result;
use std::{collections::BTreeSet, path::Path};

/// All that may stand at the top of the repository.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "host",
    "wit",
    "plugins",
    "policies",
    "sdk",
    "tests",
    "examples",
    "README.md",
    "ARCHITECTURE.md",
    "docs",
    "xtask",
    ".ci",
    ".cargo",
    "clippy.toml",
    "rustfmt.toml",
    ".gitignore",
    "LICENSE",
];

/// Made by tools and ignored by git.
const IGNORED: &[&str] = &[".git", "target", ".tollgate"];

/// Finds entries at the top level that are not in the plan.
pub(super) fn top_level(root: &Path) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !TOP_LEVEL.contains(&name.as_str()) && !IGNORED.contains(&name.as_str()) {
            found.push(Finding::new(
                name.as_str(),
                0,
                "the top level has no such entry",
                "move it into the folder it belongs to",
            ));
        }
    }
    Ok(found)
}

/// Compares the map in ARCHITECTURE.md with the crates that exist. The map is
/// the first table below a heading with the word "map"; the first cell of each
/// row names a crate under `host/` in backticks.
pub(super) fn map(root: &Path, rooms: &[Room]) -> Vec<Finding> {
    let file = "ARCHITECTURE.md";
    let Ok(text) = std::fs::read_to_string(root.join(file)) else {
        return vec![Finding::new(
            file,
            0,
            "there is no map of the crates",
            "write it",
        )];
    };
    let rows = rows(&text);
    if rows.is_empty() {
        return vec![Finding::new(
            file,
            0,
            "there is no table of crates below a heading with the word \"map\"",
            "add it: one row for each crate, its name in backticks first",
        )];
    }
    let exist: BTreeSet<&str> = rooms
        .iter()
        .filter(|room| room.manifest.starts_with("host"))
        .map(|room| room.name.as_str())
        .collect();
    let mut found = Vec::new();
    for (line, name) in &rows {
        if !exist.contains(name.as_str()) {
            found.push(Finding::new(
                file,
                *line,
                format!("`{name}` is no crate of host/"),
                "remove the row",
            ));
        }
    }
    for name in exist {
        if !rows.iter().any(|(_, row)| row == name) {
            let line = rows.last().map_or(0, |(line, _)| *line);
            found.push(Finding::new(
                file,
                line,
                format!("the map lacks the crate `{name}`"),
                "add its row",
            ));
        }
    }
    found
}

fn rows(text: &str) -> Vec<(usize, String)> {
    let below = text.lines().enumerate().skip_while(|(_, line)| {
        let words = line.to_lowercase();
        !(line.starts_with('#')
            && words
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == "map"))
    });
    below
        .skip_while(|(_, line)| !line.starts_with('|'))
        .take_while(|(_, line)| line.starts_with('|'))
        .filter_map(|(index, line)| {
            let cell = line.split('|').nth(1)?.trim();
            let name = cell.strip_prefix('`')?.strip_suffix('`')?;
            Some((index + 1, name.to_owned()))
        })
        .collect()
}

/// Finds packages under `tests/guests/` that no test names.
pub(super) fn guests_are_tested(root: &Path, files: &[Source]) -> Result<Vec<Finding>> {
    let folder = root.join("tests/guests");
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder)?.flatten() {
        if !entry.path().join("Cargo.toml").is_file() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let quoted = [
            format!("\"{name}\""),
            format!("\"{name}.wasm\""),
            format!("/{name}.wasm\""),
        ];
        let named = files.iter().any(|file| {
            !file.path.starts_with("tests/guests")
                && quoted.iter().any(|text| file.text.contains(text.as_str()))
        });
        if !named {
            found.push(Finding::new(
                Path::new("tests/guests").join(&name).join("Cargo.toml"),
                0,
                format!("no test uses the guest `{name}`"),
                "write the test that shows what the host does about it, or remove the guest",
            ));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> Room {
        Room {
            name: name.to_owned(),
            manifest: Path::new("host").join(name).join("Cargo.toml"),
            needs: Vec::new(),
        }
    }

    #[test]
    fn only_planned_entries_stand_at_the_top() {
        let root = tempfile::tempdir().unwrap();
        for name in ["host", "target", "scripts"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let found = top_level(root.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file, Path::new("scripts"));
    }

    #[test]
    fn the_map_and_the_crates_must_agree() {
        let root = tempfile::tempdir().unwrap();
        let text = "# A\n\n## The map\n\n| crate | job |\n|---|---|\n| `domain` | words |\n| `old` | |\n\n| `later` | |\n";
        std::fs::write(root.path().join("ARCHITECTURE.md"), text).unwrap();
        let found = map(root.path(), &[room("domain"), room("store")]);
        let what: Vec<_> = found
            .iter()
            .map(|finding| (finding.line, finding.what.as_str()))
            .collect();
        assert_eq!(
            what,
            [
                (8, "`old` is no crate of host/"),
                (8, "the map lacks the crate `store`")
            ]
        );
    }

    #[test]
    fn a_guest_that_no_test_names_is_found() {
        let root = tempfile::tempdir().unwrap();
        for name in ["spins", "quiet"] {
            let folder = root.path().join("tests/guests").join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("Cargo.toml"), "").unwrap();
        }
        let test = Source::new("host/plugins/tests/evil.rs", "load(\"spins\")");
        let found = guests_are_tested(root.path(), &[test]).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("quiet"));
    }
}
