//! Rules for single source files: a note at the top, bounded size, nothing
//! ignored or left for later, and no file that nothing declares.

use super::Finding;
use anyhow::Result;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Most lines of a file, tests not counted.
const MAX_LINES: usize = 600;
/// Files that may be longer, each with a reason: `<path> <most lines> <reason>`.
const WAIVERS: &str = "xtask/size-waivers.txt";

/// A Rust file.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Source {
    pub(super) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        Self { path, text }
    }
}

/// Every Rust file of the repository, build outputs left out.
pub(super) fn read_all(root: &Path) -> Result<Vec<Source>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)?.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if name != "target" && name != "node_modules" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path)?;
                files.push(Source::new(path.strip_prefix(root).unwrap_or(&path), text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The waivers: most lines by path, with the line of the list they stand on.
pub(super) fn waivers(root: &Path) -> BTreeMap<PathBuf, (usize, usize)> {
    let text = std::fs::read_to_string(root.join(WAIVERS)).unwrap_or_default();
    let waiver = |(index, line): (usize, &str)| {
        let mut words = line.split_whitespace();
        let path = words.next().filter(|word| !word.starts_with('#'))?;
        let most = words.next()?.parse().ok()?;
        words
            .next()
            .map(|_reason| (PathBuf::from(path), (most, index + 1)))
    };
    text.lines().enumerate().filter_map(waiver).collect()
}

/// Findings on each file by itself, and on waivers that are not needed.
pub(super) fn check(files: &[Source], waivers: &BTreeMap<PathBuf, (usize, usize)>) -> Vec<Finding> {
    let mut found: Vec<Finding> = files
        .iter()
        .flat_map(|file| check_one(file, waivers))
        .collect();
    for (path, (_, line)) in waivers {
        let needed = files
            .iter()
            .any(|file| file.path == *path && product_lines(&file.text) > MAX_LINES);
        if !needed {
            found.push(Finding::new(
                WAIVERS,
                *line,
                format!("{} does not need a waiver", path.display()),
                "remove the line",
            ));
        }
    }
    found
}

fn check_one(file: &Source, waivers: &BTreeMap<PathBuf, (usize, usize)>) -> Vec<Finding> {
    let mut found = Vec::new();
    if !file.text.starts_with("//!") {
        found.push(Finding::new(
            &file.path,
            1,
            "the file does not say what it is for",
            "start it with a `//!` note: its job, its invariant, what is deliberately not here",
        ));
    }
    let most = waivers.get(&file.path).map_or(MAX_LINES, |(most, _)| *most);
    let lines = product_lines(&file.text);
    if lines > most {
        found.push(Finding::new(
            &file.path,
            most,
            format!("{lines} lines without tests are more than {most}"),
            "split it by story",
        ));
    }
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with(concat!("#[", "ignore")) {
            found.push(Finding::new(
                &file.path,
                index + 1,
                "a test is switched off",
                "make it pass, or remove it and say so in an issue",
            ));
        }
        if unfinished(line) {
            found.push(Finding::new(
                &file.path,
                index + 1,
                "something is left for later without an issue",
                concat!(
                    "do it now, or write ",
                    "TO",
                    "DO(#12) with the issue's number"
                ),
            ));
        }
    }
    found
}

/// A marker of unfinished work in a comment, without the number of an issue.
fn unfinished(line: &str) -> bool {
    let Some((_, comment)) = line.split_once("//") else {
        return false;
    };
    [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ]
    .iter()
    .any(|marker| {
        comment.match_indices(marker).any(|(at, _)| {
            let rest = comment.get(at + marker.len()..).unwrap_or_default();
            let number = rest
                .strip_prefix("(#")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            !number && !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
        })
    })
}

/// Lines before the inline tests; by convention they stand last.
fn product_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]"
            && pair[1].trim_start().starts_with("mod ")
            && pair[1].trim_end().ends_with('{')
    });
    tests.unwrap_or(lines.len())
}

/// Files below a `src/` or `tests/it/` that no parent declares with `mod`.
pub(super) fn orphans(files: &[Source]) -> Vec<Finding> {
    files
        .iter()
        .filter_map(|file| orphan(file, files))
        .collect()
}

fn orphan(file: &Source, files: &[Source]) -> Option<Finding> {
    let name = file.path.file_stem()?.to_str()?;
    let folder = file.path.parent()?;
    let in_crate = folder
        .ancestors()
        .any(|above| above.ends_with("src") || above.ends_with("tests/it"));
    let is_root = folder.ends_with("src") || folder.ends_with("tests/it");
    if !in_crate || folder.ends_with("src/bin") || (is_root && matches!(name, "lib" | "main")) {
        return None;
    }
    let parents = if is_root {
        vec![folder.join("lib.rs"), folder.join("main.rs")]
    } else {
        vec![folder.with_extension("rs")]
    };
    let declares = |text: &str| {
        let wanted = format!("mod {name};");
        text.lines().map(str::trim).any(|line| {
            line == wanted
                || (line.starts_with("pub")
                    && line
                        .strip_suffix(wanted.as_str())
                        .is_some_and(|head| head.ends_with(' ')))
        })
    };
    let declared = files
        .iter()
        .any(|other| parents.contains(&other.path) && declares(&other.text));
    (!declared).then(|| {
        Finding::new(
            &file.path,
            1,
            "no file declares this module, so it is never compiled",
            format!(
                "add `mod {name};` to {}",
                parents.last().unwrap_or(&file.path).display()
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(files: &[Source]) -> Vec<(usize, String)> {
        let found = check(files, &BTreeMap::new());
        found
            .into_iter()
            .map(|finding| (finding.line, finding.what))
            .collect()
    }

    #[test]
    fn a_good_file_passes() {
        let text = "//! Note.\n\n// TO\u{44}O(#12): later\nfn f() {}\n";
        assert_eq!(whats(&[Source::new("host/a/src/lib.rs", text)]), []);
    }

    #[test]
    fn a_missing_note_an_ignored_test_and_unfinished_work_are_found() {
        let text = concat!(
            "fn f() {} // TO",
            "DO: more\n#[",
            "ignore]\nfn g() {} // FIX",
            "ME\n"
        );
        let lines: Vec<usize> = whats(&[Source::new("a.rs", text)])
            .into_iter()
            .map(|(line, _)| line)
            .collect();
        assert_eq!(lines, [1, 1, 2, 3]);
    }

    #[test]
    fn tests_do_not_count_towards_the_size() {
        let body = "//! Note.\n".to_owned() + &"fn f() {}\n".repeat(MAX_LINES - 1);
        let tests = format!(
            "{body}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "// x\n".repeat(100)
        );
        assert_eq!(whats(&[Source::new("a.rs", tests)]), []);
        assert_eq!(whats(&[Source::new("a.rs", body + "fn g() {}\n")]).len(), 1);
    }

    #[test]
    fn a_waiver_counts_and_an_unneeded_one_is_found() {
        let long = Source::new("a.rs", "//! Note.\n".repeat(MAX_LINES + 5));
        let waivers = BTreeMap::from([("a.rs".into(), (MAX_LINES + 10, 1))]);
        assert_eq!(check(&[long], &waivers), []);
        assert_eq!(check(&[], &waivers).len(), 1);
    }

    #[test]
    fn a_file_that_nothing_declares_is_found() {
        let files = [
            Source::new(
                "host/a/src/lib.rs",
                "//! x\npub mod b;\npub(crate) mod e;\n",
            ),
            Source::new("host/a/src/b.rs", "mod c;\n"),
            Source::new("host/a/src/b/c.rs", ""),
            Source::new("host/a/src/b/lost.rs", ""),
            Source::new("host/a/src/e.rs", ""),
            Source::new("tests/it/main.rs", "mod there;"),
            Source::new("tests/it/there.rs", ""),
            Source::new("tests/it/forgotten.rs", ""),
            Source::new("host/a/tests/free.rs", ""),
        ];
        let found: Vec<_> = orphans(&files)
            .into_iter()
            .map(|finding| finding.file)
            .collect();
        assert_eq!(
            found,
            [
                Path::new("host/a/src/b/lost.rs"),
                Path::new("tests/it/forgotten.rs")
            ]
        );
    }
}
