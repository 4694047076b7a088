//! Bodies, bounded in size and in the time they take to arrive.

use crate::edge::{
    config::EdgeConfig,
    error::{Failure, Fault},
};
use axum::body::Body;
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::io::Read;
use tokio::runtime::RuntimeFlavor;

/// Work on more bytes than this moves other requests off its thread first.
const INLINE_BYTES: usize = 64 << 10;

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
}

/// The whole body, decompressed. TooLarge beyond the limit (before or after
/// decompression), SlowBody when it does not arrive in time, UnsupportedMedia
/// for an unknown encoding.
pub async fn read(headers: &HeaderMap, body: Body, config: &EdgeConfig) -> Result<Bytes, Failure> {
    let limit = config.max_body_bytes;
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let coding = coding(headers)?;
    let collect = Limited::new(body, limit).collect();
    let collected = serving::lane::within(config.body_timeout, collect)
        .await
        .ok_or_else(|| {
            Failure::new(
                Fault::SlowBody,
                format!(
                    "the body did not arrive within {} ms",
                    config.body_timeout.as_millis()
                ),
            )
        })?;
    let bytes = collected
        .map_err(|error| {
            if error.downcast_ref::<LengthLimitError>().is_some() {
                too_large(limit)
            } else {
                Failure::malformed("the body could not be read to its end")
            }
        })?
        .to_bytes();
    match coding {
        None => Ok(bytes),
        Some(coding) => work_on(bytes.len(), || unpack(coding, &bytes, limit)),
    }
}

/// Runs CPU work on a body of `bytes` bytes. When that is much, the runtime's
/// other tasks move to another thread first, so that they do not wait for it.
pub(crate) fn work_on<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let flavor = || tokio::runtime::Handle::current().runtime_flavor();
    if bytes > INLINE_BYTES && flavor() == RuntimeFlavor::MultiThread {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

fn too_large(limit: usize) -> Failure {
    Failure::new(
        Fault::TooLarge,
        format!("the body is larger than the limit of {limit} bytes"),
    )
}

fn coding(headers: &HeaderMap) -> Result<Option<Coding>, Failure> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(None);
    };
    match value.as_bytes().trim_ascii() {
        b"" | b"identity" => Ok(None),
        b"gzip" | b"x-gzip" => Ok(Some(Coding::Gzip)),
        b"deflate" => Ok(Some(Coding::Deflate)),
        other => Err(Failure::new(
            Fault::UnsupportedMedia,
            format!(
                "content encoding {:?} is not supported: use gzip, deflate or none",
                String::from_utf8_lossy(other.get(..32).unwrap_or(other))
            ),
        )),
    }
}

fn unpack(coding: Coding, bytes: &[u8], limit: usize) -> Result<Bytes, Failure> {
    match coding {
        Coding::Gzip => drain(MultiGzDecoder::new(bytes), bytes.len(), limit),
        // By the standard "deflate" is the zlib format; some send it bare.
        Coding::Deflate if bytes.first().is_some_and(|first| first & 15 == 8) => {
            drain(ZlibDecoder::new(bytes), bytes.len(), limit)
        }
        Coding::Deflate => drain(DeflateDecoder::new(bytes), bytes.len(), limit),
    }
}

fn drain(decoder: impl Read, packed: usize, limit: usize) -> Result<Bytes, Failure> {
    let mut out = Vec::with_capacity(packed.saturating_mul(4).min(limit));
    // One byte more than allowed, to tell a full body from a larger one.
    let mut bounded = decoder.take((limit as u64).saturating_add(1));
    bounded
        .read_to_end(&mut out)
        .map_err(|_| Failure::malformed("the body is not validly compressed"))?;
    if out.len() > limit {
        return Err(too_large(limit));
    }
    Ok(out.into())
}
