//! Tells when a project's sources changed.
//!
//! It looks at the files several times a second instead of asking the system to
//! be told: sources are few, polling works on every file system and in every
//! container, and events differ between systems in just the ways that make
//! rebuild loops. What counts is content: a build that writes a file again with
//! the same bytes, or touches it, is no change. Outputs are never looked at.

use crate::Project;
use domain::digest::Digest;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How often files are looked at.
pub const PERIOD: Duration = Duration::from_millis(200);
/// Folders that hold outputs or other people's code.
const NOT_SOURCES: [&str; 6] = [
    "target",
    "node_modules",
    "__pycache__",
    "venv",
    "dist",
    "build",
];
/// Files that tools write.
const WRITTEN: [&str; 3] = ["Cargo.lock", "package-lock.json", "uv.lock"];
/// Most files that are looked at.
const MAX_FILES: usize = 10_000;

/// What a file looked like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    modified: Option<SystemTime>,
    length: u64,
    digest: Option<Digest>,
}

type Files = BTreeMap<PathBuf, Seen>;

/// Watches one project.
#[derive(Debug)]
pub struct Watcher {
    folder: PathBuf,
    output: PathBuf,
    files: Files,
}

impl Watcher {
    /// Remembers how the project looks now.
    pub fn new(project: &Project) -> Self {
        let mut watcher = Self {
            folder: project.folder.clone(),
            output: project.output(),
            files: Files::new(),
        };
        watcher.files = watcher.look();
        watcher
    }

    /// Whether anything changed since the last time this said so, and stays as
    /// it is: editors write in several steps. Call it every [`PERIOD`].
    pub fn changed(&mut self, settle: impl FnOnce()) -> Vec<PathBuf> {
        let now = self.look();
        if now == self.files {
            return Vec::new();
        }
        settle();
        let settled = self.look();
        if settled != now {
            // Still being written: the next look sees it.
            return Vec::new();
        }
        let digest = |files: &Files, path: &PathBuf| files.get(path).map(|seen| seen.digest);
        let mut changed: Vec<PathBuf> = settled
            .keys()
            .chain(self.files.keys())
            .filter(|path| digest(&settled, path) != digest(&self.files, path))
            .map(|path| path.strip_prefix(&self.folder).unwrap_or(path).to_owned())
            .collect();
        changed.sort();
        changed.dedup();
        self.files = settled;
        changed
    }

    fn look(&self) -> Files {
        let mut found = Files::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            // A folder that goes away in between has no sources.
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                if kind.is_dir() && is_source_folder(&path) {
                    folders.push(path);
                } else if kind.is_file() && self.is_source(&path) && found.len() < MAX_FILES {
                    let seen = self.seen(&path);
                    found.insert(path, seen);
                }
            }
        }
        found
    }

    /// How a file looks; read only if its time or length changed.
    fn seen(&self, path: &Path) -> Seen {
        let data = std::fs::metadata(path).ok();
        let modified = data.as_ref().and_then(|data| data.modified().ok());
        let length = data.as_ref().map_or(0, std::fs::Metadata::len);
        match self.files.get(path) {
            Some(before) if before.modified == modified && before.length == length => {
                before.clone()
            }
            _ => Seen {
                modified,
                length,
                digest: std::fs::read(path).ok().map(|bytes| Digest::of(&bytes)),
            },
        }
    }

    fn is_source(&self, path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy());
        let name = name.as_deref().unwrap_or_default();
        let hidden = name.starts_with('.') || name.ends_with('~') || name.starts_with('#');
        let output = path.extension().is_some_and(|end| end == "wasm");
        !hidden && !output && path != self.output && !WRITTEN.contains(&name)
    }
}

fn is_source_folder(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    let name = name.as_deref().unwrap_or_default();
    // Settings of cargo are sources; of git and editors are not.
    name == ".cargo" || (!name.starts_with('.') && !NOT_SOURCES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Language, Manifest};
    use domain::plugin::PluginKind;
    use std::fs;

    fn project(folder: &Path) -> Project {
        Project {
            folder: folder.to_owned(),
            manifest: Manifest {
                name: "x".into(),
                version: String::new(),
                kind: PluginKind::Transform,
                lang: Language::Rust,
                output: None,
                settings: None,
                golden: "golden.json".into(),
                grants: Vec::new(),
            },
        }
    }

    #[test]
    fn sources_count_and_outputs_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for made in ["src", "target", ".git"] {
            fs::create_dir(at(made)).unwrap();
        }
        fs::write(at("src/lib.rs"), "one").unwrap();
        let mut watcher = Watcher::new(&project(folder.path()));
        let changed = |watcher: &mut Watcher| {
            let changed = watcher.changed(|| {});
            changed
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        for output in [
            "x.wasm",
            "target/a",
            ".git/b",
            "Cargo.lock",
            ".swp",
            "lib.rs~",
        ] {
            fs::write(at(output), "new").unwrap();
        }
        assert_eq!(changed(&mut watcher), Vec::<String>::new());
        fs::write(at("src/lib.rs"), "other").unwrap();
        fs::write(at("golden.json"), "{}").unwrap();
        assert_eq!(changed(&mut watcher), ["golden.json", "src/lib.rs"]);
        assert_eq!(changed(&mut watcher), Vec::<String>::new());
        fs::remove_file(at("golden.json")).unwrap();
        assert_eq!(changed(&mut watcher), ["golden.json"]);
    }

    #[test]
    fn the_same_content_written_again_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("plugin.py");
        fs::write(&source, "one").unwrap();
        let mut watcher = Watcher::new(&project(folder.path()));
        let later = SystemTime::now() + Duration::from_secs(60);
        fs::write(&source, "one").unwrap();
        fs::File::options()
            .write(true)
            .open(&source)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert!(watcher.changed(|| {}).is_empty());
    }

    #[test]
    fn a_file_that_is_still_being_written_waits() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("plugin.py");
        fs::write(&source, "one").unwrap();
        let mut watcher = Watcher::new(&project(folder.path()));
        fs::write(&source, "half of").unwrap();
        let write = || fs::write(&source, "half of it, and the rest").unwrap();
        assert!(watcher.changed(write).is_empty());
        assert_eq!(watcher.changed(|| {}).len(), 1);
    }
}
