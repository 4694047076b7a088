//! Routes that do not load: when each is tried again, and what its callers hear.

use domain::{
    error::ErrorKind,
    name::EndpointName,
    route::{Endpoint, EndpointSettings, Route},
    time::Timestamp,
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Pause after the first failure, in milliseconds; each one is twice as long as
/// the one before.
pub const FIRST_PAUSE_MS: i64 = 5_000;
/// Longest pause, in milliseconds.
pub const LONGEST_PAUSE_MS: i64 = 300_000;

/// Why an endpoint answers nothing although a version was promoted to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotLoaded {
    /// Class of the reason, in words for callers. The cause is in the log.
    pub reason: &'static str,
    /// Seconds until the next try.
    pub retry_after_s: u64,
}

impl NotLoaded {
    pub(crate) fn new(kind: ErrorKind, pause_ms: i64) -> Self {
        let reason = match kind {
            ErrorKind::Unavailable => "a part it needs cannot be reached",
            ErrorKind::Exhausted | ErrorKind::TimedOut => "there was no room or time for it",
            ErrorKind::Missing => "a record it needs is gone",
            _ => "its file or transform is missing, changed or no longer understood",
        };
        Self {
            reason,
            retry_after_s: u64::try_from(pause_ms).unwrap_or(0).div_ceil(1000),
        }
    }
}

/// What is known against one endpoint's record.
#[derive(Debug)]
struct Trouble {
    route: Route,
    settings: EndpointSettings,
    pause_ms: i64,
    retry_at: Timestamp,
}

impl Trouble {
    fn is_about(&self, endpoint: &Endpoint) -> bool {
        self.route == endpoint.route && self.settings == endpoint.settings
    }
}

/// All records that did not load when they were last tried.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<HashMap<EndpointName, Trouble>>);

impl Troubles {
    /// Whether to try this record: it is another one than failed, or its pause
    /// is over.
    pub(crate) fn is_due(&self, endpoint: &Endpoint, now: Timestamp) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&endpoint.name)
            .is_none_or(|trouble| !trouble.is_about(endpoint) || trouble.retry_at <= now)
    }

    /// Notes that this record did not load; the pause until the next try, in
    /// milliseconds.
    pub(crate) fn failed(&self, endpoint: &Endpoint, now: Timestamp) -> i64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(&endpoint.name);
        let pause_ms = before
            .filter(|trouble| trouble.is_about(endpoint))
            .map_or(FIRST_PAUSE_MS, |trouble| {
                trouble.pause_ms.saturating_mul(2).min(LONGEST_PAUSE_MS)
            });
        let trouble = Trouble {
            route: endpoint.route.clone(),
            settings: endpoint.settings.clone(),
            pause_ms,
            retry_at: Timestamp(now.0.saturating_add(pause_ms)),
        };
        all.insert(endpoint.name.clone(), trouble);
        pause_ms
    }

    /// Notes that the endpoint's record loaded.
    pub(crate) fn over(&self, endpoint: &EndpointName) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(endpoint);
    }
}
