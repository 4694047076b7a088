//! A plugin's project: a folder with a manifest, `plugin.toml`.

use domain::plugin::PluginKind;
use serde::{Deserialize, Serialize};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Name of the manifest in a project's folder.
pub const MANIFEST: &str = "plugin.toml";

/// A language that plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Rust, for `wasm32-unknown-unknown`.
    Rust,
    /// JavaScript, by componentize-js.
    Js,
    /// Python, by componentize-py.
    Python,
    /// C, freestanding.
    C,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rust, Self::Js, Self::Python, Self::C];
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
            Self::C => "c",
        })
    }
}

/// A target that an action asks its operator for. It grants nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// Name of the grant, as the plugin gives it to `send`.
    pub name: String,
    /// Methods it uses, as in `post`.
    pub methods: Vec<String>,
    /// Path below which it stays.
    #[serde(default = "root_path")]
    pub path_prefix: String,
    /// What for, in one sentence.
    #[serde(default)]
    pub why: String,
}

fn root_path() -> String {
    "/".to_owned()
}

/// What `plugin.toml` says. Paths are relative to the project's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the plugin: what it is registered as, and the package's name.
    pub name: String,
    /// Version of the project, for people; a gateway goes by digests.
    #[serde(default)]
    pub version: String,
    /// Which world it implements.
    pub kind: PluginKind,
    /// Language, which decides how it is built.
    pub lang: Language,
    /// Where the component goes; `NAME.wasm` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<PathBuf>,
    /// Settings to register it with; `{}` if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<PathBuf>,
    /// Golden cases.
    #[serde(default = "golden")]
    pub golden: PathBuf,
    /// Targets that an action asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantRequest>,
}

fn golden() -> PathBuf {
    "golden.json".into()
}

/// A folder that is no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// No manifest in the folder.
    #[error(
        "{} has no {MANIFEST}: name the project's folder, or make a project with `tollgate plugin new`",
        .0.display()
    )]
    NotAProject(PathBuf),
    /// The manifest cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The manifest says what it may not.
    #[error("{}: {why}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where known.
        why: String,
    },
}

/// A project on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Project {
    /// Reads the project in `folder`, whose path becomes absolute: tools run in
    /// folders of their own.
    ///
    /// # Errors
    /// When there is no manifest, or one that is not valid.
    pub fn open(folder: &Path) -> Result<Self, ProjectError> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ProjectError::NotAProject(folder.to_owned()));
            }
            Err(source) => return Err(ProjectError::Read { path, source }),
        };
        let wrong = |why: String| ProjectError::Manifest {
            path: path.clone(),
            why,
        };
        let manifest: Manifest = toml::from_str(&text)
            .map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        check_name(&manifest.name).map_err(|why| wrong(format!("name: {why}")))?;
        let folder = std::path::absolute(folder).map_err(|source| ProjectError::Read {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self { folder, manifest })
    }

    /// Where the component goes.
    pub fn output(&self) -> PathBuf {
        match &self.manifest.output {
            Some(path) => self.folder.join(path),
            None => self.folder.join(format!("{}.wasm", self.manifest.name)),
        }
    }

    /// The golden file.
    pub fn golden(&self) -> PathBuf {
        self.folder.join(&self.manifest.golden)
    }

    /// The file of its settings, if it has one.
    pub fn settings(&self) -> Option<PathBuf> {
        Some(self.folder.join(self.manifest.settings.as_ref()?))
    }
}

/// Whether a project may be called so: the name becomes a package's in every
/// language and a plugin's in the gateway.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !starts || name.len() > 64 || !name.chars().all(allowed) || name.ends_with('-') {
        return Err(format!(
            "{name:?} is no name for a plugin: use 1 to 64 lower-case letters, digits and hyphens, \
             starting with a letter and not ending with a hyphen"
        ));
    }
    Ok(())
}
