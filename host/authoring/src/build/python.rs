//! The recipe for Python: `plugin.py` and the modules it imports. componentize-py
//! links them with an interpreter that was started at build time; calls to the
//! system become traps.

use super::{BuildError, stage, tools};
use crate::{Project, Say, sources};
use domain::plugin::PluginKind;
use std::{fs, path::Path, process::Command};
use wasmparser::{ComponentExternalKind, Parser, Payload};

const VERSION: &str = "0.25.1";
/// What its own start script does.
const RUN: &str = "import sys; from componentize_py import script; sys.exit(script())";
/// Where componentize-py looks for a detector.
const DRIFT: &str = "from plugin import Detector\n\n__all__ = [\"Detector\"]\n";

/// Makes a component of the project and returns its bytes. `scratch` is a folder
/// for intermediate files, kept between builds.
pub(super) fn build(
    project: &Project,
    scratch: &Path,
    say: Say<'_>,
) -> Result<Vec<u8>, BuildError> {
    stage::entry(&project.folder, "plugin.py")?;
    let python = tools::python()?;
    let tool = tools::pip("componentize-py", VERSION, say)?;
    let wit = stage::wit(scratch)?;
    let folder = scratch.join("python");
    let sdk = (sources::PYTHON, "tollgate_plugin");
    stage::stage(&project.folder, &folder, &["py", "json"], sdk)?;
    if project.manifest.kind == PluginKind::Detector {
        // A resource is looked for in a module called like its interface.
        let module = folder.join("drift.py");
        fs::write(&module, DRIFT).map_err(|source| BuildError::File {
            path: module,
            doing: "written",
            source,
        })?;
    }
    let out = scratch.join("component.wasm");
    say("componentize-py: starting the interpreter with plugin.py, about 10 s");
    let mut command = Command::new(python);
    command
        .args(["-c", RUN, "--wit-path"])
        .arg(wit)
        .args([
            "--world",
            &project.manifest.kind.to_string(),
            "componentize",
        ])
        .args(["--stub-wasi", "--python-path"])
        .arg(&folder)
        .args(["plugin", "--output"])
        .arg(&out)
        .env("PYTHONPATH", tool)
        // Else its packages are taken in as well.
        .env_remove("VIRTUAL_ENV")
        .current_dir(&folder);
    tools::run("componentize-py", &mut command)?;
    let component = fs::read(&out).map_err(|source| BuildError::File {
        path: out,
        doing: "read",
        source,
    })?;
    without_own_export(&component)
        .ok_or_else(|| BuildError::Encode("it cannot be parsed".to_owned()))
}

/// The component without the interface `exports`, through which componentize-py
/// starts the interpreter at build time, and which nobody may call afterwards.
/// An exported instance takes a number that later ones count on; an empty
/// instance takes the same.
fn without_own_export(component: &[u8]) -> Option<Vec<u8>> {
    /// A section with one instance made of no exports.
    const EMPTY_INSTANCE: [u8; 5] = [5, 3, 1, 1, 0];
    let mut out = component.get(..8)?.to_vec();
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.ok()?;
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
        let Some((id, range)) = payload.as_section().filter(|_| depth == 1) else {
            continue;
        };
        if let Payload::ComponentExportSection(section) = &payload
            && let Some(Ok(export)) = section.clone().into_iter().next()
            && section.count() == 1
            && export.name.name == "exports"
            && export.kind == ComponentExternalKind::Instance
        {
            out.extend(EMPTY_INSTANCE);
            continue;
        }
        let start = usize::try_from(range.start).ok()?;
        let body = component.get(start..usize::try_from(range.end).ok()?)?;
        out.push(id);
        leb128(&mut out, body.len());
        out.extend_from_slice(body);
    }
    Some(out)
}

fn leb128(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
