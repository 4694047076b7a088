//! Data sets.

use crate::admin::{
    Admin,
    error::AdminError,
    operation::Operation,
    wire::{Answer, By, Created, List, Made, One, Wire},
};
use axum::{Json, extract::State, http::Method};
use domain::{
    digest::Digest,
    evidence::{Dataset, Task},
    name::DatasetName,
    token::Role,
};
use evaluation::NewDataset;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::POST, "/datasets"),
            (
                "create_dataset",
                "Registers an uploaded CSV or Parquet table with labels",
            ),
            Some(Role::Developer),
            create_dataset,
        )
        .takes::<CreateDatasetRequest>()
        .gives::<Dataset>(201),
        Operation::read(
            "/datasets",
            "list_datasets",
            "Current contents of all",
            list_datasets,
        )
        .gives::<List<Dataset>>(200),
        Operation::read(
            "/datasets/{dataset}",
            "get_dataset",
            "Current content",
            get_dataset,
        )
        .gives::<Dataset>(200),
    ]
}

/// A data set to register.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDatasetRequest {
    /// Its name; a known name gets this content as its current one.
    pub name: DatasetName,
    /// Digest of the uploaded file.
    pub artifact: Digest,
    /// Column that holds the label.
    pub label: String,
    /// What is to be predicted.
    pub task: Task,
}

async fn create_dataset(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    Wire(request): Wire<CreateDatasetRequest>,
) -> Made<Dataset> {
    let new = NewDataset {
        name: request.name,
        artifact: request.artifact,
        label: request.label,
        task: request.task,
    };
    Ok(Created(
        admin.evaluations.create_dataset(new, &actor).await?,
    ))
}

async fn list_datasets(State(admin): State<Arc<Admin>>) -> Answer<List<Dataset>> {
    Ok(Json(List::whole(admin.state.store.datasets().await?)))
}

async fn get_dataset(
    State(admin): State<Arc<Admin>>,
    One(name): One<DatasetName>,
) -> Answer<Dataset> {
    let dataset = admin.state.store.dataset(&name).await?;
    dataset
        .map(Json)
        .ok_or_else(|| AdminError::missing("data set", &name))
}
