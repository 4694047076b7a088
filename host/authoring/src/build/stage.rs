//! A copy of a project's sources to build from: with the SDK, and without what
//! the tool would otherwise take in (outputs, environments, tests of the author).

use super::BuildError;
use crate::sources::{self, Files};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Folders of a project that are not sources.
const LEFT_OUT: [&str; 5] = ["target", "node_modules", "venv", "tests", "__pycache__"];
/// How deep folders may nest.
const DEPTH: u32 = 16;

/// Copies files with one of `extensions` from `project` to the folder `stage`,
/// which is made anew, and adds the SDK at `place` if the project has none there.
pub(super) fn stage(
    project: &Path,
    stage: &Path,
    extensions: &[&str],
    (sdk, place): (&Files, &str),
) -> Result<(), BuildError> {
    let made = || -> io::Result<()> {
        if stage.exists() {
            fs::remove_dir_all(stage)?;
        }
        copy(project, stage, extensions, DEPTH)?;
        if !project.join(place).is_dir() {
            let root = if place.ends_with("sdk") {
                stage.join(place)
            } else {
                stage.to_owned()
            };
            sources::write(sdk, &root)?;
        }
        Ok(())
    };
    made().map_err(|source| BuildError::File {
        path: stage.to_owned(),
        doing: "written",
        source,
    })
}

fn copy(from: &Path, to: &Path, extensions: &[&str], depth: u32) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.starts_with('.') || LEFT_OUT.contains(&name) {
            continue;
        }
        let wanted = |path: &Path| {
            path.extension()
                .and_then(|extension| extension.to_str())
                .is_some_and(|extension| extensions.contains(&extension))
        };
        if path.is_dir() && depth > 0 {
            copy(&path, &to.join(name), extensions, depth - 1)?;
        } else if path.is_file() && wanted(&path) {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// The project's entry file, which every language wants to be called `plugin`.
pub(super) fn entry(project: &Path, file: &str) -> Result<PathBuf, BuildError> {
    let path = project.join(file);
    match fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(source) => Err(BuildError::File {
            path,
            doing: "read",
            source,
        }),
    }
}

/// The contract, as files in `scratch`.
pub(super) fn wit(scratch: &Path) -> Result<PathBuf, BuildError> {
    let folder = scratch.join("wit");
    sources::write(sources::WIT, &folder).map_err(|source| BuildError::File {
        path: folder.clone(),
        doing: "written",
        source,
    })?;
    Ok(folder)
}
