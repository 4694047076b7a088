//! Artifacts: whole or not there, whatever happens to the upload.

#![expect(
    clippy::unwrap_used,
    clippy::tests_outside_test_module,
    reason = "a test that cannot go on fails; all of this is a test module"
)]

use bytes::Bytes;
use domain::{
    digest::Digest,
    error::ErrorKind,
    ports::store::{ArtifactWriter, Artifacts as _},
};
use proptest::prelude::*;
use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use store::FileArtifacts;
use tempfile::TempDir;

async fn open() -> (TempDir, FileArtifacts) {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = FileArtifacts::open(folder.path().join("a")).await.unwrap();
    (folder, artifacts)
}

async fn started(artifacts: &FileArtifacts, bytes: &'static [u8]) -> Box<dyn ArtifactWriter> {
    let mut writer = artifacts.writer(1000).await.unwrap();
    writer.write(Bytes::from_static(bytes)).await.unwrap();
    writer
}

/// Every plain file under the folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_split_gives_the_same_file(
        content in prop::collection::vec(any::<u8>(), 0..5000),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (folder, artifacts) = open().await;
            let mut cuts: Vec<usize> =
                cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
            cuts.extend([0, content.len()]);
            cuts.sort_unstable();
            let mut writer = artifacts.writer(content.len() as u64).await.unwrap();
            for pair in cuts.windows(2) {
                writer.write(Bytes::copy_from_slice(&content[pair[0]..pair[1]])).await.unwrap();
            }
            let kept = writer.finish(None).await.unwrap();
            assert_eq!(kept, (Digest::of(&content), content.len() as u64));
            assert_eq!(artifacts.read(&kept.0).await.unwrap(), Some(content));
            assert_eq!(files(folder.path()).len(), 1);
        });
    }
}

#[tokio::test]
async fn a_kept_file_lies_under_its_digest_and_cannot_be_written() {
    let (folder, artifacts) = open().await;
    let digest = Digest::of(b"tree");
    assert_eq!(artifacts.path(&digest).await.unwrap(), None);
    assert_eq!(artifacts.read(&digest).await.unwrap(), None);
    let writer = started(&artifacts, b"tree").await;
    assert_eq!(artifacts.path(&digest).await.unwrap(), None, "not yet");
    writer.finish(Some(digest)).await.unwrap();
    let path = artifacts.path(&digest).await.unwrap().unwrap();
    let hex = digest.hex();
    let shelf: String = hex.chars().take(2).collect();
    let expected = format!("a/sha256/{shelf}/{hex}");
    assert_eq!(path, folder.path().join(expected));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o440);
    // Once more, and after a restart.
    started(&artifacts, b"tree")
        .await
        .finish(None)
        .await
        .unwrap();
    let again = FileArtifacts::open(folder.path().join("a")).await.unwrap();
    assert_eq!(again.read(&digest).await.unwrap(), Some(b"tree".to_vec()));
    assert_eq!(files(folder.path()), [path]);
}

#[tokio::test]
async fn another_digest_than_expected_is_refused_and_named() {
    let (folder, artifacts) = open().await;
    let expected = Digest::of(b"what was meant");
    let writer = started(&artifacts, b"what came").await;
    let error = writer.finish(Some(expected)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let found = Digest::of(b"what came");
    assert!(error.message.contains(&expected.to_string()), "{error}");
    assert!(error.message.contains(&found.to_string()), "{error}");
    assert_eq!(artifacts.path(&found).await.unwrap(), None);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn one_byte_over_the_limit_ends_the_upload() {
    let (folder, artifacts) = open().await;
    let mut writer = artifacts.writer(4).await.unwrap();
    writer.write(Bytes::from_static(b"four")).await.unwrap();
    let error = writer.write(Bytes::from_static(b"!")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Exhausted);
    assert!(error.message.contains("4 bytes"), "{error}");
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    // It cannot be talked into keeping what came before.
    assert!(writer.write(Bytes::new()).await.is_err());
    assert!(writer.finish(None).await.is_err());
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_dropped_upload_leaves_nothing() {
    let (folder, artifacts) = open().await;
    let writer = started(&artifacts, b"half").await;
    assert_eq!(files(folder.path()).len(), 1);
    drop(writer);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn opening_removes_leftovers_but_not_a_running_upload() {
    let (folder, artifacts) = open().await;
    let incoming = folder.path().join("a/incoming");
    std::fs::write(incoming.join("left-behind"), b"half").unwrap();
    let writer = started(&artifacts, b"running").await;
    assert_eq!(files(&incoming).len(), 2);
    let other = FileArtifacts::open(folder.path().join("a")).await.unwrap();
    assert_eq!(files(&incoming).len(), 1);
    let (digest, _) = writer.finish(None).await.unwrap();
    assert_eq!(
        other.read(&digest).await.unwrap(),
        Some(b"running".to_vec())
    );
}

#[tokio::test]
async fn damage_on_disk_is_found_and_mended_by_a_new_upload() {
    let (_folder, artifacts) = open().await;
    let (digest, _) = started(&artifacts, b"tree")
        .await
        .finish(None)
        .await
        .unwrap();
    let path = artifacts.path(&digest).await.unwrap().unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"tr").unwrap();
    let error = artifacts.read(&digest).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(error.message.contains("corrupt"), "{error}");
    started(&artifacts, b"tree")
        .await
        .finish(None)
        .await
        .unwrap();
    assert_eq!(
        artifacts.read(&digest).await.unwrap(),
        Some(b"tree".to_vec())
    );
    // Something else in its place is not followed.
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert!(artifacts.path(&digest).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_uploads_of_the_same_bytes_end_as_one_file() {
    let (folder, artifacts) = open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let artifacts = artifacts.clone();
        tasks.spawn(async move {
            started(&artifacts, b"same")
                .await
                .finish(None)
                .await
                .unwrap()
        });
    }
    for kept in tasks.join_all().await {
        assert_eq!(kept, (Digest::of(b"same"), 4));
    }
    assert_eq!(files(folder.path()).len(), 1);
}
