//! What is done around every request: request id, shedding, panics,
//! compression, counters. One function around the router instead of a stack of
//! middleware, because every layer in axum costs allocations per request.

use crate::{
    edge::{
        compress,
        error::{Dialect, Failure},
    },
    inference::oip,
    state::ApiState,
};
use axum::{body::Body, extract::Request, response::Response};
use domain::error::ErrorKind;
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue};
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};
use tower::Service as _;

pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts `routes` behind the edge.
pub(crate) fn wrap(routes: axum::Router<Arc<ApiState>>, state: Arc<ApiState>) -> Edge {
    let routes = routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(&state));
    Edge { routes, state }
}

async fn unknown_path(request: Request) -> Response {
    Failure::missing(format!(
        "there is nothing at {}",
        shown(request.uri().path())
    ))
    .respond(dialect(request.uri().path()))
}

async fn wrong_method(request: Request) -> Response {
    let path = request.uri().path();
    Failure::new(
        crate::edge::error::Fault::WrongMethod,
        format!("{} does not take {}", shown(path), request.method()),
    )
    .respond(dialect(path))
}

fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}

/// The dialect that a path speaks.
fn dialect(path: &str) -> Dialect {
    if path.starts_with("/admin/") {
        Dialect::Admin
    } else if path.starts_with("/v1/") {
        Dialect::KserveV1
    } else if path.ends_with("/invocations") {
        Dialect::Mlflow
    } else {
        Dialect::Oip
    }
}

/// Paths that answer even when the server turns requests away.
fn vital(path: &str) -> bool {
    matches!(path, "/metrics" | "/ping" | "/health" | "/version" | "/v2")
        || path.starts_with("/v2/health/")
}

/// Routes behind the edge. Cheap to clone: one for each connection.
#[derive(Debug, Clone)]
pub struct Edge {
    routes: axum::Router,
    state: Arc<ApiState>,
}

impl Edge {
    /// Answers one request. Dropping the future abandons it safely.
    pub async fn answer(self, request: Request<Body>) -> Response {
        let started = Instant::now();
        let Self { mut routes, state } = self;
        let id = state
            .request_ids
            .take_or_make(request.headers().get(&REQUEST_ID));
        let gzip = compress::wanted(request.headers());
        let dialect = dialect(request.uri().path());
        let place = Place::take(&state);
        if place.is_none() && !vital(request.uri().path()) {
            let busy = Failure::kind(
                ErrorKind::Unavailable,
                "the server is answering as many requests as it may: retry later",
            );
            return finish(&state, dialect, started, id, busy.respond(dialect));
        }
        let answer = async {
            if oip::is_infer(&request) {
                return oip::infer_directly(&state, request).await;
            }
            let Ok(response) = routes.call(request).await;
            response
        };
        let mut response = match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(response) => response,
            Err(_panic) => {
                tracing::error!(request_id = ?id, "a handler panicked");
                Failure::kind(ErrorKind::Internal, "internal error").respond(dialect)
            }
        };
        if gzip {
            response = compress::gzip(response).await;
        }
        finish(&state, dialect, started, id, response)
    }
}

fn finish(
    state: &ApiState,
    dialect: Dialect,
    started: Instant,
    id: HeaderValue,
    mut response: Response,
) -> Response {
    response.headers_mut().insert(&REQUEST_ID, id);
    state
        .metrics
        .http(dialect)
        .record(response.status(), started.elapsed());
    response
}

/// One of the places for requests in flight, given back when dropped: also when
/// the client goes away and the request's future is dropped half-way.
struct Place(Arc<ApiState>);

impl Place {
    fn take(state: &Arc<ApiState>) -> Option<Self> {
        if state.in_flight.fetch_add(1, Relaxed) < state.config.max_in_flight {
            return Some(Self(Arc::clone(state)));
        }
        state.in_flight.fetch_sub(1, Relaxed);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
