//! `kill -9` in the middle of uploads and of promotions: nothing is half done,
//! and what was acknowledged is there. The program starts itself as the victim,
//! which says on its output what was acknowledged to it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails; the victim talks over its output"
)]
#![allow(dead_code, reason = "samples are shared with the conformance story")]

#[path = "conformance/samples.rs"]
mod samples;

use bytes::Bytes;
use domain::{
    decision::Outcome,
    digest::Digest,
    ports::store::{Artifacts as _, Endpoints as _, Models as _},
    route::Route,
};
use samples::{commit, endpoint, entry, model, version};
use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use store::{FileArtifacts, SqlStore};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "victim", "upload", folder] => runtime.block_on(upload_for_ever(folder)),
        [_, "victim", "promote", folder] => runtime.block_on(promote_for_ever(folder)),
        _ => {
            for acknowledged in [1, 2, 7, 23] {
                runtime.block_on(uploads_are_whole_or_not_there(acknowledged));
                runtime.block_on(promotions_are_whole_or_not_there(acknowledged));
            }
            println!("killed: uploads and promotions are whole or not there");
        }
    }
}

fn content(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(50_000)
}

async fn upload_for_ever(folder: &str) {
    let artifacts = FileArtifacts::open(folder).await.unwrap();
    // One that is never finished.
    let mut hanging = artifacts.writer(u64::MAX).await.unwrap();
    hanging.write(content(u32::MAX).into()).await.unwrap();
    for number in 0.. {
        let mut writer = artifacts.writer(u64::MAX).await.unwrap();
        for piece in content(number).chunks(4096) {
            writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        println!("{}", writer.finish(None).await.unwrap().0);
    }
}

async fn promote_for_ever(folder: &str) {
    let store = SqlStore::open(&format!("sqlite://{folder}/db"))
        .await
        .unwrap();
    store
        .insert_model(&model("churn"), entry("x", "x"))
        .await
        .unwrap();
    store
        .insert_version(&version("churn", None), entry("x", "x"))
        .await
        .unwrap();
    store
        .insert_endpoint(&endpoint("a"), entry("x", "x"))
        .await
        .unwrap();
    let mut route = Route::default();
    for number in 0.. {
        let next = commit(number, "a", Outcome::Allow, &route);
        store.commit_promotion(next.clone()).await.unwrap();
        println!("{}", next.promotion.id);
        route = next.route.unwrap();
    }
}

/// Starts a victim, waits for so many acknowledgements, kills it, and gives
/// every line it has said by then.
fn killed_after(acknowledged: usize, what: &str, folder: &Path) -> Vec<String> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["victim", what])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut said: Vec<String> = lines
        .by_ref()
        .take(acknowledged)
        .map(Result::unwrap)
        .collect();
    assert_eq!(said.len(), acknowledged, "the victim died by itself");
    victim.kill().unwrap(); // SIGKILL
    victim.wait().unwrap();
    said.extend(lines.map_while(Result::ok));
    said
}

async fn uploads_are_whole_or_not_there(acknowledged: usize) {
    let folder = tempfile::tempdir().unwrap();
    let said = killed_after(acknowledged, "upload", folder.path());
    let incoming = folder.path().join("incoming");
    assert!(!listed(&incoming).is_empty(), "an upload was running");
    let artifacts = FileArtifacts::open(folder.path()).await.unwrap();
    assert_eq!(listed(&incoming), Vec::<PathBuf>::new());
    for digest in said {
        let digest: Digest = digest.parse().unwrap();
        assert!(artifacts.read(&digest).await.unwrap().is_some(), "{digest}");
    }
    for file in listed(&folder.path().join("sha256"))
        .iter()
        .flat_map(|shelf| listed(shelf))
    {
        let digest = Digest::of(&std::fs::read(&file).unwrap());
        assert_eq!(
            file.file_name().unwrap().to_str(),
            Some(digest.hex().as_str())
        );
    }
    let hanging = Digest::of(&content(u32::MAX));
    assert_eq!(artifacts.path(&hanging).await.unwrap(), None);
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

async fn promotions_are_whole_or_not_there(acknowledged: usize) {
    let folder = tempfile::tempdir().unwrap();
    let said = killed_after(acknowledged, "promote", folder.path());
    let url = format!("sqlite://{}/db", folder.path().display());
    let store = SqlStore::open(&url).await.unwrap();
    for id in &said {
        let promotion = store
            .promotion(&id.parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        let decision = store.decision(&promotion.decision).await.unwrap();
        assert_eq!(
            decision.map(|decision| decision.promotion),
            Some(promotion.id)
        );
    }
    let found = store
        .endpoint(&"a".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    // The one in flight may have been committed, but not acknowledged.
    let generation = usize::try_from(found.route.generation).unwrap();
    assert!(
        [said.len(), said.len() + 1].contains(&generation),
        "{generation}"
    );
    let report = store.check().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.ledger_entries, 3 + 2 * found.route.generation);
    // And it goes on from there.
    let next = commit(1_000_000, "a", Outcome::Allow, &found.route);
    store.commit_promotion(next).await.unwrap();
    store.close().await;
}
