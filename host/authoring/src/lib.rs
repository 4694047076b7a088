//! The plugin author's workbench. Everything a plugin author does before a
//! gateway is involved happens here, and none of it needs one.
//!
//! A [`Project`] is a folder with a `plugin.toml`. `new` writes one that builds
//! and passes at once; `build` finds the language's toolchain and makes the
//! component; what follows runs in the real engine of [`plugins`], under the
//! limits of production: `check` says whether a gateway would take it, `golden`
//! plays the cases of `golden.json`, `bench` measures calls, and `watch` tells
//! when sources changed.
//!
//! There is no port between this room and `plugins`: a test that ran in
//! anything else than the engine that serves would prove nothing. It knows no
//! HTTP, no SQL, and prints nothing: the command line does.

pub mod bench;
pub mod build;
pub mod check;
pub mod golden;
pub mod inputs;
pub mod new;
mod project;
pub mod run;
mod sources;
pub mod watch;

pub use project::{GrantRequest, Language, MANIFEST, Manifest, Project, ProjectError};

/// Where progress goes, one line at a time: what is done now, what is installed.
pub type Say<'a> = &'a dyn Fn(&str);

/// An error with its causes on one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        out += &format!(": {error}");
        cause = error.source();
    }
    out
}
