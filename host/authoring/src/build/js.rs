//! The recipe for JavaScript: `plugin.js`, an ES module, and what it imports by
//! relative paths. componentize-js puts it into a JavaScript engine that was
//! started at build time; each feature that needs a system interface is off.

use super::{BuildError, stage, tools};
use crate::{Project, Say, sources};
use std::{fs, path::Path, process::Command};

/// The folder of the tool is named by the version that the lock file pins.
const TOOL: &str = "componentize-js-0.23.0";
/// The lock pins every package by digest. An older jco than the newest brings a
/// third of the packages; only two of its functions are used.
const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("js/package.json")),
    ("package-lock.json", include_str!("js/package-lock.json")),
    ("build.mjs", include_str!("js/build.mjs")),
];

/// Makes a component of the project and returns its bytes. `scratch` is a folder
/// for intermediate files, kept between builds.
pub(super) fn build(
    project: &Project,
    scratch: &Path,
    say: Say<'_>,
) -> Result<Vec<u8>, BuildError> {
    stage::entry(&project.folder, "plugin.js")?;
    let node = tools::need(
        "node",
        "install Node.js 20 or later (Debian and Ubuntu: apt-get install nodejs npm)",
    )?;
    let tool = tools::npm(TOOL, &FILES, say)?;
    let wit = stage::wit(scratch)?;
    let folder = scratch.join("js");
    let extensions = ["js", "mjs", "json"];
    stage::stage(&project.folder, &folder, &extensions, (sources::JS, "sdk"))?;
    let out = scratch.join("component.wasm");
    say("componentize-js: starting the engine with plugin.js, about 12 s");
    let mut command = Command::new(node);
    command
        .arg(tool.join("build.mjs"))
        .args([folder.join("plugin.js"), wit])
        .arg(project.manifest.kind.to_string())
        .arg(&out)
        .current_dir(&folder);
    tools::run("componentize-js", &mut command)?;
    fs::read(&out).map_err(|source| BuildError::File {
        path: out,
        doing: "read",
        source,
    })
}
