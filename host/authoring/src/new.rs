//! A new project that builds, tests and passes at once. The binary carries the
//! contract, the SDK and one example per kind and language; no clone of our
//! repository is needed.

use crate::{
    Language, MANIFEST, project,
    sources::{self, Files},
};
use domain::plugin::PluginKind;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A project that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The name.
    #[error("{0}")]
    Name(String),
    /// The folder is in use.
    #[error("{} is not empty: name a new folder, or empty this one", .0.display())]
    NotEmpty(PathBuf),
    /// A file cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!("../templates/", $file))
    };
}

/// Makes the project `name` in `folder`, which must not exist or be empty.
///
/// # Errors
/// When the name is not valid, the folder is in use, or cannot be written.
pub fn new(
    folder: &Path,
    name: &str,
    kind: PluginKind,
    language: Language,
) -> Result<(), NewError> {
    project::check_name(name).map_err(NewError::Name)?;
    let failed = |path: &Path, source| NewError::Write {
        path: path.to_owned(),
        source,
    };
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(NewError::NotEmpty(folder.to_owned()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(failed(folder, source)),
    }
    sources::write(sources::WIT, &folder.join("wit/0.1"))
        .map_err(|source| failed(&folder.join("wit"), source))?;
    let (sdk, place) = sdk(language);
    sources::write(sdk, &folder.join(place))
        .map_err(|source| failed(&folder.join(place), source))?;
    let mut files = common(kind);
    files.extend(of_language(language, kind));
    for (file, text) in files {
        let path = folder.join(file);
        let text = filled(text, name, kind, language);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|source| failed(parent, source))?;
        fs::write(&path, text).map_err(|source| failed(&path, source))?;
    }
    let path = folder.join(MANIFEST);
    fs::write(&path, manifest(name, kind, language)).map_err(|source| failed(&path, source))
}

/// The SDK's files and where a project has them.
const fn sdk(language: Language) -> (&'static Files, &'static str) {
    match language {
        Language::Rust => (sources::RUST, "sdk/rust"),
        Language::Js => (sources::JS, "sdk"),
        // A package at the top, where Python looks for it.
        Language::Python => (sources::PYTHON, ""),
        Language::C => (sources::C, "sdk"),
    }
}

/// Files that every language has.
fn common(kind: PluginKind) -> Vec<(&'static str, &'static str)> {
    let (settings, golden) = match kind {
        PluginKind::Transform => (
            template!("transform/settings.json"),
            template!("transform/golden.json"),
        ),
        PluginKind::Detector => (
            template!("detector/settings.json"),
            template!("detector/golden.json"),
        ),
        PluginKind::Action => (
            template!("action/settings.json"),
            template!("action/golden.json"),
        ),
    };
    vec![
        ("settings.json", settings),
        ("golden.json", golden),
        (".gitignore", template!("gitignore")),
        ("README.md", template!("README.md")),
    ]
}

fn of_language(language: Language, kind: PluginKind) -> Vec<(&'static str, &'static str)> {
    let source = match (language, kind) {
        (Language::Rust, PluginKind::Transform) => template!("rust/transform.rs"),
        (Language::Rust, PluginKind::Detector) => template!("rust/detector.rs"),
        (Language::Rust, PluginKind::Action) => template!("rust/action.rs"),
        (Language::Js, PluginKind::Transform) => template!("js/transform.js"),
        (Language::Js, PluginKind::Detector) => template!("js/detector.js"),
        (Language::Js, PluginKind::Action) => template!("js/action.js"),
        (Language::Python, PluginKind::Transform) => template!("python/transform.py"),
        (Language::Python, PluginKind::Detector) => template!("python/detector.py"),
        (Language::Python, PluginKind::Action) => template!("python/action.py"),
        (Language::C, PluginKind::Transform) => template!("c/transform.c"),
        (Language::C, PluginKind::Detector) => template!("c/detector.c"),
        (Language::C, PluginKind::Action) => template!("c/action.c"),
    };
    let mut files = vec![(entry(language), source)];
    if language == Language::Rust {
        files.push(("Cargo.toml", template!("rust/Cargo.toml.in")));
        // Pinned, so that a new project builds today as it was tried here.
        files.push(("Cargo.lock", template!("rust/Cargo.lock.in")));
        files.push((".cargo/config.toml", template!("rust/config.toml")));
    }
    files
}

/// The file that a language's plugin starts in.
const fn entry(language: Language) -> &'static str {
    match language {
        Language::Rust => "src/lib.rs",
        Language::Js => "plugin.js",
        Language::Python => "plugin.py",
        Language::C => "plugin.c",
    }
}

fn filled(text: &str, name: &str, kind: PluginKind, language: Language) -> String {
    let (called, native) = match language {
        Language::Rust => (
            "Rust",
            "\nUnit tests run natively, without an engine: `cargo test`.\n",
        ),
        Language::Js => ("JavaScript", ""),
        Language::Python => ("Python", ""),
        Language::C => ("C", ""),
    };
    text.replace("{{name}}", name)
        .replace("{{kind}}", &kind.to_string())
        .replace("{{language}}", called)
        .replace("{{source}}", entry(language))
        .replace("{{native}}", native)
}

fn manifest(name: &str, kind: PluginKind, language: Language) -> String {
    let mut text = format!(
        "name = \"{name}\"\nversion = \"0.1.0\"\nkind = \"{kind}\"\nlang = \"{language}\"\n\
         settings = \"settings.json\"\ngolden = \"golden.json\"\n"
    );
    if kind == PluginKind::Action {
        text += "\n# What it asks the operator for; a grant of this name must be made.\n\
                 [[grants]]\nname = \"hook\"\nmethods = [\"post\"]\npath_prefix = \"/rollbacks\"\n\
                 why = \"tells people that a rollout was rolled back\"\n";
    }
    text
}
