//! Compression of answers, when asked for and worth it.

use crate::edge::body::work_on;
use axum::{body::Body, response::Response};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::io::Write;

/// Bodies up to this size are sent as they are.
const SMALLEST: u64 = 1024;

/// Whether the caller takes gzip.
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let refused = parts
                .filter_map(|part| part.strip_prefix("q="))
                .any(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
            (coding.eq_ignore_ascii_case("gzip") || coding == "*") && !refused
        })
}

/// The response, packed if its body is of known size and large enough.
pub(crate) async fn gzip(response: Response) -> Response {
    let size = response.body().size_hint().exact();
    if size.is_none_or(|size| size <= SMALLEST)
        || response.headers().contains_key(header::CONTENT_ENCODING)
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(plain) = body.collect().await.map(|body| body.to_bytes()) else {
        return Response::from_parts(parts, Body::empty());
    };
    let packed = work_on(plain.len(), || pack(&plain));
    parts
        .headers
        .insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let Some(packed) = packed else {
        return Response::from_parts(parts, Body::from(plain));
    };
    parts
        .headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(packed))
}

fn pack(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 3), Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_ask_get_gzip() {
        let asks = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::ACCEPT_ENCODING,
                HeaderValue::from_str(value).unwrap(),
            );
            wanted(&headers)
        };
        assert!(asks("gzip") && asks("br, GZIP;q=0.5") && asks("*"));
        assert!(!asks("br") && !asks("gzip;q=0") && !asks("identity") && !asks(""));
        assert!(!wanted(&HeaderMap::new()));
    }
}
