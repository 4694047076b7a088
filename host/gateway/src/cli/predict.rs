//! `tollgate predict`.

use super::{Connection, Output};
use anyhow::{Context as _, bail};
use clap::Args;
use domain::name::EndpointName;
use serde_json::{Value, json};
use std::{io::Read as _, path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// The endpoint
    endpoint: EndpointName,
    /// One row of numbers, separated by commas, in the order of the endpoint's inputs
    #[arg(long, conflicts_with = "body", required_unless_present = "body")]
    row: Option<String>,
    /// Open Inference Protocol request (JSON file; - is standard input)
    #[arg(long)]
    body: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

impl Predict {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let client = self.connection.client()?;
        let path = format!("/v2/models/{}", self.endpoint);
        let body = match (&self.row, &self.body) {
            (Some(row), _) => serde_json::to_vec(&request(&client.look(&path).await?, row)?)?,
            (None, Some(file)) if file.as_os_str() == "-" => {
                let mut body = Vec::new();
                std::io::stdin().read_to_end(&mut body)?;
                body
            }
            (None, Some(file)) => {
                std::fs::read(file).with_context(|| format!("reading {}", file.display()))?
            }
            (None, None) => bail!("give a --row or a --body"),
        };
        let answer = client.call(&format!("{path}/infer"), body).await?;
        if output.json {
            output.value(&answer);
            return Ok(ExitCode::SUCCESS);
        }
        let outputs = answer["outputs"].as_array().cloned().unwrap_or_default();
        output.list(&outputs, &["name", "datatype", "shape", "data"]);
        output.say(&format!("answered by {}", answer["parameters"]));
        Ok(ExitCode::SUCCESS)
    }
}

/// A request for one row, in the shape that the endpoint's metadata asks for:
/// one tensor for the whole row, or one for each field.
fn request(metadata: &Value, row: &str) -> anyhow::Result<Value> {
    let values: Vec<Value> = row
        .split(',')
        .map(|cell| {
            let cell = cell.trim();
            match cell.parse::<f64>() {
                // JSON has neither: nan is a missing value, and an infinity is
                // sent as text, for the gateway to refuse.
                Ok(number) if !number.is_infinite() => Value::from(number),
                _ => Value::from(cell),
            }
        })
        .collect();
    let inputs = metadata["inputs"]
        .as_array()
        .context("the endpoint has no inputs")?;
    if let [only] = inputs.as_slice()
        && only["shape"]
            .as_array()
            .is_some_and(|shape| shape.len() == 2)
    {
        return Ok(json!({ "inputs": [{
            "name": only["name"],
            "datatype": only["datatype"],
            "shape": [1, values.len()],
            "data": values,
        }]}));
    }
    if inputs.len() != values.len() {
        bail!(
            "{} values given, the endpoint takes {}",
            values.len(),
            inputs.len()
        );
    }
    let tensor = |(input, value): (&Value, Value)| {
        json!({
            "name": input["name"],
            "datatype": input["datatype"],
            "shape": [1],
            "data": [value],
        })
    };
    Ok(json!({ "inputs": inputs.iter().zip(values).map(tensor).collect::<Vec<_>>() }))
}
