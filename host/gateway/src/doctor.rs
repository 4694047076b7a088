//! `tollgate doctor`: looks at everything a gateway stands on and says what is
//! wrong and what to do.

use crate::{
    config::Config,
    serve::{Engines, database},
};
use domain::{
    digest::Digest,
    error::PortResult,
    ports::store::{Artifacts as _, Datasets as _, Models as _, Page, Plugins as _},
};
use serde::Serialize;
use std::{collections::BTreeSet, fs::File, os::unix::fs::PermissionsExt as _};
use store::{FileArtifacts, SqlStore};

/// One thing looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// What.
    pub(crate) check: &'static str,
    /// Whether it is as it should be.
    pub(crate) ok: bool,
    /// What was seen; what to do if it is not well.
    pub(crate) message: String,
}

fn finding(check: &'static str, seen: Result<String, String>) -> Finding {
    let ok = seen.is_ok();
    Finding {
        check,
        ok,
        message: seen.unwrap_or_else(|problem| problem),
    }
}

/// Looks at everything. Never changes anything but for opening the database,
/// which brings its schema up to date as a start would.
pub(crate) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![
        finding("data folder", data_folder(config)),
        finding("threads", threads()),
    ];
    // The rest would make the folder, and not for its owner only.
    if !config.data.is_dir() {
        return findings;
    }
    // Likewise the database: in the wrong folder all would seem well.
    if config.database.is_none() && !config.data.join("tollgate.db").exists() {
        let problem = format!(
            "{} holds none: no gateway has served from it (is --data right?)",
            config.data.display()
        );
        findings.push(finding("database", Err(problem)));
        return findings;
    }
    findings.push(finding("plugin engine", plugin_engine(config)));
    findings.push(finding("database", check_database(config).await));
    findings.push(finding("artifacts", check_artifacts(config).await));
    findings
}

fn data_folder(config: &Config) -> Result<String, String> {
    let shown = config.data.display();
    let Ok(meta) = std::fs::metadata(&config.data) else {
        return Err(format!(
            "{shown} does not exist yet: the first `tollgate serve` makes it"
        ));
    };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{shown} can be entered by others (mode {mode:o}): chmod 700 {shown}"
        ));
    }
    Ok(format!("{shown}, mode {mode:o}"))
}

fn plugin_engine(config: &Config) -> Result<String, String> {
    match Engines::start(config) {
        Ok(_) => Ok("starts".to_owned()),
        Err(error) => Err(format!("{error:#}")),
    }
}

fn threads() -> Result<String, String> {
    if inference::threads_are_pinned() {
        Ok("matrix multiplication is pinned to one thread a request".to_owned())
    } else {
        Err("RAYON_NUM_THREADS is not 1: unset it, the gateway sets it itself".to_owned())
    }
}

async fn check_database(config: &Config) -> Result<String, String> {
    let store = SqlStore::open(&database(config))
        .await
        .map_err(|error| error.to_string())?;
    let report = store.check().await.map_err(|error| error.to_string())?;
    store.close().await;
    if !report.problems.is_empty() {
        return Err(report.problems.join("; "));
    }
    Ok(format!(
        "{}, schema {}, {} ledger entries up to {}, chain whole",
        report.database, report.schema_version, report.ledger_entries, report.ledger_head
    ))
}

async fn check_artifacts(config: &Config) -> Result<String, String> {
    let artifacts = FileArtifacts::open(config.data.join("artifacts"))
        .await
        .map_err(|error| error.to_string())?;
    let store = SqlStore::open(&database(config))
        .await
        .map_err(|error| error.to_string())?;
    let digests = in_use(&store).await.map_err(|error| error.to_string())?;
    store.close().await;
    let mut lost = Vec::new();
    for digest in &digests {
        let problem = match artifacts.path(digest).await {
            Ok(Some(path)) => match File::open(path).and_then(Digest::of_reader) {
                Ok(found) if found == *digest => continue,
                Ok(_) => "was changed".to_owned(),
                Err(error) => error.to_string(),
            },
            Ok(None) => "is missing".to_owned(),
            Err(error) => error.to_string(),
        };
        lost.push(format!("{digest} {problem}"));
    }
    if lost.is_empty() {
        Ok(format!("{} in use, all there and unchanged", digests.len()))
    } else {
        Err(format!("{}: restore them from a backup", lost.join(", ")))
    }
}

/// Every artifact that a record names.
async fn in_use(store: &SqlStore) -> PortResult<BTreeSet<Digest>> {
    let mut digests = BTreeSet::new();
    let mut page = Page {
        after: None,
        limit: 500,
    };
    loop {
        let models = store.models(&page).await?;
        for model in &models {
            let versions = store.versions(&model.name).await?;
            digests.extend(versions.iter().map(|version| version.artifact));
        }
        match models
            .last()
            .filter(|_| models.len() == page.limit as usize)
        {
            Some(last) => page.after = Some(last.name.to_string()),
            None => break,
        }
    }
    digests.extend(
        store
            .revisions(None)
            .await?
            .iter()
            .map(|revision| revision.component),
    );
    digests.extend(store.datasets().await?.iter().map(|dataset| dataset.digest));
    Ok(digests)
}
