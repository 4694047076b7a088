//! Limits of the edge.

use domain::route::Access;
use std::time::Duration;

/// Limits that hold for every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeConfig {
    /// Most bytes of a prediction's body, as sent and again when decompressed.
    pub max_body_bytes: usize,
    /// Longest time a client may take to send a body.
    pub body_timeout: Duration,
    /// Longest time a client may take to send a request's head; also how long
    /// an idle connection is kept.
    pub head_timeout: Duration,
    /// Most bytes of a request's head (at least 8 KiB).
    pub max_head_bytes: usize,
    /// Requests answered at a time; the next one is turned away.
    pub max_in_flight: usize,
    /// Connections held at a time; the next one waits to be accepted.
    pub max_connections: usize,
    /// How long requests in flight may take to finish once draining starts.
    pub drain_timeout: Duration,
    /// Who may read `/metrics`.
    pub metrics_access: Access,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 16 << 20,
            body_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(30),
            max_head_bytes: 64 << 10,
            max_in_flight: 1024,
            max_connections: 8192,
            drain_timeout: Duration::from_secs(20),
            metrics_access: Access::Open,
        }
    }
}
