//! `tollgate plugin watch`: builds and tests on every save. With an endpoint the
//! plugin is swapped into a running gateway, through the same door as everything
//! else: its revision is registered, the served model gets a version with it,
//! the version is evaluated beside the champion, and the gates decide.

use super::workshop::{Ended, build_and_test, trial};
use crate::cli::{
    Connection, Output,
    client::{Client, text},
    models::read_json,
    output,
};
use anyhow::{Context as _, bail, ensure};
use authoring::{
    Project,
    watch::{PERIOD, Watcher},
};
use clap::Args;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, thread};

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Folder of the project
    #[arg(default_value = ".")]
    project: PathBuf,
    /// Endpoint of a running gateway to swap a passing plugin into
    #[arg(long)]
    endpoint: Option<String>,
    /// Build and test once, and end: for scripts
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Watch {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let project = match Project::open(&self.project) {
            Ok(project) => project,
            Err(error) => return Ok(output::fail_with(output::USAGE, &error.into())),
        };
        let trial = match trial() {
            Ok(trial) => trial,
            Err(ended) => return Ok(ended.told()),
        };
        // Made before the first build, so that what is saved meanwhile counts.
        let mut watcher = Watcher::new(&project);
        loop {
            let outcome = build_and_test(output, &trial, &self.project);
            let code = self.swap(output, outcome).await;
            if self.once {
                return Ok(code);
            }
            output::progress("watching; Ctrl-C ends");
            let changed = loop {
                tokio::time::sleep(PERIOD).await;
                let changed = watcher.changed(|| thread::sleep(PERIOD / 2));
                if !changed.is_empty() {
                    break changed;
                }
            };
            let names: Vec<String> = changed
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            output::progress(&format!("changed: {}", names.join(", ")));
        }
    }

    /// What follows a build: nothing, unless it passed and there is an endpoint.
    async fn swap(&self, output: Output, outcome: Result<Option<Project>, Ended>) -> ExitCode {
        match (outcome, &self.endpoint) {
            (Err(ended), _) => ended.told(),
            (Ok(None), _) => ExitCode::from(output::REFUSED),
            (Ok(Some(_)), None) => ExitCode::SUCCESS,
            (Ok(Some(project)), Some(endpoint)) => {
                let swapped = match self.connection.client() {
                    Ok(client) => swap(output, &client, &project, endpoint).await,
                    Err(error) => Err(error),
                };
                swapped.unwrap_or_else(|error| output::fail(&error.context("not swapped")))
            }
        }
    }
}

/// Puts the project's component in front of the model that the endpoint serves,
/// if the gates allow it.
async fn swap(
    output: Output,
    client: &Client,
    project: &Project,
    endpoint: &str,
) -> anyhow::Result<ExitCode> {
    let serving = client.get(&format!("/endpoints/{endpoint}")).await?;
    let champion = champion(&serving)?;
    let dataset = serving["settings"]["dataset"].as_str().context(
        "the endpoint has no data set to evaluate on: `tollgate endpoint set --dataset`",
    )?;
    let component = client.upload(&project.output()).await?;
    let mut body = json!({ "component": component });
    if let Some(path) = project.settings() {
        body["settings"] = read_json(&path)?;
    }
    let path = format!("/plugins/{}/revisions", project.manifest.name);
    let revision = text(&client.post(&path, &body).await?, "/digest")?;
    let (model, version) = (text(champion, "/model")?, champion["version"].clone());
    let path = format!("/models/{model}/versions/{version}");
    let served = client.get(&path).await?;
    if served["transform"] == revision.as_str() {
        output.say(&format!("{endpoint} serves it already"));
        return Ok(ExitCode::SUCCESS);
    }
    let mut body = json!({
        "artifact": served["artifact"],
        "transform": revision,
        "lineage": { "watched": format!("{} before {model}/{version}", project.manifest.name) },
    });
    if !served["architecture"].is_null() {
        body["architecture"] = served["architecture"].clone();
    }
    let made = client
        .post(&format!("/models/{model}/versions"), &body)
        .await?;
    let candidate = made["version"].clone();
    let body = json!({
        "model": model, "version": candidate, "dataset": dataset, "seed": 0,
        "baseline": { "model": model, "version": version },
    });
    client.post("/evaluations", &body).await?;
    let body = json!({
        "endpoint": endpoint, "model": model, "version": candidate,
        "reason": format!("plugin watch: {} was saved", project.manifest.name),
    });
    let answer = client.post("/promotions", &body).await?;
    let status = text(&answer, "/promotion/status")?;
    output.say(&format!("{endpoint}: {model}/{candidate} {status}"));
    if output.json {
        output.value(&answer);
    }
    Ok(if status == "promoted" {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(output::REFUSED)
    })
}

/// The variant that answers most requests.
fn champion(endpoint: &Value) -> anyhow::Result<&Value> {
    let variants = endpoint["route"]["variants"].as_array();
    let Some(variants) = variants.filter(|variants| !variants.is_empty()) else {
        bail!("the endpoint serves nothing yet: promote a version of a model first");
    };
    let champion = variants
        .iter()
        .find(|variant| variant["role"] == "champion")
        .or_else(|| variants.first());
    let champion = champion.context("the route has no variant")?;
    ensure!(
        champion["version"].is_u64(),
        "the route's variant names no version"
    );
    Ok(champion)
}
