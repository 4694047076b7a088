//! The error tables: what each sort of failure is called in each dialect.
//!
//! A handler gives back a [`Failure`]; the route it belongs to knows its
//! [`Dialect`]. Nothing else in this crate chooses an error status.

use axum::{body::Body, response::Response};
use domain::error::{ErrorKind, PortError};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use serving::PredictError;

/// How a group of routes words its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Open Inference Protocol: `{"error": message}`.
    Oip,
    /// KServe V1: `{"error": message}`.
    KserveV1,
    /// MLflow's scoring server: `{"error_code": code, "message": message}`.
    Mlflow,
    /// The admin API: RFC 9457 problem details.
    Admin,
}

/// A failure's sort: one of the nine kinds, or what only HTTP knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A use case failed.
    Kind(ErrorKind),
    /// The body cannot be read as what it should be.
    Malformed,
    /// The body is larger than allowed.
    TooLarge,
    /// The body's type or encoding is not understood.
    UnsupportedMedia,
    /// The body did not arrive in time.
    SlowBody,
    /// The path exists, the method does not.
    WrongMethod,
    /// The protocol has it, this server does not.
    NotImplemented,
}

/// Every kind, for tests and tables.
pub const KINDS: [ErrorKind; 9] = [
    ErrorKind::Invalid,
    ErrorKind::Unauthenticated,
    ErrorKind::Denied,
    ErrorKind::Missing,
    ErrorKind::Conflict,
    ErrorKind::Exhausted,
    ErrorKind::Unavailable,
    ErrorKind::TimedOut,
    ErrorKind::Internal,
];

/// Longest message that is sent, in bytes.
pub const LONGEST_MESSAGE: usize = 4096;

/// A failure on its way to the caller.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Its sort.
    pub fault: Fault,
    /// Shown to the caller.
    pub message: String,
    /// Seconds after which a retry may succeed.
    pub retry_after_s: Option<u64>,
    /// Stable code for the admin API; the fault's own when not set.
    pub code: Option<&'static str>,
    /// Further members of an admin problem.
    pub extra: Option<Box<Map<String, Value>>>,
}

impl Failure {
    /// A failure of this sort. Messages may quote the request, so they are cut
    /// at [`LONGEST_MESSAGE`] bytes.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > LONGEST_MESSAGE {
            message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
            message.push('…');
        }
        let busy = matches!(
            fault,
            Fault::Kind(ErrorKind::Exhausted | ErrorKind::Unavailable)
        );
        Self {
            fault,
            message,
            retry_after_s: busy.then_some(1),
            code: None,
            extra: None,
        }
    }

    /// A failure of one of the nine kinds.
    pub fn kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(Fault::Kind(kind), message)
    }

    /// The caller's mistake.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::kind(ErrorKind::Invalid, message)
    }

    /// A body that cannot be read.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(Fault::Malformed, message)
    }

    /// A thing that is not there.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::kind(ErrorKind::Missing, message)
    }

    /// Gives it its own code (admin API).
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Gives it a further member (admin API).
    #[must_use]
    pub fn with_member(mut self, name: &str, value: Value) -> Self {
        self.extra
            .get_or_insert_default()
            .insert(name.to_owned(), value);
        self
    }

    /// The response, as `dialect` words it.
    pub fn respond(&self, dialect: Dialect) -> Response {
        let (status, code) = table(dialect, self.fault);
        let (body, media) = match dialect {
            Dialect::Oip | Dialect::KserveV1 => {
                (json!({"error": self.message}), "application/json")
            }
            Dialect::Mlflow => (
                json!({"error_code": code, "message": self.message}),
                "application/json",
            ),
            Dialect::Admin => (self.problem(status, code), "application/problem+json"),
        };
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"tollgate\""),
            );
        }
        response
    }

    fn problem(&self, status: StatusCode, code: &str) -> Value {
        let code = self.code.unwrap_or(code);
        let mut problem = Map::new();
        problem.insert(
            "type".to_owned(),
            format!("urn:tollgate:problem:{code}").into(),
        );
        problem.insert(
            "title".to_owned(),
            status.canonical_reason().unwrap_or("Error").into(),
        );
        problem.insert("status".to_owned(), status.as_u16().into());
        problem.insert("code".to_owned(), code.into());
        problem.insert("detail".to_owned(), self.message.as_str().into());
        for (name, value) in self.extra.iter().flat_map(|extra| extra.iter()) {
            // Members of the standard are never replaced.
            problem
                .entry(name.as_str())
                .or_insert_with(|| value.clone());
        }
        Value::Object(problem)
    }
}

/// Status and code of a fault in a dialect.
pub const fn table(dialect: Dialect, fault: Fault) -> (StatusCode, &'static str) {
    match dialect {
        Dialect::Oip => (oip(fault), ""),
        Dialect::KserveV1 => (kserve_v1(fault), ""),
        Dialect::Mlflow => mlflow(fault),
        Dialect::Admin => admin(fault),
    }
}

const fn oip(fault: Fault) -> StatusCode {
    match fault {
        Fault::Kind(ErrorKind::Invalid) | Fault::Malformed => StatusCode::BAD_REQUEST,
        Fault::Kind(ErrorKind::Unauthenticated) => StatusCode::UNAUTHORIZED,
        Fault::Kind(ErrorKind::Denied) => StatusCode::FORBIDDEN,
        Fault::Kind(ErrorKind::Missing) => StatusCode::NOT_FOUND,
        Fault::Kind(ErrorKind::Conflict) => StatusCode::CONFLICT,
        Fault::Kind(ErrorKind::Exhausted) => StatusCode::TOO_MANY_REQUESTS,
        Fault::Kind(ErrorKind::Unavailable) => StatusCode::SERVICE_UNAVAILABLE,
        Fault::Kind(ErrorKind::TimedOut) => StatusCode::GATEWAY_TIMEOUT,
        Fault::Kind(ErrorKind::Internal) => StatusCode::INTERNAL_SERVER_ERROR,
        Fault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Fault::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Fault::SlowBody => StatusCode::REQUEST_TIMEOUT,
        Fault::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        Fault::NotImplemented => StatusCode::NOT_IMPLEMENTED,
    }
}

/// KServe's V1 and V2 servers share their statuses.
const fn kserve_v1(fault: Fault) -> StatusCode {
    oip(fault)
}

const fn mlflow(fault: Fault) -> (StatusCode, &'static str) {
    let code = match fault {
        Fault::Kind(ErrorKind::Invalid) => "INVALID_PARAMETER_VALUE",
        Fault::Kind(ErrorKind::Unauthenticated) => "UNAUTHENTICATED",
        Fault::Kind(ErrorKind::Denied) => "PERMISSION_DENIED",
        Fault::Kind(ErrorKind::Missing) => "RESOURCE_DOES_NOT_EXIST",
        Fault::Kind(ErrorKind::Conflict) => "RESOURCE_CONFLICT",
        Fault::Kind(ErrorKind::Exhausted) => "RESOURCE_EXHAUSTED",
        Fault::Kind(ErrorKind::Unavailable) => "TEMPORARILY_UNAVAILABLE",
        Fault::Kind(ErrorKind::TimedOut) => "DEADLINE_EXCEEDED",
        Fault::Kind(ErrorKind::Internal) => "INTERNAL_ERROR",
        Fault::Malformed
        | Fault::TooLarge
        | Fault::UnsupportedMedia
        | Fault::SlowBody
        | Fault::WrongMethod => "BAD_REQUEST",
        Fault::NotImplemented => "NOT_IMPLEMENTED",
    };
    (oip(fault), code)
}

const fn admin(fault: Fault) -> (StatusCode, &'static str) {
    let code = match fault {
        Fault::Kind(ErrorKind::Invalid) => "invalid",
        Fault::Kind(ErrorKind::Unauthenticated) => "unauthenticated",
        Fault::Kind(ErrorKind::Denied) => "denied",
        Fault::Kind(ErrorKind::Missing) => "missing",
        Fault::Kind(ErrorKind::Conflict) => "conflict",
        Fault::Kind(ErrorKind::Exhausted) => "exhausted",
        Fault::Kind(ErrorKind::Unavailable) => "unavailable",
        Fault::Kind(ErrorKind::TimedOut) => "timed_out",
        Fault::Kind(ErrorKind::Internal) => "internal",
        Fault::Malformed => "malformed",
        Fault::TooLarge => "too_large",
        Fault::UnsupportedMedia => "unsupported_media",
        Fault::SlowBody => "slow_body",
        Fault::WrongMethod => "wrong_method",
        Fault::NotImplemented => "not_implemented",
    };
    (oip(fault), code)
}

impl From<PredictError> for Failure {
    fn from(error: PredictError) -> Self {
        let kind = error.kind();
        if kind == ErrorKind::Internal {
            tracing::error!(error = %error, "prediction failed");
        }
        let mut failure = Self::kind(kind, error.to_string());
        failure.retry_after_s = error.retry_after_s();
        failure
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        if let Some(source) = &error.source {
            tracing::error!(error = %error, cause = %source, "request failed");
        }
        Self::kind(error.kind, error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTS: [Fault; 6] = [
        Fault::Malformed,
        Fault::TooLarge,
        Fault::UnsupportedMedia,
        Fault::SlowBody,
        Fault::WrongMethod,
        Fault::NotImplemented,
    ];

    #[test]
    fn every_fault_has_the_status_that_the_documents_promise_in_every_dialect() {
        let expected = [400, 401, 403, 404, 409, 429, 503, 504, 500];
        for dialect in [
            Dialect::Oip,
            Dialect::KserveV1,
            Dialect::Mlflow,
            Dialect::Admin,
        ] {
            let kinds = KINDS.map(|kind| table(dialect, Fault::Kind(kind)).0.as_u16());
            assert_eq!(kinds, expected, "{dialect:?}");
            let others = FAULTS.map(|fault| table(dialect, fault).0.as_u16());
            assert_eq!(others, [400, 413, 415, 408, 405, 501], "{dialect:?}");
        }
    }

    #[test]
    fn codes_of_a_dialect_tell_the_kinds_apart() {
        for dialect in [Dialect::Mlflow, Dialect::Admin] {
            let codes: std::collections::HashSet<_> = KINDS
                .map(|kind| table(dialect, Fault::Kind(kind)).1)
                .into_iter()
                .collect();
            assert_eq!(codes.len(), KINDS.len(), "{dialect:?}");
        }
    }

    #[test]
    fn what_may_be_retried_says_when() {
        for kind in KINDS {
            let response = Failure::kind(kind, "x").respond(Dialect::Oip);
            let retry = response.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(retry, matches!(response.status().as_u16(), 429 | 503));
        }
    }

    #[test]
    fn a_problem_keeps_its_standard_members() {
        let failure = Failure::missing("no such model")
            .with_code("model_missing")
            .with_member("status", json!(200))
            .with_member("model", json!("m"));
        assert_eq!(
            failure.problem(StatusCode::NOT_FOUND, "missing"),
            json!({
                "type": "urn:tollgate:problem:model_missing",
                "title": "Not Found",
                "status": 404,
                "code": "model_missing",
                "detail": "no such model",
                "model": "m",
            })
        );
    }
}
