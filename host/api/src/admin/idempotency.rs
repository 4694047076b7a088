//! Idempotency keys: the same key and request get the same answer once given.
//!
//! The store keeps the answer in the transaction of the change itself, so that a
//! crash cannot come between; what changed nothing is kept here afterwards.

use crate::{
    admin::{Admin, error::AdminError, wire::read_all},
    edge::auth::Identity,
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{
    digest::Digest, error::ErrorKind, ledger::RequestKey, ports::store::KeptReply, time::Timestamp,
};
use http_body_util::BodyExt as _;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// How long a reply is kept: one day, in milliseconds.
pub const KEPT_MS: i64 = 24 * 3600 * 1000;
/// Longest key.
pub const MAX_KEY: usize = 200;

/// Keys whose requests are being answered, by caller.
#[derive(Debug, Default)]
pub struct InFlight(Mutex<HashSet<(String, String)>>);

/// A key's place among those in flight; given up when dropped.
struct Place<'a> {
    all: &'a InFlight,
    key: (String, String),
}

impl InFlight {
    fn enter(&self, key: (String, String)) -> Option<Place<'_>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Lazily: a place made for a key that is taken would give it up at once,
        // and wait for this very lock to do so.
        all.insert(key.clone()).then(|| Place { all: self, key })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.key);
    }
}

/// Answers from the kept reply, or sees to it that the reply of a success, which
/// has this `status`, is kept.
pub async fn keep(
    State((status, admin)): State<(u16, Arc<Admin>)>,
    request: Request,
    next: Next,
) -> Response {
    let Some(key) = request.headers().get("idempotency-key").cloned() else {
        return next.run(request).await;
    };
    // What has begun is finished, and its answer kept, even if the caller leaves:
    // that is what the key is for.
    let work = tokio::spawn(async move { kept_or_run(&admin, &key, status, request, next).await });
    match work.await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into_response(),
        Err(_) => {
            AdminError::new(ErrorKind::Internal, "internal", "internal error").into_response()
        }
    }
}

async fn kept_or_run(
    admin: &Admin,
    key: &HeaderValue,
    status: u16,
    request: Request,
    next: Next,
) -> Result<Response, AdminError> {
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY).contains(&key.len()));
    let key = key.ok_or_else(|| {
        let detail = format!("Idempotency-Key: use 1 to {MAX_KEY} visible ASCII characters");
        AdminError::invalid("idempotency_key_invalid", detail)
    })?;
    let actor = request
        .extensions()
        .get::<Identity>()
        .map(|identity| identity.name.to_string());
    let actor = actor.ok_or_else(AdminError::unauthenticated)?;
    let Some(_place) = admin.in_flight.enter((actor.clone(), key.to_owned())) else {
        return Err(AdminError::new(
            ErrorKind::Conflict,
            "idempotency_key_busy",
            "a request with this Idempotency-Key is being answered: wait for it",
        ));
    };
    let (parts, body) = request.into_parts();
    let bytes = read_all(Request::from_parts(parts.clone(), body)).await?;
    let line = format!("{} {}", parts.method, parts.uri);
    let digest = Digest::of_parts("tollgate request 1", &[line.as_bytes(), &bytes]);
    let now = admin.state.clock.now();
    let since = Timestamp(now.0 - KEPT_MS);
    if let Some(kept) = admin.state.store.kept_reply(&actor, key, since).await? {
        if kept.request != digest {
            return Err(AdminError::new(
                ErrorKind::Conflict,
                "idempotency_key_reused",
                "this Idempotency-Key was used for another request: choose a new one",
            ));
        }
        return Ok(replay(kept));
    }
    let mut request = Request::from_parts(parts, Body::from(bytes));
    request.extensions_mut().insert(RequestKey {
        key: key.to_owned(),
        request: digest,
        status,
    });
    let response = next.run(request).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    // Also if it cannot be told now: what was asked for is done.
    let kept = admin.state.store.kept_reply(&actor, key, since).await;
    if !matches!(kept, Ok(None)) {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = body
        .collect()
        .await
        .map(|whole| whole.to_bytes())
        .unwrap_or_default();
    let reply = KeptReply {
        request: digest,
        status: parts.status.as_u16(),
        body: bytes.to_vec(),
    };
    if let Err(error) = admin.state.store.keep_reply(&actor, key, &reply, now).await {
        // What was asked for is done; only the memory of the answer is lost.
        tracing::warn!(%error, "reply not kept for its idempotency key");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn replay(kept: KeptReply) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = (status, kept.body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_place_until_it_is_given_up() {
        let all = InFlight::default();
        let key = || ("ci".to_owned(), "k".to_owned());
        let place = all.enter(key());
        assert!(place.is_some());
        assert!(all.enter(key()).is_none());
        assert!(all.enter(key()).is_none(), "a refusal gave up the place");
        assert!(all.enter(("other".to_owned(), "k".to_owned())).is_some());
        drop(place);
        assert!(all.enter(key()).is_some());
    }
}
