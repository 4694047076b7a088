//! Compiled components: the only code of this crate that turns bytes into
//! native code, and therefore the only unsafe one.
//!
//! An artifact is machine code made by our own compiler. It is kept under the
//! digest of its component and the engine's compatibility hash, behind a MAC
//! whose key never leaves the folder: a file that somebody else wrote, or that
//! a disk damaged, is compiled anew instead of run.

use crate::PluginHostError;
use domain::digest::Digest;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    fs,
    hash::{Hash, Hasher},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use wasmtime::{Engine, Module, component::Component};

const MAC_BYTES: usize = 32;
/// Largest artifact that is read back, in bytes.
const MAX_ARTIFACT: u64 = 256 << 20;

/// Machine code that came from our compiler in this process or its child, or
/// from a file whose MAC was checked. Nothing else can make one.
pub(crate) struct Artifact(Vec<u8>);

impl Artifact {
    /// Vouches for bytes that the compiler just returned.
    pub(crate) const fn compiled(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The component, ready to instantiate.
    #[expect(unsafe_code, reason = "loading machine code; see the note")]
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize` runs whatever code the bytes hold, so they must
        // come from wasmtime's own serialisation. An `Artifact` is made in two
        // places only: from the compiler's output, and from a cache file whose
        // MAC, under a key that only this user can read, was verified. Bytes of
        // another version or configuration are refused by wasmtime itself.
        unsafe { Component::deserialize(engine, &self.0) }
    }

    /// The same for the artifact of a core module.
    #[expect(unsafe_code, reason = "loading machine code; see the note")]
    pub(crate) fn load_module(&self, engine: &Engine) -> wasmtime::Result<Module> {
        // SAFETY: as in `load`; an artifact of a component is refused.
        unsafe { Module::deserialize(engine, &self.0) }
    }
}

/// Artifacts on disk.
#[derive(Debug)]
pub(crate) struct ArtifactCache {
    folder: PathBuf,
    key: [u8; 32],
    engine: u64,
}

impl ArtifactCache {
    /// Opens the folder, which becomes readable for this user only; the first
    /// opening makes its key.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Result<Self, PluginHostError> {
        let failed = |source| PluginHostError::Cache {
            folder: folder.to_owned(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
        let key = key(folder).map_err(failed)?;
        let mut hash = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hash);
        Ok(Self {
            folder: folder.to_owned(),
            key,
            engine: hash.finish(),
        })
    }

    fn path(&self, component: &Digest) -> PathBuf {
        let name = format!("{}-{:016x}.artifact", component.hex(), self.engine);
        self.folder.join(name)
    }

    /// The MAC covers the name, so that artifacts cannot be swapped.
    fn mac(&self, component: &Digest, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(component.as_bytes());
        mac.update(&self.engine.to_le_bytes());
        mac.update(code);
        Some(mac)
    }

    /// The artifact of a component, if there is an authentic one.
    pub(crate) fn get(&self, component: &Digest) -> Option<Artifact> {
        let file = fs::File::open(self.path(component)).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_ARTIFACT).read_to_end(&mut bytes).ok()?;
        let (tag, code) = bytes.split_at_checked(MAC_BYTES)?;
        if self.mac(component, code)?.verify_slice(tag).is_err() {
            tracing::warn!(target: "plugins", %component, "a compiled artifact was altered; it is compiled anew");
            return None;
        }
        Some(Artifact(code.to_vec()))
    }

    /// Keeps an artifact. Failing to is no reason to fail the caller.
    pub(crate) fn put(&self, component: &Digest, artifact: &Artifact) {
        let Some(mac) = self.mac(component, &artifact.0) else {
            return;
        };
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&mac.finalize().into_bytes())?;
            file.write_all(&artifact.0)?;
            file.persist(self.path(component))?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::warn!(target: "plugins", %component, "cannot keep a compiled artifact: {error}");
        }
    }
}

/// The folder's key, made on first use.
fn key(folder: &Path) -> std::io::Result<[u8; 32]> {
    let path = folder.join("key");
    let mut key = [0u8; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    // Written beside and linked into place, so that a reader never sees half a
    // key and of two first openings one wins.
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .tempfile_in(folder)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Ok(_) => return Ok(key),
        Err(taken) if taken.error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(other) => return Err(other.error),
    }
    fs::OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)?
        .read_exact(&mut key)?;
    Ok(key)
}
