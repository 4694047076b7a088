//! The example's files: held-out rows, expected numbers and the gate, read as
//! they lie in the repository.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// `examples/breast-cancer`.
#[derive(Debug)]
pub struct Example {
    folder: PathBuf,
    /// Names of the measurements, without the label.
    pub columns: Vec<String>,
    /// Held-out rows, in the order of `columns`.
    pub rows: Vec<Vec<f64>>,
    expected: Value,
}

impl Example {
    /// Reads the example below the repository's root.
    pub fn read(root: &Path) -> Result<Self> {
        let folder = root.join("examples/breast-cancer");
        let text = read(&folder.join("heldout.csv"))?;
        let mut lines = text.lines();
        let mut columns: Vec<String> = lines
            .next()
            .unwrap_or_default()
            .split(',')
            .map(str::to_owned)
            .collect();
        ensure!(
            columns.pop().as_deref() == Some("label"),
            "heldout.csv does not end in the column label"
        );
        let row = |line: &str| -> Result<Vec<f64>> {
            let cells = line.split(',').take(columns.len());
            cells
                .map(|cell| {
                    cell.parse()
                        .with_context(|| format!("not a number: {cell:?}"))
                })
                .collect()
        };
        let rows = lines.map(row).collect::<Result<Vec<_>>>()?;
        let expected = serde_json::from_str(&read(&folder.join("expected.json"))?)?;
        Ok(Self {
            folder,
            columns,
            rows,
            expected,
        })
    }

    /// The held-out rows as a file, with labels.
    pub fn heldout(&self) -> PathBuf {
        self.folder.join("heldout.csv")
    }

    /// A model file by name.
    pub fn model(&self, name: &str) -> PathBuf {
        self.folder.join("models").join(name)
    }

    /// Settings of the tabular transform, fitted on the training rows.
    pub fn settings(&self) -> Result<Value> {
        Ok(serde_json::from_str(&read(
            &self.folder.join("tabular.json"),
        )?)?)
    }

    /// What the training library predicts for the first held-out rows.
    pub fn expected(&self, model: &str) -> Result<Vec<f64>> {
        let values = self
            .expected
            .pointer("/probability")
            .and_then(|all| all.get(model));
        let values = values
            .and_then(Value::as_array)
            .context("expected.json lacks the model")?;
        values
            .iter()
            .map(|value| value.as_f64().context("not a number"))
            .collect()
    }

    /// One row as an object, the way a client would send it.
    pub fn instance(&self, row: usize) -> Result<Value> {
        let values = self.rows.get(row).context("no such held-out row")?;
        let fields = self.columns.iter().zip(values);
        Ok(Value::Object(
            fields
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect(),
        ))
    }

    /// A `:predict` body with these rows.
    pub fn predict_body(&self, rows: std::ops::Range<usize>) -> Result<String> {
        let instances = rows
            .map(|row| self.instance(row))
            .collect::<Result<Vec<_>>>()?;
        Ok(json!({ "instances": instances }).to_string())
    }
}

/// A gate from a folder: its manifest and every module below it.
pub fn gate_bundle(folder: &Path) -> Result<Value> {
    let manifest: Value = if folder.join("gate.toml").is_file() {
        toml::from_str(&read(&folder.join("gate.toml"))?)?
    } else {
        let names = ["gate.json", "manifest.json"];
        let file = names
            .map(|name| folder.join(name))
            .into_iter()
            .find(|file| file.is_file());
        let file =
            file.with_context(|| format!("{} holds no gate.toml or gate.json", folder.display()))?;
        serde_json::from_str(&read(&file)?)?
    };
    let mut modules = Map::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "rego")
            {
                let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                modules.insert(name, Value::String(read(&path)?));
            }
        }
    }
    ensure!(
        !modules.is_empty(),
        "{} holds no .rego module",
        folder.display()
    );
    Ok(json!({ "manifest": manifest, "modules": modules }))
}

/// Probability of class 1 for each row of a `:predict` answer, whether the model
/// gives a number, a list by class, or named outputs.
pub fn probabilities(answer: &Value) -> Result<Vec<f64>> {
    let Some(rows) = answer.get("predictions").and_then(Value::as_array) else {
        bail!("the answer has no list of predictions: {answer}");
    };
    rows.iter()
        .map(|row| probability(row).with_context(|| format!("no probability in {row}")))
        .collect()
}

fn probability(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Array(classes) => classes.last().and_then(probability),
        Value::Object(outputs) => {
            let named = outputs.iter().find(|(name, _)| name.contains("prob"));
            let (_, value) = named.or_else(|| outputs.iter().next_back())?;
            probability(value)
        }
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
