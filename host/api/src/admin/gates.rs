//! Gates.

use crate::admin::{
    Admin,
    error::AdminError,
    operation::Operation,
    wire::{Answer, By, Created, List, Made, One, Wire},
};
use axum::{Json, extract::State, http::Method};
use domain::{
    digest::Digest,
    gate::{GateBundle, GateRevision},
    name::GateName,
    token::Role,
};
use registry::NewGate;
use std::sync::Arc;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::PUT, "/gates/{gate}"),
            (
                "put_gate",
                "Checks a gate, runs its tests, and makes it current",
            ),
            Some(Role::Developer),
            put_gate,
        )
        .takes::<GateBundle>()
        .gives::<GateRevision>(201),
        Operation::read(
            "/gates",
            "list_gates",
            "Current revisions of all gates",
            list_gates,
        )
        .gives::<List<GateRevision>>(200),
        Operation::read(
            "/gates/{gate}",
            "get_gate",
            "Current revision of a gate",
            get_gate,
        )
        .gives::<GateRevision>(200),
        Operation::read(
            "/gate-revisions/{digest}",
            "get_gate_revision",
            "One gate revision, current or not",
            get_gate_revision,
        )
        .gives::<GateRevision>(200),
        Operation::read(
            "/schemas/gate-input",
            "get_gate_input_schema",
            "JSON Schema of the document that gates are evaluated over",
            get_gate_input_schema,
        )
        .gives::<serde_json::Value>(200),
    ]
}

async fn put_gate(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    One(name): One<GateName>,
    Wire(bundle): Wire<GateBundle>,
) -> Made<GateRevision> {
    let new = NewGate { name, bundle };
    Ok(Created(admin.registry.create_gate(new, &actor).await?))
}

async fn list_gates(State(admin): State<Arc<Admin>>) -> Answer<List<GateRevision>> {
    Ok(Json(List::whole(admin.state.store.gates().await?)))
}

async fn get_gate(
    State(admin): State<Arc<Admin>>,
    One(name): One<GateName>,
) -> Answer<GateRevision> {
    let gate = admin.state.store.gate(&name).await?;
    gate.map(Json)
        .ok_or_else(|| AdminError::missing("gate", &name))
}

async fn get_gate_revision(
    State(admin): State<Arc<Admin>>,
    One(digest): One<Digest>,
) -> Answer<GateRevision> {
    let gate = admin.state.store.gate_revision(&digest).await?;
    gate.map(Json)
        .ok_or_else(|| AdminError::missing("gate revision", &digest))
}

async fn get_gate_input_schema(State(admin): State<Arc<Admin>>) -> Json<serde_json::Value> {
    Json(admin.gate_input_schema.clone())
}
