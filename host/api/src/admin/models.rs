//! Artifacts, models and versions.

use crate::admin::{
    Admin,
    error::AdminError,
    operation::Operation,
    wire::{Answer, Asked, By, Created, List, MAX_WAIT, Made, One, PageQuery, Two, Wire, parse},
};
use axum::{Json, extract::State, http::Method};
use domain::{
    digest::Digest,
    model::{Model, ModelVersion, VersionRef},
    name::{ModelName, VersionNumber},
    token::Role,
};
use http_body_util::BodyExt as _;
use registry::{NewModel, NewVersion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

pub(super) fn operations() -> Vec<Operation> {
    let developer = Some(Role::Developer);
    vec![
        Operation::new(
            (Method::POST, "/artifacts"),
            (
                "upload_artifact",
                "Uploads a model file, component or data set, streamed",
            ),
            developer,
            upload_artifact,
        )
        .query(&[("expect", "digest the bytes must have")])
        .takes_bytes()
        .gives::<Uploaded>(201),
        Operation::new(
            (Method::POST, "/models"),
            ("create_model", "Registers a model"),
            developer,
            create_model,
        )
        .takes::<CreateModelRequest>()
        .gives::<Model>(201),
        Operation::read(
            "/models",
            "list_models",
            "Lists models by name",
            list_models,
        )
        .query(&[
            ("after", "name to go on after"),
            ("limit", "most entries, 1 to 1000"),
        ])
        .gives::<List<Model>>(200),
        Operation::read("/models/{model}", "get_model", "One model", get_model).gives::<Model>(200),
        Operation::new(
            (Method::POST, "/models/{model}/versions"),
            (
                "create_version",
                "Registers a version of an uploaded model file",
            ),
            developer,
            create_version,
        )
        .takes::<CreateVersionRequest>()
        .gives::<ModelVersion>(201),
        Operation::read(
            "/models/{model}/versions",
            "list_versions",
            "Versions of a model, newest first",
            list_versions,
        )
        .gives::<List<ModelVersion>>(200),
        Operation::read(
            "/models/{model}/versions/{version}",
            "get_version",
            "One version",
            get_version,
        )
        .gives::<ModelVersion>(200),
    ]
}

/// An upload that was kept.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Uploaded {
    /// Digest of the bytes.
    pub digest: Digest,
    /// How many there are.
    pub size: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UploadQuery {
    expect: Option<String>,
}

async fn upload_artifact(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<UploadQuery>,
    body: axum::body::Body,
) -> Made<Uploaded> {
    let expect = query
        .expect
        .as_deref()
        .map(|text| parse::<Digest>("expect", text))
        .transpose()?;
    let mut writer = admin.artifacts.writer(admin.max_artifact_bytes).await?;
    let mut body = body;
    while let Some(frame) = tokio::time::timeout(MAX_WAIT, body.frame())
        .await
        .map_err(|_| AdminError::slow())?
    {
        let frame = frame.map_err(|_| {
            AdminError::invalid("upload_broken", "the upload ended early: send it again")
        })?;
        if let Ok(piece) = frame.into_data() {
            writer.write(piece).await?;
        }
    }
    let (digest, size) = writer.finish(expect).await?;
    Ok(Created(Uploaded { digest, size }))
}

/// A model to register.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateModelRequest {
    /// Its name.
    pub name: ModelName,
    /// What it predicts.
    #[serde(default)]
    pub description: String,
}

async fn create_model(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    Wire(request): Wire<CreateModelRequest>,
) -> Made<Model> {
    let new = NewModel {
        name: request.name,
        description: request.description,
    };
    Ok(Created(admin.registry.create_model(new, &actor).await?))
}

async fn list_models(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<PageQuery>,
) -> Answer<List<Model>> {
    let page = query.page();
    let models = admin.state.store.models(&page).await?;
    Ok(Json(List::page(models, &page, |model| {
        model.name.to_string()
    })))
}

async fn get_model(State(admin): State<Arc<Admin>>, One(name): One<ModelName>) -> Answer<Model> {
    let model = admin.state.store.model(&name).await?;
    model
        .map(Json)
        .ok_or_else(|| AdminError::missing("model", &name))
}

/// A version to register.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVersionRequest {
    /// Digest of the uploaded model file.
    pub artifact: Digest,
    /// Plugin revision of its transform.
    #[serde(default)]
    pub transform: Option<Digest>,
    /// Architecture description, for safetensors.
    #[serde(default)]
    pub architecture: Option<serde_json::Value>,
    /// Where it came from.
    #[serde(default)]
    pub lineage: BTreeMap<String, String>,
}

async fn create_version(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    One(model): One<ModelName>,
    Wire(request): Wire<CreateVersionRequest>,
) -> Made<ModelVersion> {
    let new = NewVersion {
        model,
        artifact: request.artifact,
        transform: request.transform,
        architecture: request.architecture,
        lineage: request.lineage,
    };
    Ok(Created(admin.registry.create_version(new, &actor).await?))
}

async fn list_versions(
    State(admin): State<Arc<Admin>>,
    One(model): One<ModelName>,
) -> Answer<List<ModelVersion>> {
    if admin.state.store.model(&model).await?.is_none() {
        return Err(AdminError::missing("model", &model));
    }
    Ok(Json(List::whole(admin.state.store.versions(&model).await?)))
}

async fn get_version(
    State(admin): State<Arc<Admin>>,
    Two(model, version): Two<ModelName, VersionNumber>,
) -> Answer<ModelVersion> {
    let name = VersionRef { model, version };
    let found = admin.state.store.version(&name).await?;
    found
        .map(Json)
        .ok_or_else(|| AdminError::missing("version", &name))
}
