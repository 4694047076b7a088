//! The load: keep-alive connections on one thread, each sending its next request
//! when the last is answered.
//!
//! The thread never sleeps. A client that does is woken by each answer, and on
//! one machine the kernel charges that to the server's write and takes the core
//! from it: the same server then costs twice as much when it is slow enough for
//! the client to fall asleep, and servers could not be compared.

use anyhow::{Context as _, Result, bail};
use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
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
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        callers.push(Caller::connect(target)?);
    }
    let began = Instant::now();
    let mut micros = Vec::with_capacity(1 << 20);
    for caller in &mut callers {
        caller.send(&target.request)?;
    }
    while began.elapsed() < time {
        for caller in &mut callers {
            if let Some(latency) = caller.poll()? {
                micros.push(latency);
                caller.send(&target.request)?;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    micros.sort_unstable();
    let at = |share: f64| {
        let index = (micros.len() as f64 * share) as usize;
        let index = index.min(micros.len().saturating_sub(1));
        micros.get(index).map_or(0.0, |us| f64::from(*us) / 1e3)
    };
    Ok(Loaded {
        requests: micros.len() as u64,
        seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
    })
}

/// One connection with one request under way.
struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
    had: usize,
    sent: Instant,
}

impl Caller {
    fn connect(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(&target.address)
            .with_context(|| format!("connecting to {}", target.address))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 64 << 10],
            had: 0,
            sent: Instant::now(),
        })
    }

    fn send(&mut self, request: &[u8]) -> Result<()> {
        self.had = 0;
        self.sent = Instant::now();
        // The last request was answered, so the socket has room for this one.
        Ok(self.stream.write_all(request)?)
    }

    /// Microseconds since the request was sent, if all of the answer is there.
    fn poll(&mut self) -> Result<Option<u32>> {
        let free = self.buffer.get_mut(self.had..).unwrap_or_default();
        match self.stream.read(free) {
            Ok(0) => bail!("the server closed the connection, or the answer is too long"),
            Ok(read) => self.had += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let seen = self.buffer.get(..self.had).unwrap_or_default();
        let whole = lengths(seen)?.is_some_and(|(head, body)| self.had >= head + body);
        let micros = u32::try_from(self.sent.elapsed().as_micros()).unwrap_or(u32::MAX);
        Ok(whole.then_some(micros))
    }
}

/// Lengths of head and body, once the head is there.
fn lengths(seen: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = seen.get(..end).unwrap_or_default();
    if !head.starts_with(b"HTTP/1.1 200") {
        bail!("not a good answer: {}", String::from_utf8_lossy(seen));
    }
    const NAME: &[u8] = b"content-length:";
    let length = head.split(|byte| *byte == b'\n').find_map(|line| {
        let name = line.get(..NAME.len())?;
        let value = name
            .eq_ignore_ascii_case(NAME)
            .then(|| line.get(NAME.len()..))??;
        std::str::from_utf8(value).ok()?.trim().parse().ok()
    });
    let length: usize = length.context("the answer says no length")?;
    Ok(Some((end + 4, length)))
}

/// Sends the request once; the body of the answer.
pub(crate) fn once(target: &Target) -> Result<Vec<u8>> {
    let mut caller = Caller::connect(target)?;
    caller.stream.set_nonblocking(false)?;
    caller.send(&target.request)?;
    while caller.poll()?.is_none() {}
    let seen = caller.buffer.get(..caller.had).unwrap_or_default();
    let (head, _) = lengths(seen)?.context("no head")?;
    Ok(seen.get(head..).unwrap_or_default().to_vec())
}
