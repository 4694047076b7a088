//! `tollgate model`, `dataset`.

use super::{Connection, Output};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::name::{DatasetName, ModelName};
use serde_json::{Map, Value, json};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Reads a JSON file.
pub(super) fn read_json(path: &Path) -> anyhow::Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

const VERSION_COLUMNS: [&str; 6] = [
    "model",
    "version",
    "format",
    "artifact",
    "transform",
    "created_by",
];

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Register a model, and a version of it if a file is given
    Register(RegisterModel),
    /// List models
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// List versions of a model
    Versions {
        /// The model
        name: ModelName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one version
    Show {
        /// The model
        name: ModelName,
        /// The version
        version: u32,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RegisterModel {
    /// Name of the model; made if it is new
    name: ModelName,
    /// Model file of a new version
    #[arg(long)]
    file: Option<PathBuf>,
    /// Plugin revision of its transform, by digest
    #[arg(long)]
    transform: Option<String>,
    /// Architecture description (JSON file), for safetensors
    #[arg(long)]
    architecture: Option<PathBuf>,
    /// Where it came from, as key=value; may be repeated
    #[arg(long, value_parser = pair)]
    lineage: Vec<(String, String)>,
    /// What the model predicts
    #[arg(long, default_value = "")]
    description: String,
    #[command(flatten)]
    connection: Connection,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl ModelCommand {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Register(register) => register.run(output).await?,
            Self::List { connection } => {
                let models = connection.client()?.list("/models").await?;
                output.list(&models, &["name", "description"]);
            }
            Self::Versions { name, connection } => {
                let path = format!("/models/{name}/versions");
                output.list(&connection.client()?.list(&path).await?, &VERSION_COLUMNS);
            }
            Self::Show {
                name,
                version,
                connection,
            } => {
                let path = format!("/models/{name}/versions/{version}");
                output.value(&connection.client()?.get(&path).await?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl RegisterModel {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let known = client.list("/models").await?;
        let known = known
            .into_iter()
            .find(|model| model["name"] == self.name.as_str());
        let model = match known {
            Some(model) => model,
            None => {
                let body = json!({ "name": self.name, "description": self.description });
                client.post("/models", &body).await?
            }
        };
        let Some(file) = &self.file else {
            output.value(&model);
            return Ok(());
        };
        let artifact = client.upload(file).await?;
        let lineage: Map<String, Value> = self
            .lineage
            .into_iter()
            .map(|(key, value)| (key, Value::from(value)))
            .collect();
        let mut body = json!({ "artifact": artifact, "lineage": lineage });
        if let Some(transform) = self.transform {
            body["transform"] = transform.into();
        }
        if let Some(path) = &self.architecture {
            body["architecture"] = read_json(path)?;
        }
        let path = format!("/models/{}/versions", self.name);
        output.value(&client.post(&path, &body).await?);
        Ok(())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Register a CSV or Parquet table with labels
    Register {
        /// Name of the data set
        name: DatasetName,
        /// The table
        #[arg(long)]
        file: PathBuf,
        /// Column that holds the label
        #[arg(long)]
        label: String,
        /// binary, multiclass or regression
        #[arg(long)]
        task: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// List data sets
    List {
        #[command(flatten)]
        connection: Connection,
    },
}

impl DatasetCommand {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let columns = ["name", "format", "rows", "task", "label", "digest"];
        match self {
            Self::Register {
                name,
                file,
                label,
                task,
                connection,
            } => {
                let client = connection.client()?;
                let artifact = client.upload(&file).await?;
                let body =
                    json!({ "name": name, "artifact": artifact, "label": label, "task": task });
                let dataset = client.post("/datasets", &body).await?;
                if output.json {
                    output.value(&dataset);
                } else {
                    output.list(&[dataset], &columns);
                }
            }
            Self::List { connection } => {
                output.list(&connection.client()?.list("/datasets").await?, &columns);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
