//! Endpoints and their settings. Routes are not written here: only a cleared
//! promotion writes a route.

use crate::admin::{
    Admin,
    error::AdminError,
    operation::Operation,
    wire::{Answer, By, Created, List, Made, One, Wire},
};
use axum::{Json, extract::State, http::Method};
use domain::{
    error::ErrorKind,
    json::canonical,
    ledger::{Actor, NewEntry},
    name::EndpointName,
    ports::engine::Publisher as _,
    route::{Endpoint, EndpointSettings, Route},
    token::Role,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Longest deadline of a prediction, in milliseconds.
pub const MAX_TIMEOUT_MS: u32 = 600_000;
/// Most gates of an endpoint.
pub const MAX_GATES: usize = 32;

pub(super) fn operations() -> Vec<Operation> {
    let only = Some(Role::Admin);
    vec![
        Operation::new(
            (Method::POST, "/endpoints"),
            (
                "create_endpoint",
                "Makes an endpoint that serves nothing yet",
            ),
            only,
            create_endpoint,
        )
        .takes::<CreateEndpointRequest>()
        .gives::<Endpoint>(201),
        Operation::new(
            (Method::PUT, "/endpoints/{endpoint}/settings"),
            ("put_endpoint_settings", "Replaces an endpoint's settings"),
            only,
            put_settings,
        )
        .takes::<EndpointSettings>()
        .gives::<Endpoint>(200),
        Operation::read(
            "/endpoints",
            "list_endpoints",
            "All endpoints by name",
            list_endpoints,
        )
        .gives::<List<Endpoint>>(200),
        Operation::read(
            "/endpoints/{endpoint}",
            "get_endpoint",
            "One endpoint",
            get_endpoint,
        )
        .gives::<Endpoint>(200),
    ]
}

/// An endpoint to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEndpointRequest {
    /// The name clients will call.
    pub name: EndpointName,
    /// Its settings.
    pub settings: EndpointSettings,
}

async fn create_endpoint(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    Wire(request): Wire<CreateEndpointRequest>,
) -> Made<Endpoint> {
    check(&admin, &request.settings).await?;
    let now = admin.state.clock.now();
    let endpoint = Endpoint {
        name: request.name,
        settings: request.settings,
        route: Route::default(),
        created_at: now,
        updated_at: now,
    };
    let entry = entry(
        &admin,
        "endpoint.created",
        &endpoint.name,
        &endpoint.settings,
        actor,
    )?;
    admin.state.store.insert_endpoint(&endpoint, entry).await?;
    admin.state.serving.publish(&endpoint.name).await?;
    Ok(Created(endpoint))
}

async fn put_settings(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    One(name): One<EndpointName>,
    Wire(settings): Wire<EndpointSettings>,
) -> Answer<Endpoint> {
    check(&admin, &settings).await?;
    let entry = entry(&admin, "endpoint.settings", &name, &settings, actor)?;
    let now = admin.state.clock.now();
    let store = &admin.state.store;
    let changed = store.update_settings(&name, &settings, now, entry).await?;
    let changed = changed.ok_or_else(|| AdminError::missing("endpoint", &name))?;
    admin.state.serving.publish(&name).await?;
    Ok(Json(changed))
}

async fn check(admin: &Admin, settings: &EndpointSettings) -> Result<(), AdminError> {
    let wrong = |field: &str, message: String| {
        Err(AdminError::invalid(
            "field_invalid",
            format!("settings.{field}: {message}"),
        ))
    };
    if settings.gates.len() > MAX_GATES {
        return wrong("gates", format!("use at most {MAX_GATES}"));
    }
    for (at, gate) in settings.gates.iter().enumerate() {
        if settings.gates.iter().take(at).any(|before| before == gate) {
            return wrong("gates", format!("gate {gate} is named twice"));
        }
        if admin.state.store.gate(gate).await?.is_none() {
            return wrong(
                "gates",
                format!("gate {gate} does not exist: upload it first"),
            );
        }
    }
    if let Some(name) = &settings.dataset
        && admin.state.store.dataset(name).await?.is_none()
    {
        return wrong(
            "dataset",
            format!("data set {name} does not exist: register it first"),
        );
    }
    if !(1..=MAX_TIMEOUT_MS).contains(&settings.timeout_ms) {
        return wrong("timeout_ms", format!("use 1 to {MAX_TIMEOUT_MS}"));
    }
    if settings.batching.max_rows > 65_536 || settings.batching.max_delay_us > 1_000_000 {
        return wrong(
            "batching",
            "use at most 65536 rows and 1000000 µs".to_owned(),
        );
    }
    let header = settings.sticky_header.as_deref();
    if header.is_some_and(|name| name.parse::<axum::http::HeaderName>().is_err()) {
        return wrong("sticky_header", "not a header name".to_owned());
    }
    Ok(())
}

fn entry(
    admin: &Admin,
    event: &'static str,
    name: &EndpointName,
    settings: &EndpointSettings,
    actor: Actor,
) -> Result<NewEntry, AdminError> {
    let body = canonical(settings).map_err(|error| {
        AdminError::new(ErrorKind::Internal, "not_canonical", error.to_string())
    })?;
    Ok(NewEntry {
        event,
        subject: format!("endpoint/{name}"),
        actor,
        at: admin.state.clock.now(),
        body,
    })
}

async fn find(admin: &Admin, name: &EndpointName) -> Result<Endpoint, AdminError> {
    let endpoint = admin.state.store.endpoint(name).await?;
    endpoint.ok_or_else(|| AdminError::missing("endpoint", name))
}

async fn list_endpoints(State(admin): State<Arc<Admin>>) -> Answer<List<Endpoint>> {
    Ok(Json(List::whole(admin.state.store.endpoints().await?)))
}

async fn get_endpoint(
    State(admin): State<Arc<Admin>>,
    One(name): One<EndpointName>,
) -> Answer<Endpoint> {
    find(&admin, &name).await.map(Json)
}
