//! Registered models and their immutable versions.

use crate::{
    digest::Digest,
    name::{ModelName, VersionNumber},
    signature::Signature,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// File format of a model, found from its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// ONNX, neural operators and `ai.onnx.ml`.
    Onnx,
    /// XGBoost JSON.
    XgboostJson,
    /// XGBoost UBJSON.
    XgboostUbjson,
    /// LightGBM text.
    Lightgbm,
    /// safetensors with an architecture description.
    Safetensors,
}

/// A registered model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// Its name.
    pub name: ModelName,
    /// What it predicts, for people.
    pub description: String,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// An immutable version of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelVersion {
    /// The model.
    pub model: ModelName,
    /// Its number within the model.
    pub version: VersionNumber,
    /// Digest of the model file.
    pub artifact: Digest,
    /// Size of the model file in bytes.
    pub size: u64,
    /// Format, found from the content.
    pub format: Format,
    /// What the model itself takes and gives (behind its transform).
    pub signature: Signature,
    /// Architecture description, for formats that need one (safetensors).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<serde_json::Value>,
    /// Plugin revision that turns a caller's fields into the model's inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Digest>,
    /// Where it came from: code revision, training data digest, run, anything.
    #[serde(default)]
    pub lineage: BTreeMap<String, String>,
    /// Who registered it.
    pub created_by: String,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// Names one version.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct VersionRef {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: VersionNumber,
}

impl std::fmt::Display for VersionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.model, self.version)
    }
}
