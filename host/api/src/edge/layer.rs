//! The one middleware: request id, shedding, panics, compression, counters.

use crate::{
    edge::{
        compress,
        error::{Dialect, Failure},
    },
    state::ApiState,
};
use axum::{body::Body, extract::Request, response::Response};
use domain::error::ErrorKind;
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue};
use std::{
    convert::Infallible,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Instant,
};
use tower::{Layer, Service};

pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts `routes` behind the edge.
pub(crate) fn wrap(routes: axum::Router<Arc<ApiState>>, state: Arc<ApiState>) -> axum::Router {
    let edge = EdgeLayer(Arc::clone(&state));
    routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(edge)
        .with_state(state)
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

#[derive(Clone)]
struct EdgeLayer(Arc<ApiState>);

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;
    fn layer(&self, inner: S) -> Edge<S> {
        Edge {
            inner,
            state: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
struct Edge<S> {
    inner: S,
    state: Arc<ApiState>,
}

impl<S> Service<Request> for Edge<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let started = Instant::now();
        let state = Arc::clone(&self.state);
        let id = state
            .request_ids
            .take_or_make(request.headers().get(&REQUEST_ID));
        let gzip = compress::wanted(request.headers());
        let dialect = dialect(request.uri().path());
        let place = Place::take(&state);
        if place.is_none() && !vital(request.uri().path()) {
            return Box::pin(async move {
                let busy = Failure::kind(
                    ErrorKind::Unavailable,
                    "the server is answering as many requests as it may: retry later",
                );
                Ok(finish(&state, dialect, started, id, busy.respond(dialect)))
            });
        }
        request.headers_mut().insert(&REQUEST_ID, id.clone());
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            let _place = place;
            let mut response = match answer.await {
                Ok(Ok(response)) => response,
                Err(_panic) => {
                    tracing::error!(request_id = ?id, "a handler panicked");
                    Failure::kind(ErrorKind::Internal, "internal error").respond(dialect)
                }
            };
            if gzip {
                response = compress::gzip(response).await;
            }
            Ok(finish(&state, dialect, started, id, response))
        })
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
