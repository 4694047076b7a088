//! Models and versions.

use crate::{Registry, RegistryError, error::off_thread};
use domain::{
    batch::{Contract, OutputSpec},
    digest::Digest,
    ledger::Actor,
    model::{Model, ModelVersion},
    name::{ModelName, VersionNumber},
    plugin::PluginKind,
    ports::engine::ModelSource,
    signature::{Signature, TensorSpec},
};
use serde_json::json;
use std::collections::BTreeMap;

/// Longest description, lineage key or lineage value, in characters.
pub const MAX_TEXT: usize = 4096;
/// Most lineage entries.
pub const MAX_LINEAGE: usize = 64;

/// A model to register.
#[derive(Debug, Clone)]
pub struct NewModel {
    /// Its name.
    pub name: ModelName,
    /// What it predicts.
    pub description: String,
}

/// A version to register.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The model.
    pub model: ModelName,
    /// Digest of the uploaded model file.
    pub artifact: Digest,
    /// Plugin revision of its transform.
    pub transform: Option<Digest>,
    /// Architecture description, for formats that need one.
    pub architecture: Option<serde_json::Value>,
    /// Where it came from.
    pub lineage: BTreeMap<String, String>,
}

impl Registry {
    /// Registers a model.
    pub async fn create_model(&self, new: NewModel, actor: &Actor) -> Result<Model, RegistryError> {
        check_text("description", &new.description)?;
        let model = Model {
            name: new.name,
            description: new.description,
            created_at: self.clock.now(),
        };
        let body = json!({ "description": model.description });
        let entry = self.entry(
            "model.created",
            format!("model/{}", model.name),
            actor,
            &body,
        )?;
        self.store.insert_model(&model, entry).await?;
        Ok(model)
    }

    /// Registers a version: loads the model, checks it against its transform,
    /// and only then writes the record.
    pub async fn create_version(
        &self,
        new: NewVersion,
        actor: &Actor,
    ) -> Result<ModelVersion, RegistryError> {
        check_lineage(&new.lineage)?;
        if self.store.model(&new.model).await?.is_none() {
            return Err(RegistryError::Missing {
                what: "model",
                name: new.model.to_string(),
                remedy: "register it first",
            });
        }
        let path =
            self.artifacts
                .path(&new.artifact)
                .await?
                .ok_or_else(|| RegistryError::Missing {
                    what: "artifact",
                    name: new.artifact.to_string(),
                    remedy: "upload it first",
                })?;
        let size = tokio::fs::metadata(&path)
            .await
            .map_or(0, |meta| meta.len());
        let source = ModelSource {
            path,
            architecture: new.architecture.clone(),
        };
        let loader = std::sync::Arc::clone(&self.loader);
        let model = off_thread("loading the model", move || loader.load(&source)).await??;
        if let Some(transform) = &new.transform {
            let contract = self.transform_contract(transform).await?;
            fits(&contract, model.signature()).map_err(RegistryError::Transform)?;
        }
        let record = ModelVersion {
            model: new.model,
            version: VersionNumber(0),
            artifact: new.artifact,
            size,
            format: model.format(),
            signature: model.signature().clone(),
            architecture: new.architecture,
            transform: new.transform,
            lineage: new.lineage,
            created_by: actor.name.clone(),
            created_at: self.clock.now(),
        };
        let body = json!({
            "artifact": record.artifact,
            "transform": record.transform,
            "lineage": record.lineage,
        });
        let subject = format!("model/{}", record.model);
        let entry = self.entry("version.created", subject, actor, &body)?;
        Ok(self.store.insert_version(&record, entry).await?)
    }

    async fn transform_contract(&self, digest: &Digest) -> Result<Contract, RegistryError> {
        let revision =
            self.store
                .revision(digest)
                .await?
                .ok_or_else(|| RegistryError::Missing {
                    what: "plugin revision",
                    name: digest.to_string(),
                    remedy: "register it first",
                })?;
        match (revision.kind, revision.contract) {
            (PluginKind::Transform, Some(contract)) => Ok(contract),
            (kind, _) => Err(RegistryError::Field {
                field: "transform",
                message: format!("plugin {} is a {kind}, not a transform", revision.plugin),
            }),
        }
    }
}

fn check_lineage(lineage: &BTreeMap<String, String>) -> Result<(), RegistryError> {
    if lineage.len() > MAX_LINEAGE {
        return Err(RegistryError::Field {
            field: "lineage",
            message: format!("{} entries, at most {MAX_LINEAGE}", lineage.len()),
        });
    }
    for (key, value) in lineage {
        check_text("lineage", key)?;
        check_text("lineage", value)?;
    }
    Ok(())
}

fn check_text(field: &'static str, text: &str) -> Result<(), RegistryError> {
    if text.chars().count() > MAX_TEXT || text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(RegistryError::Field {
            field,
            message: format!("use at most {MAX_TEXT} characters and no control characters"),
        });
    }
    Ok(())
}

/// Whether a transform's outputs are what a model takes: the same names,
/// datatypes and shapes, so that a caller never meets a mismatch.
pub fn fits(contract: &Contract, signature: &Signature) -> Result<(), String> {
    let mut problems = Vec::new();
    for spec in &signature.inputs {
        match contract
            .outputs
            .iter()
            .find(|output| output.name == spec.name)
        {
            None => problems.push(format!(
                "the model's input {:?} is not produced",
                &*spec.name
            )),
            Some(output) => problems.extend(mismatch(output, spec)),
        }
    }
    for output in &contract.outputs {
        if !signature.inputs.iter().any(|spec| spec.name == output.name) {
            problems.push(format!(
                "output {:?} is not an input of the model",
                &*output.name
            ));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("; "))
    }
}

fn mismatch(output: &OutputSpec, spec: &TensorSpec) -> Option<String> {
    let datatype = output.element.datatype();
    if datatype != spec.datatype {
        return Some(format!(
            "output {:?} is {datatype}, the model takes {}",
            &*output.name, spec.datatype
        ));
    }
    let same = output.shape.len() == spec.shape.len()
        && output
            .shape
            .iter()
            .zip(&spec.shape)
            .all(|(&given, &want)| want < 0 || given == want);
    (!same).then(|| {
        format!(
            "output {:?} has shape {:?}, the model takes {:?}",
            &*output.name, output.shape, spec.shape
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{batch::Element, tensor::DataType};

    fn contract(name: &str, element: Element, shape: Vec<i64>) -> Contract {
        Contract {
            inputs: vec![],
            outputs: vec![OutputSpec {
                name: name.into(),
                element,
                shape,
            }],
        }
    }

    #[test]
    fn a_transform_fits_only_the_inputs_it_produces() {
        let signature = Signature {
            inputs: vec![TensorSpec::new("input", DataType::Fp32, vec![-1, 30])],
            outputs: vec![],
        };
        assert!(fits(&contract("input", Element::F32, vec![-1, 30]), &signature).is_ok());
        for wrong in [
            contract("x", Element::F32, vec![-1, 30]),
            contract("input", Element::F64, vec![-1, 30]),
            contract("input", Element::F32, vec![-1, 29]),
            contract("input", Element::F32, vec![-1]),
        ] {
            assert!(fits(&wrong, &signature).is_err(), "{wrong:?}");
        }
    }
}
