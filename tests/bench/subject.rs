//! What is measured: a gateway that serves the reference forest without a
//! transform, through the tabular transform in warm mode, and in fresh mode.

use crate::{
    load::{Target, once},
    process::become_program,
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tests::places;
use xtask::{
    admin::{Client, list, number, text},
    demo::example::gate_bundle,
    gateway::Gateway,
};

/// Name of the model.
const MODEL: &str = "forest";
/// Name of the data set.
const DATASET: &str = "reference";
/// Name of the gate.
const GATE: &str = "quality";
/// Columns of the reference table.
const WIDTH: usize = 30;

/// The reference model and rows.
#[derive(Debug)]
pub(crate) struct Reference {
    /// The XGBoost model: 200 trees of depth 6.
    pub(crate) model: PathBuf,
    /// Rows of 30 features.
    pub(crate) rows: Vec<Vec<f64>>,
    /// What XGBoost predicts for them.
    pub(crate) predictions: Vec<f64>,
}

impl Reference {
    /// Reads it from the fixtures.
    pub(crate) fn read() -> Result<Self> {
        let folder = places::root().join("tests/fixtures/reference");
        let read = |name: &str| -> Result<String> {
            std::fs::read_to_string(folder.join(name)).with_context(|| format!("reading {name}"))
        };
        let predictions: Value = serde_json::from_str(&read("predictions.json")?)?;
        Ok(Self {
            model: folder.join("xgb.json"),
            rows: serde_json::from_str(&read("X_ref.json")?)?,
            predictions: serde_json::from_value(
                predictions.get("xgb").cloned().context("no xgb")?,
            )?,
        })
    }
}

/// A gateway that serves the forest on an endpoint for each mode.
#[derive(Debug)]
pub(crate) struct Subject {
    /// The process.
    pub(crate) gateway: Gateway,
    admin: Client,
    token: String,
    artifact: String,
    /// Name of the model's input.
    input: String,
}

/// How the forest is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// No transform.
    Plain,
    /// Through the tabular transform, instances used again.
    Warm,
    /// Through the tabular transform, a new instance for every call.
    Fresh,
}

impl Mode {
    /// Name of the endpoint and of the row in the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Warm => "warm",
            Self::Fresh => "fresh",
        }
    }
}

impl Subject {
    /// Starts a gateway on an empty folder and registers what all modes share.
    pub(crate) fn start(data: &Path, reference: &Reference) -> Result<Self> {
        Self::start_with(data, reference, &[])
    }

    /// The same with `settings` in the gateway's environment.
    pub(crate) fn start_with(
        data: &Path,
        reference: &Reference,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let gateway = gateway(data, settings)?;
        let admin = gateway.admin()?;
        admin.put(
            &format!("/gates/{GATE}"),
            &gate_bundle(&places::root().join("policies").join(GATE))?,
        )?;
        let table = data.join("reference.csv");
        std::fs::write(&table, labelled(reference))?;
        let rows = admin.upload(&table)?;
        let body = json!({"name": DATASET, "artifact": rows, "label": "label", "task": "binary"});
        admin.post("/datasets", &body)?;
        admin.post("/models", &json!({"name": MODEL}))?;
        let artifact = admin.upload(&reference.model)?;
        let made = admin.post("/tokens", &json!({"name": "bench", "role": "client"}))?;
        let body = json!({"artifact": artifact});
        let version = admin.post(&format!("/models/{MODEL}/versions"), &body)?;
        Ok(Self {
            input: text(&version, "/signature/inputs/0/name")?,
            token: text(&made, "/secret")?,
            gateway,
            admin,
            artifact,
        })
    }

    /// Serves the forest in one more mode; the request to load it with.
    pub(crate) fn serve(
        &self,
        mode: Mode,
        endpoint: &str,
        reference: &Reference,
    ) -> Result<Target> {
        let mut body = json!({"artifact": self.artifact, "lineage": {"source": "reference"}});
        if let (true, Some(fields)) = (mode != Mode::Plain, body.as_object_mut()) {
            fields.insert("transform".to_owned(), self.transform(mode)?.into());
        }
        let version = self
            .admin
            .post(&format!("/models/{MODEL}/versions"), &body)?;
        let version = number(&version, "/version")?;
        let settings = json!({"gates": [GATE], "access": "token"});
        self.admin.post(
            "/endpoints",
            &json!({"name": endpoint, "settings": settings}),
        )?;
        let body = json!({"model": MODEL, "version": version, "dataset": DATASET});
        self.admin.post("/evaluations", &body)?;
        let body =
            json!({"endpoint": endpoint, "model": MODEL, "version": version, "reason": "bench"});
        let answer = self.admin.post("/promotions", &body)?;
        ensure!(
            answer.pointer("/promotion/status") == Some(&json!("promoted")),
            "not promoted: {answer:#}"
        );
        let target = self.target(endpoint, reference)?;
        let given = probability(&once(&target)?)?;
        let expected = reference.predictions.first().copied().unwrap_or(f64::NAN);
        ensure!(
            (given - expected).abs() < 1e-5,
            "{endpoint} answers {given}, XGBoost {expected}"
        );
        Ok(target)
    }

    fn transform(&self, mode: Mode) -> Result<String> {
        let component = self.admin.upload(&places::guest("tabular"))?;
        // Means of 0 and deviations of 1: all of the work, and the same numbers.
        let steps = json!([{"impute": 0.0}, {"standard": {"mean": 0.0, "std": 1.0}}]);
        let columns: Vec<Value> = (0..WIDTH)
            .map(|i| json!({"name": format!("f{i}"), "steps": steps}))
            .collect();
        let settings = json!({"output": self.input, "columns": columns});
        let limits = json!({"isolation": mode.name()});
        let body = json!({"component": component, "settings": settings, "limits": limits});
        let revision = self.admin.post("/plugins/tabular/revisions", &body)?;
        text(&revision, "/digest")
    }

    /// One row, as the tensors that the endpoint's metadata asks for: one row in
    /// one tensor without a transform; with one, still in one tensor.
    fn target(&self, endpoint: &str, reference: &Reference) -> Result<Target> {
        let path = format!("/v2/models/{endpoint}");
        let metadata = self.admin.send(reqwest::Method::GET, &path, None)?.good()?;
        let inputs = list(&metadata, "/inputs");
        let first = inputs.first().context("the endpoint takes no input")?;
        let row = reference.rows.first().context("no rows")?;
        let name = if inputs.len() == 1 {
            text(first, "/name")?
        } else {
            "input".to_owned()
        };
        let data: Vec<f32> = row.iter().map(|value| *value as f32).collect();
        let tensor = json!({"name": name, "shape": [1, WIDTH], "datatype": text(first, "/datatype")?, "data": data});
        let body = json!({ "inputs": [tensor] }).to_string();
        let address = self.address();
        Ok(Target::new(
            &address,
            &format!("{path}/infer"),
            &self.token,
            &body,
        ))
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.gateway.url.trim_start_matches("http://").to_owned()
    }
}

/// A gateway that ends with the bench.
pub(crate) fn gateway(data: &Path, settings: &[(&str, &str)]) -> Result<Gateway> {
    let bench = std::env::current_exe()?;
    Gateway::start(&bench, data, "127.0.0.1:0", |command| {
        become_program(command, &places::tollgate());
        command.envs(settings.iter().copied());
    })
}

/// The reference rows with XGBoost's own classes as labels; each 25th is wrong,
/// because a perfect model has no interval that a gate could trust.
fn labelled(reference: &Reference) -> String {
    let mut csv: String = (0..WIDTH).map(|i| format!("f{i},")).collect();
    csv += "label\n";
    for (index, (row, probability)) in reference
        .rows
        .iter()
        .zip(&reference.predictions)
        .enumerate()
    {
        for value in row {
            csv += &format!("{value},");
        }
        let positive = (*probability > 0.5) != (index % 25 == 24);
        csv += if positive { "1\n" } else { "0\n" };
    }
    csv
}

/// Probability of class 1 in an Open Inference Protocol answer.
pub(crate) fn probability(answer: &[u8]) -> Result<f64> {
    let answer: Value = serde_json::from_slice(answer)?;
    let outputs = list(&answer, "/outputs");
    let named = outputs
        .iter()
        .find(|output| text(output, "/name").is_ok_and(|name| name.contains("prob")));
    let output = named.or_else(|| outputs.last()).context("no outputs")?;
    list(output, "/data")
        .last()
        .and_then(Value::as_f64)
        .context("no number in the answer")
}
