//! The recipe for C: every `.c` file at the project's top, with the SDK's, into
//! one freestanding module. Clang with its linker is used when it is there, else
//! `zig cc`, a whole C compiler in one package.

use super::{BuildError, stage, tools};
use crate::{Project, Say, sources};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};
use wit_component::StringEncoding;
use wit_parser::Resolve;

const ZIG: &str = "0.17.1";
const FLAGS: [&str; 10] = [
    "-std=c11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-ffreestanding",
    // `memcpy` and its kin are then instructions.
    "-mbulk-memory",
    "-nostdlib",
    "-Wl,--no-entry",
    "-Wl,--strip-debug",
    "-Wl,-z,stack-size=262144",
];

/// Makes a core module of the project, with its world written into it, and
/// returns its bytes. `scratch` is a folder for intermediate files, kept between
/// builds.
pub(super) fn build(
    project: &Project,
    scratch: &Path,
    say: Say<'_>,
) -> Result<Vec<u8>, BuildError> {
    stage::entry(&project.folder, "plugin.c")?;
    let file = |path: &Path, doing, source| BuildError::File {
        path: path.to_owned(),
        doing,
        source,
    };
    let mut sdk = project.folder.join("sdk");
    if !sdk.is_dir() {
        sdk = scratch.join("c");
        sources::write(sources::C, &sdk).map_err(|source| file(&sdk, "written", source))?;
    }
    let own = c_files(&project.folder).map_err(|source| file(&project.folder, "read", source))?;
    let kind = project.manifest.kind.to_string();
    let out = scratch.join("module.wasm");
    let (name, mut compiler) = compiler(scratch, say)?;
    say(&format!("{name}: compiling {} file(s)", own.len()));
    compiler
        .args(FLAGS)
        .arg("-I")
        .arg(&sdk)
        .args(own)
        .args(["core.c", "values.c"].map(|name| sdk.join(name)))
        .arg(sdk.join(format!("{kind}.c")))
        .arg("-o")
        .arg(&out);
    tools::run(&name, &mut compiler)?;
    let mut module = fs::read(&out).map_err(|source| file(&out, "read", source))?;
    let mut world = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(stage::wit(scratch)?)?;
        let world = resolve.select_world(&[package], Some(&kind))?;
        let encoding = StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, &resolve, world, encoding, false)?;
        Ok(())
    };
    world().map_err(|error| BuildError::Encode(error.to_string()))?;
    Ok(module)
}

fn c_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The compiler, with the target it is to compile for.
fn compiler(scratch: &Path, say: Say<'_>) -> Result<(String, Command), BuildError> {
    if let Some(clang) = tools::find("clang").filter(|clang| knows_wasm(clang)) {
        let mut command = Command::new(clang);
        // A stack that overflows traps, instead of running into data; zig's
        // linker does so unasked.
        command.args(["--target=wasm32-unknown-unknown", "-Wl,--stack-first"]);
        return Ok(("clang".into(), command));
    }
    let python = tools::python().map_err(|_| BuildError::Missing {
        tool: "a C compiler for WebAssembly".into(),
        remedy: "install clang with lld (Debian and Ubuntu: apt-get install clang lld), or \
                 Python 3 with pip, through which zig's is installed"
            .into(),
    })?;
    let tool = tools::pip("ziglang", ZIG, say)?;
    let mut command = Command::new(python);
    command
        .args(["-m", "ziglang", "cc", "-target", "wasm32-freestanding"])
        .env("PYTHONPATH", &tool)
        .env("ZIG_LOCAL_CACHE_DIR", scratch.join("zig"))
        .env("ZIG_GLOBAL_CACHE_DIR", tool.join("cache"));
    Ok(("zig cc".into(), command))
}

/// Whether this clang has the target, and there is a linker for it.
fn knows_wasm(clang: &Path) -> bool {
    let output = Command::new(clang).arg("--print-targets").output();
    tools::find("wasm-ld").is_some()
        && output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("wasm32"))
}
