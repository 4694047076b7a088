//! `tollgate gate`.

use super::{
    Connection, Output,
    models::read_json,
    output::{FAILED, REFUSED},
};
use anyhow::Context as _;
use clap::Subcommand;
use domain::{
    decision::Decision,
    gate::{GateBundle, GateRevision},
    id::DecisionId,
    name::GateName,
    ports::engine::GateEngine as _,
};
use gates::RegoGates;
use reqwest::Method;
use rollout::replay;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Check a gate's folder and run its tests, without a gateway
    Check {
        /// Folder with manifest.json and .rego modules
        folder: PathBuf,
    },
    /// Upload a gate's folder and make it current
    Put {
        /// Name of the gate
        name: GateName,
        /// Folder with manifest.json and .rego modules
        folder: PathBuf,
        #[command(flatten)]
        connection: Connection,
    },
    /// List gates
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show a gate
    Show {
        /// The gate
        name: GateName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Evaluate a recorded decision again, here, and compare byte for byte
    Replay {
        /// Id of the decision
        decision: DecisionId,
        #[command(flatten)]
        connection: Connection,
    },
}

impl GateCommand {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check { folder } => check(output, &read_bundle(&folder)?),
            Self::Put {
                name,
                folder,
                connection,
            } => {
                let bundle = serde_json::to_value(read_bundle(&folder)?)?;
                let path = format!("/gates/{name}");
                let gate = connection
                    .client()?
                    .send_json(Method::PUT, &path, &bundle)
                    .await?;
                if output.json {
                    output.value(&gate);
                } else {
                    output.list(&[gate], &GATE_COLUMNS);
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::List { connection } => {
                output.list(&connection.client()?.list("/gates").await?, &GATE_COLUMNS);
                Ok(ExitCode::SUCCESS)
            }
            Self::Show { name, connection } => {
                output.value(&connection.client()?.get(&format!("/gates/{name}")).await?);
                Ok(ExitCode::SUCCESS)
            }
            Self::Replay {
                decision,
                connection,
            } => {
                let answer = connection
                    .client()?
                    .get(&format!("/decisions/{decision}"))
                    .await?;
                replay_here(output, answer)
            }
        }
    }
}

const GATE_COLUMNS: [&str; 4] = [
    "name",
    "digest",
    "bundle.manifest.enforcement",
    "bundle.manifest.required_checks",
];

/// A gate from its folder: `manifest.json` and every `.rego` file below it.
fn read_bundle(folder: &Path) -> anyhow::Result<GateBundle> {
    let manifest = read_json(&folder.join("manifest.json"))?;
    let manifest = serde_json::from_value(manifest)
        .with_context(|| format!("{}/manifest.json", folder.display()))?;
    let mut modules = BTreeMap::new();
    collect(folder, folder, &mut modules)?;
    Ok(GateBundle { manifest, modules })
}

fn collect(
    root: &Path,
    folder: &Path,
    modules: &mut BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, modules)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rego")
        {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("reading {}", path.display()))?;
            modules.insert(name, text);
        }
    }
    Ok(())
}

fn check(output: Output, bundle: &GateBundle) -> anyhow::Result<ExitCode> {
    let engine = RegoGates::default();
    let tests = match engine.admit(bundle).and_then(|()| engine.test(bundle)) {
        Ok(tests) => tests,
        Err(refused) => {
            let findings = serde_json::to_value(&refused.findings)?;
            let findings = findings.as_array().cloned().unwrap_or_default();
            output.list(&findings, &["code", "file", "line", "message"]);
            return Ok(ExitCode::from(REFUSED));
        }
    };
    let rows: Vec<Value> = tests
        .iter()
        .map(|test| {
            let state = if test.passed { "pass" } else { "FAIL" };
            json!({ "test": test.name, "state": state, "message": test.message })
        })
        .collect();
    output.list(&rows, &["state", "test", "message"]);
    let good = !tests.is_empty() && tests.iter().all(|test| test.passed);
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    })
}

/// Replays with the engine in this binary, from what the gateway recorded.
fn replay_here(output: Output, mut answer: Value) -> anyhow::Result<ExitCode> {
    let decision: Decision = serde_json::from_value(answer["decision"].take())?;
    let gates: Vec<GateRevision> = serde_json::from_value(answer["gates"].take())?;
    let outcome = match replay(&RegoGates::default(), &decision, &gates) {
        Ok(outcome) => outcome,
        Err(error) => {
            let error = anyhow::Error::new(error).context("the record cannot be replayed");
            return Ok(super::output::fail_with(FAILED, &error));
        }
    };
    let identical = outcome.identical();
    output.value(&json!({
        "decision": decision.id,
        "outcome": decision.computed,
        "identical": identical,
        "bytes": outcome.recorded.len(),
        "results_digest": decision.results_digest,
        "engines": outcome.engines,
    }));
    if identical {
        return Ok(ExitCode::SUCCESS);
    }
    output.say(&format!(
        "recorded: {}\nreplayed: {}",
        outcome.recorded, outcome.replayed
    ));
    Ok(ExitCode::from(REFUSED))
}
