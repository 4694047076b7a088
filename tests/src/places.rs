//! Where the built programs and the files of the repository are.

use std::path::{Path, PathBuf};

/// Root of the repository.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// The gateway's program: `XTASK_TOLLGATE`, else what the release profile built.
pub fn tollgate() -> PathBuf {
    std::env::var_os("XTASK_TOLLGATE")
        .map_or_else(|| xtask::shell::binary(&root(), "tollgate"), PathBuf::from)
}

/// A built plugin or guest by its package's name.
pub fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("TOLLGATE_GUESTS")
        .map_or_else(|| root().join("target/guests"), PathBuf::from);
    folder.join(format!("{name}.wasm"))
}
