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

    /// Query parameters.
    #[must_use]
    pub const fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }
}

/// A router over all operations: role check first, then idempotency for JSON
/// operations that change something, then the handler.
pub fn router<S>(operations: Vec<Operation>, admin: Arc<Admin>) -> Router<S> {
    let mut router = Router::new();
    for operation in operations {
        let path = format!("{BASE}{}", operation.path);
        let mut handler = operation.handler;
        let changes = operation.method != Method::GET;
        if changes && !matches!(operation.request, Body::Raw) {
            handler = handler.layer(middleware::from_fn_with_state(
                Arc::clone(&admin),
                idempotency::keep,
            ));
        }
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
