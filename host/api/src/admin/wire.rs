//! What travels: JSON bodies with errors that name the field, lists, pages.

use crate::{admin::error::AdminError, edge::auth::Identity};
use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use domain::{
    ledger::{Actor, RequestKey},
    ports::store::Page,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{str::FromStr, time::Duration};

/// Largest JSON body, in bytes.
pub const MAX_JSON: usize = 4 << 20;
/// Longest wait for a JSON body, or for the next piece of an upload.
pub const MAX_WAIT: Duration = Duration::from_secs(30);
/// Entries of a page when the caller does not say.
pub const DEFAULT_LIMIT: u32 = 100;
/// Most entries of a page.
pub const MAX_LIMIT: u32 = 1000;

/// A JSON request body.
#[derive(Debug)]
pub struct Wire<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Wire<T> {
    type Rejection = AdminError;

    async fn from_request(request: Request, _: &S) -> Result<Self, AdminError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let json = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"application/json"));
        if !json {
            return Err(AdminError::invalid(
                "content_type",
                "send JSON with Content-Type: application/json",
            ));
        }
        decode(&read_all(request).await?).map(Self)
    }
}

/// A JSON object as a `T`; the error names the field.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AdminError> {
    let invalid = |path: &str, inner: &serde_json::Error| {
        // Named by serde as the root of the document.
        let path = if path == "." { "body" } else { path };
        AdminError::invalid("body_invalid", format!("{path}: {inner}"))
    };
    // Serde would also fill a struct from an array, by position.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(AdminError::invalid(
            "body_invalid",
            "body: send a JSON object, not an array",
        ));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| invalid(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| invalid(".", &error))?;
    Ok(value)
}

/// All of a JSON request's body, within the limits of size and time.
pub async fn read_all(request: Request) -> Result<bytes::Bytes, AdminError> {
    let body = Limited::new(request.into_body(), MAX_JSON);
    let Ok(collected) = tokio::time::timeout(MAX_WAIT, body.collect()).await else {
        return Err(AdminError::slow());
    };
    match collected {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(AdminError::too_large(format!(
            "a JSON body may have at most {MAX_JSON} bytes"
        ))),
        Err(_) => Err(AdminError::invalid(
            "body_unreadable",
            "the body could not be read",
        )),
    }
}

/// Who calls; present wherever a role was needed.
impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AdminError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(AdminError::unauthenticated)
    }
}

/// Who asks for a change, with the idempotency key if one was sent.
#[derive(Debug)]
pub struct By(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AdminError> {
        let identity = Identity::from_request_parts(parts, state).await?;
        Ok(Self(Actor {
            name: identity.name.to_string(),
            key: parts.extensions.get::<RequestKey>().cloned(),
        }))
    }
}

/// One path parameter, parsed.
#[derive(Debug)]
pub struct One<T>(pub T);

impl<T, S> FromRequestParts<S> for One<T>
where
    T: FromStr + Send,
    T::Err: std::fmt::Display,
    S: Send + Sync,
{
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AdminError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| AdminError::invalid("path_invalid", error.body_text()))?;
        parse("path", &text).map(Self)
    }
}

/// Two path parameters, parsed; the second is a version.
#[derive(Debug)]
pub struct Two<A, B>(pub A, pub B);

impl<A, B, S> FromRequestParts<S> for Two<A, B>
where
    A: FromStr + Send,
    A::Err: std::fmt::Display,
    B: FromStr + Send,
    S: Send + Sync,
{
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AdminError> {
        let Path((a, b)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|error| AdminError::invalid("path_invalid", error.body_text()))?;
        let version = b.parse().map_err(|_| {
            let detail = format!("version: {b:?} is no version number, such as 3");
            AdminError::invalid("path_invalid", detail)
        })?;
        Ok(Self(parse("path", &a)?, version))
    }
}

/// `text` as a `T`, or an error that names `field`.
pub fn parse<T>(field: &str, text: &str) -> Result<T, AdminError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| AdminError::invalid("path_invalid", format!("{field}: {error}")))
}

/// Query parameters, parsed; unknown ones are refused.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AdminError> {
        Query::<T>::from_request_parts(parts, state)
            .await
            .map(|Query(value)| Self(value))
            .map_err(|error| AdminError::invalid("query_invalid", error.body_text()))
    }
}

/// Where a page starts and how long it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Key after which to go on.
    pub after: Option<String>,
    /// Most entries.
    pub limit: Option<u32>,
    /// Only of this endpoint, where that applies.
    pub endpoint: Option<String>,
}

impl PageQuery {
    /// The page, bounded.
    pub fn page(&self) -> Page {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        Page {
            after: self.after.clone(),
            limit,
        }
    }
}

/// A list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct List<T> {
    /// Entries.
    pub items: Vec<T>,
    /// Key to go on after; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> List<T> {
    /// A list that is whole.
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// One page; `key` names the last entry when there may be more.
    pub fn page(items: Vec<T>, page: &Page, key: impl Fn(&T) -> String) -> Self {
        let full = items.len() == page.limit as usize;
        let next = items.last().filter(|_| full).map(key);
        Self { items, next }
    }
}

/// 201 with a JSON body.
#[derive(Debug)]
pub struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

/// Result of a handler that answers JSON.
pub type Answer<T> = Result<Json<T>, AdminError>;
/// Result of a handler that makes something.
pub type Made<T> = Result<Created<T>, AdminError>;
