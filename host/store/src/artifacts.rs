//! Files under the digest of their bytes: `<root>/sha256/ab/<64 hex digits>`.
//!
//! An upload is written to `<root>/incoming`, hashed as it streams, and appears
//! under its digest by one rename after everything is on disk. What is found
//! under a digest is therefore whole. Paths are made of digests alone, so no
//! name from outside reaches the file system.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    digest::{Digest, Hasher},
    error::{ErrorKind, PortError, PortResult},
    ports::store::{ArtifactWriter, Artifacts},
};
use std::{
    fs::{DirBuilder, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A folder of content-addressed files, which several gateways may share.
#[derive(Debug, Clone)]
pub struct FileArtifacts {
    root: PathBuf,
}

impl FileArtifacts {
    /// Opens the folder, makes it if it is not there, and removes uploads that
    /// a killed process left behind. A running upload holds a lock on its file,
    /// which ends with its process; only files without one are removed.
    ///
    /// # Errors
    /// Unavailable if the folder cannot be made, read or written.
    pub async fn open(root: impl Into<PathBuf>) -> PortResult<Self> {
        let root = root.into();
        blocking("open the artifact folder", move || {
            make_folder(&root.join("sha256"))?;
            let incoming = root.join("incoming");
            make_folder(&incoming)?;
            sweep(&incoming)?;
            Ok(Self { root })
        })
        .await
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let shelf = hex.get(..2).unwrap_or_default().to_owned();
        self.root.join("sha256").join(shelf).join(hex)
    }
}

#[async_trait]
impl Artifacts for FileArtifacts {
    async fn writer(&self, max_bytes: u64) -> PortResult<Box<dyn ArtifactWriter>> {
        let folder = self.root.join("incoming");
        let file = blocking("start the upload", move || claim(&folder)).await?;
        Ok(Box::new(FileWriter {
            artifacts: self.clone(),
            max_bytes,
            upload: Some(Upload {
                file,
                hasher: Hasher::default(),
                size: 0,
            }),
        }))
    }

    async fn path(&self, digest: &Digest) -> PortResult<Option<PathBuf>> {
        let path = self.place(digest);
        blocking(
            "look up the artifact",
            move || match std::fs::symlink_metadata(&path) {
                Ok(found) if found.is_file() => Ok(Some(path)),
                Ok(_) => Err(io::Error::other("not a plain file")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        )
        .await
    }

    async fn read(&self, digest: &Digest) -> PortResult<Option<Vec<u8>>> {
        let Some(path) = self.path(digest).await? else {
            return Ok(None);
        };
        let (bytes, found) = blocking("read the artifact", move || {
            let bytes = std::fs::read(path)?;
            let digest = Digest::of(&bytes);
            Ok((bytes, digest))
        })
        .await?;
        if found != *digest {
            return Err(PortError::new(
                ErrorKind::Internal,
                format!(
                    "artifact {digest} is corrupt on disk: its bytes have digest {found}; upload it again"
                ),
            ));
        }
        Ok(Some(bytes))
    }
}

struct Upload {
    /// Removed when dropped without being given its final name.
    file: NamedTempFile,
    hasher: Hasher,
    size: u64,
}

struct FileWriter {
    artifacts: FileArtifacts,
    max_bytes: u64,
    /// Gone after the first failure, and with it the file.
    upload: Option<Upload>,
}

impl std::fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWriter")
            .field("size", &self.upload.as_ref().map(|upload| upload.size))
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

impl FileWriter {
    fn take(&mut self) -> PortResult<Upload> {
        self.upload.take().ok_or_else(|| {
            PortError::new(
                ErrorKind::Internal,
                "the upload failed before and cannot go on; start it again",
            )
        })
    }
}

#[async_trait]
impl ArtifactWriter for FileWriter {
    async fn write(&mut self, piece: Bytes) -> PortResult<()> {
        let mut upload = self.take()?;
        let size = upload.size.saturating_add(piece.len() as u64);
        if size > self.max_bytes {
            return Err(PortError::new(
                ErrorKind::Exhausted,
                format!(
                    "the upload is larger than the limit of {} bytes",
                    self.max_bytes
                ),
            ));
        }
        upload.size = size;
        let upload = blocking("write the upload", move || {
            upload.hasher.update(&piece);
            upload.file.write_all(&piece)?;
            Ok(upload)
        })
        .await?;
        self.upload = Some(upload);
        Ok(())
    }

    async fn finish(mut self: Box<Self>, expected: Option<Digest>) -> PortResult<(Digest, u64)> {
        let Upload { file, hasher, size } = self.take()?;
        let digest = hasher.finish();
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(PortError::new(
                ErrorKind::Invalid,
                format!("the upload has digest {digest}, expected {expected}; nothing was kept"),
            ));
        }
        let place = self.artifacts.place(&digest);
        blocking("keep the upload", move || shelve(file, &place)).await?;
        Ok((digest, size))
    }
}

/// Gives the file its final name, with everything on disk before and after.
/// An older file of the same name is replaced: its bytes are the same, or it
/// was damaged and now is not.
fn shelve(file: NamedTempFile, place: &Path) -> io::Result<()> {
    let shelf = place
        .parent()
        .ok_or_else(|| io::Error::other("no parent folder"))?;
    make_folder(shelf)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(0o440))?;
    file.as_file().sync_all()?;
    file.persist(place).map_err(|error| error.error)?;
    File::open(shelf)?.sync_all()?;
    shelf
        .parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// A new locked file. Between making and locking it, another gateway that is
/// just starting may take it for a leftover; then there is a next try.
fn claim(folder: &Path) -> io::Result<NamedTempFile> {
    for _ in 0..16 {
        let file = NamedTempFile::new_in(folder)?;
        if file.as_file().try_lock().is_ok() && file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
    Err(io::Error::other("the folder for uploads is contended"))
}

/// Removes files that no process holds a lock on.
fn sweep(incoming: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(incoming)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else {
            continue; // finished or swept meanwhile
        };
        if file.try_lock().is_ok() {
            match std::fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => tracing::info!(file = ?entry.file_name(), "removed an unfinished upload"),
            }
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(path)
}

async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> PortResult<T> {
    let done = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| failed(action, error.into()))?;
    done.map_err(|error| failed(action, error))
}

fn failed(action: &str, error: io::Error) -> PortError {
    let why = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "the folder cannot be written; check its permissions"
        }
        _ => "the file system failed; the log has the cause",
    };
    PortError::new(ErrorKind::Unavailable, format!("could not {action}: {why}")).caused_by(error)
}
