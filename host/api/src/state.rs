//! What handlers share.

use crate::{
    edge::{auth::Tokens, config::EdgeConfig, request_id::RequestIds},
    inference::face::Faces,
    metrics::Metrics,
};
use domain::{
    error::PortResult,
    ports::{Clock, Ids, store::Store},
};
use serving::Serving;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

/// Everything handlers need; one per server.
#[derive(Debug)]
pub struct ApiState {
    /// Routes in memory.
    pub serving: Arc<Serving>,
    /// The database.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Ids and randomness.
    pub ids: Arc<dyn Ids>,
    /// Limits.
    pub config: EdgeConfig,
    /// Tokens in memory; refresh after every change of tokens.
    pub tokens: Tokens,
    /// Counters.
    pub metrics: Metrics,
    pub(crate) faces: Faces,
    pub(crate) request_ids: RequestIds,
    pub(crate) in_flight: AtomicUsize,
    refreshing: tokio::sync::Mutex<()>,
    ready: AtomicBool,
}

impl ApiState {
    /// A state that knows no tokens yet and is not ready.
    pub fn new(
        serving: Arc<Serving>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        config: EdgeConfig,
    ) -> Self {
        let request_ids = RequestIds::new(ids.secret());
        Self {
            serving,
            store,
            clock,
            ids,
            config,
            tokens: Tokens::default(),
            metrics: Metrics::default(),
            faces: Faces::default(),
            request_ids,
            in_flight: AtomicUsize::new(0),
            refreshing: tokio::sync::Mutex::new(()),
            ready: AtomicBool::new(false),
        }
    }

    /// Reads the tokens again: at start, after a token was made or revoked, and
    /// now and then where several gateways share a database. One at a time, or
    /// what was read before a revocation could be put in place after it.
    pub async fn refresh_tokens(&self) -> PortResult<()> {
        let _one = self.refreshing.lock().await;
        self.tokens.refresh(&*self.store).await
    }

    /// Says whether load balancers should send requests: true once routes are
    /// loaded, false when draining starts.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Relaxed);
    }

    /// Requests being answered now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Whether this server wants requests.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }
}
