//! Released contracts never change: `wit/<version>.sha256` records what the
//! folder `wit/<version>` held when it was released.

use super::Finding;
use anyhow::Result;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, path::Path};

/// Compares every folder under `wit/` with its record, in both directions.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let wit = root.join("wit");
    let mut found = Vec::new();
    if !wit.is_dir() {
        return Ok(found);
    }
    let mut versions: Vec<String> = std::fs::read_dir(&wit)?
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    versions.sort();
    for version in versions {
        found.extend(check_version(&wit, &version)?);
    }
    Ok(found)
}

fn check_version(wit: &Path, version: &str) -> Result<Vec<Finding>> {
    let record = format!("wit/{version}.sha256");
    let Ok(text) = std::fs::read_to_string(wit.join(format!("{version}.sha256"))) else {
        return Ok(vec![Finding::new(
            record.as_str(),
            0,
            format!("folder wit/{version} has no record of its content"),
            format!("when it is released, run `sha256sum wit/{version}/* > {record}`"),
        )]);
    };
    let mut found = Vec::new();
    let mut recorded: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        if let Some((hash, path)) = line.split_once("  ") {
            recorded.insert(path.trim(), (index + 1, hash));
        }
    }
    let remedy = "put it back: released contracts stay as they are, changes go into the next version's folder";
    let mut present = Vec::new();
    for entry in std::fs::read_dir(wit.join(version))?.flatten() {
        let path = format!("wit/{version}/{}", entry.file_name().to_string_lossy());
        let hash = hex(&Sha256::digest(std::fs::read(entry.path())?));
        match recorded.get(path.as_str()) {
            Some((_, was)) if *was == hash => {}
            Some(_) => found.push(Finding::new(
                path.as_str(),
                0,
                "a released file changed",
                remedy,
            )),
            None => found.push(Finding::new(
                path.as_str(),
                0,
                "a file was added to a released version",
                remedy,
            )),
        }
        present.push(path);
    }
    for (path, (line, _)) in recorded {
        if !present.iter().any(|there| there == path) {
            found.push(Finding::new(
                record.as_str(),
                line,
                format!("{path} is gone"),
                remedy,
            ));
        }
    }
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("wit/0.1")).unwrap();
        std::fs::write(root.path().join("wit/0.1/a.wit"), "abc").unwrap();
        // The published SHA-256 of "abc".
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        std::fs::write(
            root.path().join("wit/0.1.sha256"),
            format!("{hash}  wit/0.1/a.wit\n"),
        )
        .unwrap();
        root
    }

    #[test]
    fn an_untouched_release_passes() {
        assert_eq!(check(released().path()).unwrap(), []);
    }

    #[test]
    fn a_change_an_addition_and_a_removal_are_found() {
        let root = released();
        std::fs::write(root.path().join("wit/0.1/a.wit"), "abd").unwrap();
        std::fs::write(root.path().join("wit/0.1/b.wit"), "").unwrap();
        assert_eq!(check(root.path()).unwrap().len(), 2);
        std::fs::remove_file(root.path().join("wit/0.1/a.wit")).unwrap();
        let found = check(root.path()).unwrap();
        assert!(
            found
                .iter()
                .any(|finding| finding.what.contains("gone") && finding.line == 1)
        );
    }

    #[test]
    fn a_version_without_a_record_is_found() {
        let root = released();
        std::fs::create_dir_all(root.path().join("wit/0.2")).unwrap();
        assert_eq!(check(root.path()).unwrap().len(), 1);
    }
}
