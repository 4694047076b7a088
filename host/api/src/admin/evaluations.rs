//! Evaluations and metrics from outside.

use crate::admin::{
    Admin,
    error::AdminError,
    operation::Operation,
    wire::{Answer, By, Created, List, Made, One, Two, Wire},
};
use axum::{Json, extract::State, http::Method};
use domain::{
    evidence::{Evaluation, ExternalMetric, Metric},
    id::EvaluationId,
    model::VersionRef,
    name::{DatasetName, ModelName, VersionNumber},
    token::Role,
};
use evaluation::NewEvaluation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

pub(super) fn operations() -> Vec<Operation> {
    let developer = Some(Role::Developer);
    vec![
        Operation::new(
            (Method::POST, "/evaluations"),
            (
                "create_evaluation",
                "Runs a version over a data set and seals its metrics",
            ),
            developer,
            create_evaluation,
        )
        .takes::<CreateEvaluationRequest>()
        .gives::<Evaluation>(201),
        Operation::read(
            "/evaluations/{evaluation}",
            "get_evaluation",
            "One evaluation",
            get_evaluation,
        )
        .gives::<Evaluation>(200),
        Operation::read(
            "/models/{model}/versions/{version}/evaluations",
            "list_evaluations",
            "Evaluations of a version, newest first",
            list_evaluations,
        )
        .gives::<List<Evaluation>>(200),
        Operation::new(
            (Method::POST, "/models/{model}/versions/{version}/metrics"),
            (
                "log_external_metrics",
                "Logs metrics that were computed elsewhere",
            ),
            developer,
            log_external,
        )
        .takes::<LogMetricsRequest>()
        .gives::<List<ExternalMetric>>(201),
        Operation::read(
            "/models/{model}/versions/{version}/metrics",
            "list_external_metrics",
            "Latest metric of each name that was logged from outside",
            list_external,
        )
        .gives::<List<ExternalMetric>>(200),
    ]
}

/// An evaluation to run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEvaluationRequest {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: VersionNumber,
    /// Data set to run it over.
    pub dataset: DatasetName,
    /// Version to run beside it on the same rows.
    #[serde(default)]
    pub baseline: Option<VersionRef>,
    /// Columns to cut by.
    #[serde(default)]
    pub slices: Vec<String>,
    /// Seed of resampling; 0 when not given.
    #[serde(default)]
    pub seed: u64,
}

async fn create_evaluation(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    Wire(request): Wire<CreateEvaluationRequest>,
) -> Made<Evaluation> {
    let new = NewEvaluation {
        version: VersionRef {
            model: request.model,
            version: request.version,
        },
        dataset: request.dataset,
        baseline: request.baseline,
        slices: request.slices,
        seed: request.seed,
    };
    Ok(Created(
        admin.evaluations.create_evaluation(new, &actor).await?,
    ))
}

async fn get_evaluation(
    State(admin): State<Arc<Admin>>,
    One(id): One<EvaluationId>,
) -> Answer<Evaluation> {
    let evaluation = admin.state.store.evaluation(&id).await?;
    evaluation
        .map(Json)
        .ok_or_else(|| AdminError::missing("evaluation", &id))
}

async fn list_evaluations(
    State(admin): State<Arc<Admin>>,
    Two(model, version): Two<ModelName, VersionNumber>,
) -> Answer<List<Evaluation>> {
    let name = VersionRef { model, version };
    Ok(Json(List::whole(
        admin.state.store.evaluations(&name).await?,
    )))
}

/// Metrics from outside.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogMetricsRequest {
    /// Who or what computed them.
    pub source: String,
    /// The metrics by name.
    pub metrics: BTreeMap<String, Metric>,
}

async fn log_external(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    Two(model, version): Two<ModelName, VersionNumber>,
    Wire(request): Wire<LogMetricsRequest>,
) -> Made<List<ExternalMetric>> {
    let name = VersionRef { model, version };
    let logged = admin
        .evaluations
        .log_external(name, request.source, request.metrics, &actor)
        .await?;
    Ok(Created(List::whole(logged)))
}

async fn list_external(
    State(admin): State<Arc<Admin>>,
    Two(model, version): Two<ModelName, VersionNumber>,
) -> Answer<List<ExternalMetric>> {
    let name = VersionRef { model, version };
    Ok(Json(List::whole(admin.state.store.external(&name).await?)))
}
