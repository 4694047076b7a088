//! The load: keep-alive connections on one thread, each sending its next request
//! when the last is answered. Raw sockets, so that the generator costs little of
//! the machine that it shares with the server.

use anyhow::{Context as _, Result, ensure};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Connections at a time.
pub(crate) const CONNECTIONS: usize = 16;

/// A request, ready to send, and who answers it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Host and port.
    pub(crate) address: String,
    /// Head and body.
    pub(crate) request: Vec<u8>,
}

impl Target {
    /// A JSON request with a token.
    pub(crate) fn new(address: &str, path: &str, token: &str, body: &str) -> Self {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self {
            address: address.to_owned(),
            request: request.into_bytes(),
        }
    }
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loaded {
    /// Requests answered.
    pub(crate) requests: u64,
    /// Wall clock.
    pub(crate) seconds: f64,
    /// Median latency, in milliseconds.
    pub(crate) p50_ms: f64,
    /// 99th percentile, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// Loads a target for a while. Any answer but 200 is an error.
pub(crate) fn load(target: &Target, time: Duration) -> Result<Loaded> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let began = Instant::now();
        let end = began + time;
        let mut callers = Vec::new();
        for _ in 0..CONNECTIONS {
            callers.push(tokio::spawn(call_until(target.clone(), end)));
        }
        let mut micros = Vec::new();
        for caller in callers {
            micros.append(&mut caller.await??);
        }
        let seconds = began.elapsed().as_secs_f64();
        micros.sort_unstable();
        let at = |share: f64| {
            let index = (micros.len() as f64 * share) as usize;
            micros
                .get(index.min(micros.len().saturating_sub(1)))
                .map_or(0.0, |us| f64::from(*us) / 1e3)
        };
        Ok(Loaded {
            requests: micros.len() as u64,
            seconds,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
        })
    })
}

async fn call_until(target: Target, end: Instant) -> Result<Vec<u32>> {
    let mut micros = Vec::with_capacity(1 << 16);
    let mut stream = TcpStream::connect(&target.address)
        .await
        .with_context(|| format!("connecting to {}", target.address))?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let sent = Instant::now();
        if sent >= end {
            return Ok(micros);
        }
        stream.write_all(&target.request).await?;
        answer(&mut stream, &mut buffer).await?;
        micros.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
}

/// Reads one answer; gives the length of its head and of all of it.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(usize, usize)> {
    let mut had = 0;
    let mut whole = None;
    loop {
        let free = buffer.get_mut(had..).unwrap_or_default();
        let read = stream.read(free).await?;
        ensure!(
            read > 0,
            "the server closed the connection, or the answer is too long"
        );
        had += read;
        let seen = buffer.get(..had).unwrap_or_default();
        if whole.is_none() {
            whole = lengths(seen)?;
        }
        if let Some((head, body)) = whole
            && had >= head + body
        {
            return Ok((head, head + body));
        }
    }
}

/// Lengths of head and body, once the head is there.
fn lengths(seen: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(seen.get(..end).unwrap_or_default()).into_owned();
    ensure!(
        head.starts_with("HTTP/1.1 200"),
        "not a good answer: {}",
        String::from_utf8_lossy(seen)
    );
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    let length: usize = length.context("the answer says no length")?;
    Ok(Some((end + 4, length)))
}

/// Sends the request once; the body of the answer.
pub(crate) fn once(target: &Target) -> Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut stream = TcpStream::connect(&target.address).await?;
        stream.write_all(&target.request).await?;
        let mut buffer = vec![0; 64 << 10];
        let (head, whole) = answer(&mut stream, &mut buffer).await?;
        Ok(buffer.get(head..whole).unwrap_or_default().to_vec())
    })
}
