//! Plugin revisions.

use crate::admin::{
    Admin,
    error::AdminError,
    operation::Operation,
    wire::{Answer, By, Created, List, Made, One, Wire},
};
use axum::{Json, extract::State, http::Method};
use domain::{
    digest::Digest,
    name::PluginName,
    plugin::{PluginLimits, PluginRevision},
    token::Role,
};
use registry::NewPluginRevision;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::POST, "/plugins/{plugin}/revisions"),
            (
                "create_plugin_revision",
                "Admits an uploaded component with its settings",
            ),
            Some(Role::Developer),
            create_plugin_revision,
        )
        .takes::<CreatePluginRevisionRequest>()
        .gives::<PluginRevision>(201),
        Operation::read(
            "/plugins",
            "list_plugins",
            "All plugin revisions, newest first",
            list_all,
        )
        .gives::<List<PluginRevision>>(200),
        Operation::read(
            "/plugins/{plugin}/revisions",
            "list_plugin_revisions",
            "Revisions of a plugin, newest first",
            list_revisions,
        )
        .gives::<List<PluginRevision>>(200),
        Operation::read(
            "/plugin-revisions/{digest}",
            "get_plugin_revision",
            "One plugin revision",
            get_revision,
        )
        .gives::<PluginRevision>(200),
    ]
}

/// A component with its settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePluginRevisionRequest {
    /// Digest of the uploaded component.
    pub component: Digest,
    /// Settings for its `configure`.
    #[serde(default = "no_settings")]
    pub settings: serde_json::Value,
    /// Budgets of a call.
    #[serde(default)]
    pub limits: PluginLimits,
}

fn no_settings() -> serde_json::Value {
    serde_json::json!({})
}

async fn create_plugin_revision(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    One(plugin): One<PluginName>,
    Wire(request): Wire<CreatePluginRevisionRequest>,
) -> Made<PluginRevision> {
    let new = NewPluginRevision {
        plugin,
        component: request.component,
        settings: request.settings,
        limits: request.limits,
    };
    Ok(Created(
        admin.registry.create_plugin_revision(new, &actor).await?,
    ))
}

async fn list_all(State(admin): State<Arc<Admin>>) -> Answer<List<PluginRevision>> {
    Ok(Json(List::whole(admin.state.store.revisions(None).await?)))
}

async fn list_revisions(
    State(admin): State<Arc<Admin>>,
    One(plugin): One<PluginName>,
) -> Answer<List<PluginRevision>> {
    Ok(Json(List::whole(
        admin.state.store.revisions(Some(&plugin)).await?,
    )))
}

async fn get_revision(
    State(admin): State<Arc<Admin>>,
    One(digest): One<Digest>,
) -> Answer<PluginRevision> {
    let revision = admin.state.store.revision(&digest).await?;
    revision
        .map(Json)
        .ok_or_else(|| AdminError::missing("plugin revision", &digest))
}
