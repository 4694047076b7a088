//! One operation: its path, role, document and handler in one place.

use crate::admin::{Admin, error::AdminError, idempotency};
use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use domain::token::Role;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::sync::Arc;

/// Where the admin API lives.
pub const BASE: &str = "/admin/v1";

/// Gives a type's schema.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a request or response carries.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON of this schema.
    Json(SchemaOf),
    /// Any bytes.
    Raw,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// HTTP method.
    pub method: Method,
    /// Path below [`BASE`], with `{parameters}`.
    pub path: &'static str,
    /// Unique name, `verb_noun`.
    pub id: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Role it needs; `None` is open.
    pub role: Option<Role>,
    /// Query parameters: name and what it is.
    pub query: &'static [(&'static str, &'static str)],
    /// What is sent.
    pub request: Body,
    /// What comes back.
    pub response: Body,
    /// Status of success.
    pub status: u16,
    /// The answer holds a secret, which is never kept.
    pub secret: bool,
    handler: MethodRouter<Arc<Admin>>,
}

impl Operation {
    /// An operation that needs `role` and answers 200 with nothing.
    pub fn new<H, T>(
        (method, path): (Method, &'static str),
        (id, summary): (&'static str, &'static str),
        role: Option<Role>,
        handler: H,
    ) -> Self
    where
        H: axum::handler::Handler<T, Arc<Admin>>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self {
            method,
            path,
            id,
            summary,
            role,
            query: &[],
            request: Body::None,
            response: Body::None,
            status: 200,
            secret: false,
            handler: on(filter, handler),
        }
    }

    /// A reading operation for viewers.
    pub fn read<H, T>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: axum::handler::Handler<T, Arc<Admin>>,
        T: 'static,
    {
        Self::new(
            (Method::GET, path),
            (id, summary),
            Some(Role::Viewer),
            handler,
        )
    }

    /// The request carries JSON of `T`.
    #[must_use]
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.request = Body::Json(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// The request carries bytes.
    #[must_use]
    pub const fn takes_bytes(mut self) -> Self {
        self.request = Body::Raw;
        self
    }

    /// Success is `status` with JSON of `T`.
    #[must_use]
    pub fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.status = status;
        self.response = Body::Json(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// Success is 204 without a body.
    #[must_use]
    pub const fn gives_nothing(mut self) -> Self {
        self.status = 204;
        self
    }

    /// The answer holds a secret.
    #[must_use]
    pub const fn gives_secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Whether an answer is kept for the caller's idempotency key: for JSON
    /// operations that change something, unless the answer holds a secret.
    pub fn keeps_answer(&self) -> bool {
        self.method != Method::GET && !matches!(self.request, Body::Raw) && !self.secret
    }

    /// Query parameters.
    #[must_use]
    pub const fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }
}

/// A router over all operations: role check first, then the names of query
/// parameters, then idempotency, then the handler.
pub fn router<S>(operations: Vec<Operation>, admin: Arc<Admin>) -> Router<S> {
    let mut router = Router::new();
    for operation in operations {
        let path = format!("{BASE}{}", operation.path);
        let keeps_answer = operation.keeps_answer();
        let mut handler = operation.handler;
        if keeps_answer {
            let state = (operation.status, Arc::clone(&admin));
            handler = handler.layer(middleware::from_fn_with_state(state, idempotency::keep));
        }
        handler = handler.layer(middleware::from_fn_with_state(
            operation.query,
            known_parameters,
        ));
        if let Some(role) = operation.role {
            let need = (role, Arc::clone(&admin));
            handler = handler.layer(middleware::from_fn_with_state(need, authorise));
        }
        router = router.route(&path, handler);
    }
    router.with_state(admin)
}

/// Finds out who is calling and whether their role is enough; tells the handler
/// by an [`crate::edge::auth::Identity`] extension.
async fn authorise(
    State((role, admin)): State<(Role, Arc<Admin>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let identity = admin
        .state
        .tokens
        .identify(request.headers(), admin.state.clock.as_ref());
    let allowed = identity.and_then(|identity| identity.require(role).map(|()| identity));
    match allowed {
        Ok(identity) => {
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
        Err(failure) => AdminError::from(failure).into_response(),
    }
}

/// Refuses query parameters that the operation does not have: a misspelt filter
/// that is ignored answers another question than the one asked.
async fn known_parameters(
    State(known): State<&'static [(&'static str, &'static str)]>,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let names = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split('=').next().unwrap_or_default());
    for name in names {
        if !known.iter().any(|(known, _)| *known == name) {
            let known: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            let use_these = if known.is_empty() {
                "this operation takes none".to_owned()
            } else {
                format!("use {}", known.join(", "))
            };
            let name: String = name.chars().take(100).collect();
            let detail = format!("{name:?} is no query parameter here: {use_these}");
            return AdminError::invalid("query_invalid", detail).into_response();
        }
    }
    next.run(request).await
}
