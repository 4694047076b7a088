//! From a project to its component: the language's recipe makes a core module
//! or a component, the rest is the same for all.
//!
//! A build that fails leaves no component behind, so that nothing later runs an
//! old one.

mod c;
mod imports;
mod js;
mod python;
mod rust;
mod stage;
mod tools;

use crate::{Language, Project, Say};
use std::{
    io,
    path::{Path, PathBuf},
};

/// A project that did not become a component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A tool that the language needs is not there and cannot be installed here.
    #[error("{tool} is missing: {remedy}")]
    Missing {
        /// The tool.
        tool: String,
        /// How to get it.
        remedy: String,
    },
    /// A tool that is installed on first use could not be.
    #[error(
        "{tool} cannot be installed: check that its package registry can be reached, and run the \
         command again\n{said}"
    )]
    NotInstalled {
        /// The tool with its version.
        tool: String,
        /// The last that the installer said.
        said: String,
    },
    /// A tool ran and failed.
    #[error("{tool} failed ({status})\n{said}")]
    Failed {
        /// The tool.
        tool: String,
        /// How it ended.
        status: String,
        /// The last that it said.
        said: String,
    },
    /// A file that is needed cannot be read or written.
    #[error("{} cannot be {doing}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read`, `written` or the like.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What the tools made is no component and does not become one.
    #[error("the module does not make a component: {0}")]
    Encode(String),
    /// The component wants what no sandbox grants.
    #[error("the component imports {imports}: {remedy}")]
    Imports {
        /// Names of the imports.
        imports: String,
        /// How to get rid of them in this language.
        remedy: &'static str,
    },
}

/// A component, as built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Where it lies: [`Project::output`].
    pub path: PathBuf,
    /// Its bytes.
    pub component: Vec<u8>,
}

/// Builds the project: the old component goes first, the new one appears whole.
///
/// # Errors
/// When the toolchain is missing or fails, or what it makes is no component.
pub fn build(project: &Project, say: Say<'_>) -> Result<Built, BuildError> {
    let path = project.output();
    remove(&path)?;
    let scratch = project.folder.join("target");
    let file = |doing, source| BuildError::File {
        path: scratch.clone(),
        doing,
        source,
    };
    std::fs::create_dir_all(&scratch).map_err(|source| file("made", source))?;
    let made = match project.manifest.lang {
        Language::Rust => rust::build(project, &scratch, say),
        Language::Js => js::build(project, &scratch, say),
        Language::Python => python::build(project, &scratch, say),
        Language::C => c::build(project, &scratch, say),
    }?;
    let component = component(project.manifest.lang, made)?;
    imports::check(project.manifest.lang, &component)?;
    write_whole(&path, &component)?;
    Ok(Built { path, component })
}

fn remove(path: &Path) -> Result<(), BuildError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(BuildError::File {
            path: path.to_owned(),
            doing: "removed",
            source,
        }),
        _ => Ok(()),
    }
}

/// Core modules become components; components stay as they are.
fn component(language: Language, made: Vec<u8>) -> Result<Vec<u8>, BuildError> {
    /// Layer 1 after the magic number tells a component.
    const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
    if made.starts_with(&COMPONENT) {
        return Ok(made);
    }
    wit_component::ComponentEncoder::default()
        .module(&made)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| {
            let why = format!("{error:#}");
            // The encoder's words for an import that the world does not have.
            if why.contains("import") {
                BuildError::Encode(format!("{why}: {}", imports::remedy(language)))
            } else {
                BuildError::Encode(why)
            }
        })
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let written = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, bytes)?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(|source| BuildError::File {
        path: path.to_owned(),
        doing: "written",
        source,
    })
}
