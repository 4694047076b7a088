//! One exchange with a peer, and what its answer means.
//!
//! Worth another try: no connection, no answer in time, 429 and 5xx. Everything
//! else would fail again. Messages carry the status and never a body, which may
//! repeat what was secret in the request.

use tollgate_plugin::{
    Failure,
    outbound::{Header, Method, Refusal, Request, Response},
};

/// Sends one request: the host's function, or a test's.
pub type Send<'a> = &'a mut dyn FnMut(Request) -> Result<Response, Refusal>;

/// A request with a JSON body.
#[must_use]
pub fn json(target: &str, method: Method, path: &str, body: &serde_json::Value) -> Request {
    Request {
        target: target.into(),
        method,
        path: path.into(),
        headers: vec![header("content-type", "application/json")],
        body: body.to_string().into_bytes(),
    }
}

/// A header.
#[must_use]
pub fn header(name: &str, value: &str) -> Header {
    Header {
        name: name.into(),
        value: value.into(),
    }
}

/// Sends; a response of any status is one.
pub fn send(request: Request, send: Send<'_>) -> Result<Response, Failure> {
    let target = request.target.clone();
    send(request).map_err(|refusal| refused(&target, refusal))
}

/// Whether the peer took it.
#[must_use]
pub const fn took(response: &Response) -> bool {
    matches!(response.status, 200..=299)
}

/// Value of a header of the response.
#[must_use]
pub fn value<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let header = response.headers.iter().find(|header| header.name == name);
    header.map(|header| header.value.as_str())
}

/// The failure for a response that is no success.
#[must_use]
pub fn failed(response: &Response) -> Failure {
    let status = response.status;
    let failure = |why: &str| {
        Failure::upstream(
            &format!("http-{status}"),
            format!("the peer answered {status}: {why}"),
        )
    };
    match status {
        429 => failure("it wants fewer requests").retry_later(),
        500..=599 => failure("it is out of order").retry_later(),
        300..=399 => failure("redirects are not followed; grant the address it leads to"),
        401 | 403 => failure("it does not accept the grant's credentials"),
        404 => failure("it knows no such path"),
        _ => failure("it does not accept the request"),
    }
}

fn refused(target: &str, refusal: Refusal) -> Failure {
    let failure =
        |code: &str, why: &str| Failure::upstream(code, format!("target {target:?}: {why}"));
    match refusal {
        Refusal::Unreachable => {
            failure("unreachable", "the connection could not be made or broke").retry_later()
        }
        Refusal::TimedOut => {
            failure("timed-out", "no answer within the grant's time").retry_later()
        }
        Refusal::NotGranted => failure(
            "not-granted",
            "no grant of this name allows the method and path; ask the operator",
        ),
        Refusal::Malformed => failure("malformed", "the request breaks a rule of the gateway"),
        Refusal::TooLarge => failure("too-large", "request or response is over the grant's limit"),
        Refusal::Exhausted => failure("exhausted", "the grant's number of requests is spent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16) -> Response {
        Response {
            status,
            headers: vec![],
            body: b"token=secret".to_vec(),
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in 100..600 {
            let response = response(status);
            if took(&response) {
                continue;
            }
            let failure = failed(&response);
            assert_eq!(
                failure.retryable,
                status == 429 || status >= 500,
                "{status}"
            );
            assert_eq!(failure.code, format!("http-{status}"));
            assert!(!failure.message.contains("secret"));
        }
        for refusal in [
            Refusal::Unreachable,
            Refusal::TimedOut,
            Refusal::NotGranted,
            Refusal::Malformed,
            Refusal::TooLarge,
            Refusal::Exhausted,
        ] {
            let passing = matches!(refusal, Refusal::Unreachable | Refusal::TimedOut);
            let request = json("hook", Method::Post, "/", &serde_json::json!({}));
            let failure = send(request, &mut |_| Err(refusal)).unwrap_err();
            assert_eq!(failure.retryable, passing);
            assert!(failure.message.starts_with("target \"hook\": "));
        }
    }
}
