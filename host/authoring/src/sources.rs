//! What the binary carries, so that a project needs no clone of our repository:
//! the contract and the SDKs of the languages that are built with them.

use std::{fs, io, path::Path};

/// Files by path, with their text.
pub(crate) type Files = [(&'static str, &'static str)];

macro_rules! carried {
    ($($(#[$note:meta])* $name:ident from $folder:literal: $($file:literal),+ $(,)?;)+) => {$(
        $(#[$note])*
        pub(crate) const $name: &Files = &[$(
            ($file, include_str!(concat!("../../../", $folder, "/", $file))),
        )+];
    )+};
}

carried! {
    /// The released contract.
    WIT from "wit/0.1": "action.wit", "detector.wit", "tensors.wit", "transform.wit";
    /// The SDK for Rust: a crate, at the place from where it finds the contract.
    RUST from "sdk/rust":
        "Cargo.toml", "README.md", "src/action.rs", "src/detector.rs", "src/failure.rs", "src/fake.rs",
        "src/lib.rs", "src/log.rs", "src/outbound.rs", "src/settings.rs", "src/state.rs",
        "src/tensors.rs", "src/transform.rs";
    /// The SDK for JavaScript: the project's folder `sdk`.
    JS from "sdk/js":
        "action.d.ts", "action.js", "detector.d.ts", "detector.js", "index.d.ts", "index.js",
        "package.json", "transform.d.ts", "transform.js";
    /// The SDK for Python: a package at the project's top.
    PYTHON from "sdk/python":
        "tollgate_plugin/__init__.py", "tollgate_plugin/action.py", "tollgate_plugin/batch.py",
        "tollgate_plugin/detector.py", "tollgate_plugin/failure.py", "tollgate_plugin/log.py",
        "tollgate_plugin/settings.py", "tollgate_plugin/transform.py";
    /// The SDK for C: the project's folder `sdk`.
    C from "sdk/c":
        "action.c", "core.c", "detector.c", "internal.h", "tollgate.h", "transform.c", "values.c";
}

/// Writes files below `folder`.
pub(crate) fn write(files: &Files, folder: &Path) -> io::Result<()> {
    for (name, text) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}
