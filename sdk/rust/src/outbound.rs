//! The only way out of the sandbox, for actions only: one HTTP request at a
//! time, to a target that the operator granted.

pub use crate::action::bindings::tollgate::plugin::outbound::{
    Header, Method, Refusal, Request, Response,
};
use crate::failure::Failure;

/// Sends one request and waits for the response. In native tests the fake host
/// answers; see [`crate::fake`].
///
/// # Errors
/// When there is no response; `?` turns that into an `upstream` failure, to be
/// tried again where it may help.
pub fn send(request: &Request) -> Result<Response, Refusal> {
    #[cfg(target_arch = "wasm32")]
    return crate::action::bindings::tollgate::plugin::outbound::send(request);
    #[cfg(not(target_arch = "wasm32"))]
    crate::fake::send(request)
}

impl Request {
    /// A request without headers and body. `target` is the name of a grant;
    /// `path` starts with `/` and stays below the grant's prefix.
    #[must_use]
    pub fn new(method: Method, target: &str, path: &str) -> Self {
        Self {
            target: target.into(),
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A POST.
    #[must_use]
    pub fn post(target: &str, path: &str) -> Self {
        Self::new(Method::Post, target, path)
    }

    /// Adds a header; names are lower-case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(Header {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value as JSON, and its content type.
    ///
    /// # Errors
    /// When the value has no JSON form.
    #[cfg(feature = "json")]
    pub fn json(self, value: &impl serde::Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(value)
            .map_err(|why| Failure::internal("bad-body", why.to_string()))?;
        Ok(self.header("content-type", "application/json").body(body))
    }
}

impl Response {
    /// The response, if its status is 200 to 299.
    ///
    /// # Errors
    /// An `upstream` failure with the status, worth another try from 500 on and
    /// for 408 and 429.
    pub fn success(self) -> Result<Self, Failure> {
        match self.status {
            200..=299 => Ok(self),
            status => {
                let failure = Failure::upstream("bad-status", format!("it answered {status}"));
                Err(match status {
                    408 | 429 | 500.. => failure.retry_later(),
                    _ => failure,
                })
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (code, why) = match refusal {
            Refusal::NotGranted => ("not-granted", "the operator granted no such request"),
            Refusal::Malformed => ("malformed", "the request breaks a rule of the interface"),
            Refusal::Unreachable => ("unreachable", "no connection could be made, or it broke"),
            Refusal::TimedOut => ("timed-out", "there was no answer in time"),
            Refusal::TooLarge => ("too-large", "the request or response is over its limit"),
            Refusal::Exhausted => ("exhausted", "the call's number of requests is spent"),
        };
        let failure = Self::upstream(code, why);
        match refusal {
            Refusal::Unreachable | Refusal::TimedOut => failure.retry_later(),
            _ => failure,
        }
    }
}
