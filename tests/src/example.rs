//! The breast-cancer example on a running gateway: transform, gate, data set,
//! model and its three versions, registered over the admin API.

use crate::places;
use anyhow::Result;
use serde_json::{Value, json};
use xtask::{
    admin::{Client, number, text},
    demo::example::{Example, gate_bundle},
};

/// Name of the model.
pub const MODEL: &str = "tumour";
/// Name of the data set.
pub const DATASET: &str = "heldout";
/// Name of the gate.
pub const GATE: &str = "quality";

/// What was registered.
#[derive(Debug)]
pub struct Registered {
    /// The files.
    pub files: Example,
    /// Digest of the transform's revision.
    pub transform: String,
    /// The version in charge.
    pub champion: u64,
    /// The version a good gate refuses.
    pub worse: u64,
    /// The version a good gate clears.
    pub better: u64,
}

/// The three model files, in the order of [`Registered`]'s versions.
pub const FILES: [&str; 3] = [
    "champion.onnx",
    "candidate-worse.json",
    "candidate-better.onnx",
];

/// Registers all of it; nothing is evaluated or promoted.
pub fn register(admin: &Client, isolation: &str) -> Result<Registered> {
    let files = Example::read(&places::root())?;
    let transform = transform(admin, &files, isolation)?;
    let bundle = gate_bundle(&places::root().join("policies").join(GATE))?;
    admin.put(&format!("/gates/{GATE}"), &bundle)?;
    let rows = admin.upload(&files.heldout())?;
    let data = json!({"name": DATASET, "artifact": rows, "label": "label", "task": "binary"});
    admin.post("/datasets", &data)?;
    admin.post("/models", &json!({"name": MODEL}))?;
    let version = |file| -> Result<u64> {
        let artifact = admin.upload(&files.model(file))?;
        let body = json!({"artifact": artifact, "transform": transform, "lineage": {"file": file}});
        number(
            &admin.post(&format!("/models/{MODEL}/versions"), &body)?,
            "/version",
        )
    };
    let [champion, worse, better] = [version(FILES[0])?, version(FILES[1])?, version(FILES[2])?];
    Ok(Registered {
        files,
        transform,
        champion,
        worse,
        better,
    })
}

/// Uploads the tabular transform with the example's settings; its digest.
pub fn transform(admin: &Client, files: &Example, isolation: &str) -> Result<String> {
    let component = admin.upload(&places::guest("tabular"))?;
    let body = json!({
        "component": component,
        "settings": files.settings()?,
        "limits": {"isolation": isolation},
    });
    text(&admin.post("/plugins/tabular/revisions", &body)?, "/digest")
}

/// Makes an endpoint behind the gate.
pub fn endpoint(admin: &Client, name: &str, access: &str) -> Result<Value> {
    let settings = json!({"gates": [GATE], "dataset": DATASET, "access": access});
    admin.post("/endpoints", &json!({"name": name, "settings": settings}))
}

/// Evaluates a version, beside a baseline if there is one.
pub fn evaluate(admin: &Client, version: u64, baseline: Option<u64>) -> Result<Value> {
    let mut body = json!({"model": MODEL, "version": version, "dataset": DATASET});
    if let (Some(baseline), Some(fields)) = (baseline, body.as_object_mut()) {
        let baseline = json!({"model": MODEL, "version": baseline});
        fields.insert("baseline".to_owned(), baseline);
    }
    admin.post("/evaluations", &body)
}

/// Asks to promote a version; the answer with promotion and decision.
pub fn promote(admin: &Client, endpoint: &str, version: u64) -> Result<Value> {
    let body = json!({"endpoint": endpoint, "model": MODEL, "version": version, "reason": "test"});
    admin.post("/promotions", &body)
}
