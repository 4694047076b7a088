//! Counters of one variant, read by the metrics page.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a variant did since it was loaded.
#[derive(Debug, Default)]
pub struct VariantStats {
    answered: AtomicU64,
    failed: AtomicU64,
    rows: AtomicU64,
    batches: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// Requests answered.
    pub answered: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Rows answered.
    pub rows: u64,
    /// Batches of several requests that were run.
    pub batches: u64,
}

impl VariantStats {
    /// One request answered.
    pub fn answered(&self, rows: usize) {
        self.answered.fetch_add(1, Relaxed);
        self.rows.fetch_add(rows as u64, Relaxed);
    }

    /// One request failed.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// One batch of several requests was run.
    pub fn batched(&self) {
        self.batches.fetch_add(1, Relaxed);
    }

    /// The counters now.
    pub fn snapshot(&self) -> StatsSnapshot {
        StatsSnapshot {
            answered: self.answered.load(Relaxed),
            failed: self.failed.load(Relaxed),
            rows: self.rows.load(Relaxed),
            batches: self.batches.load(Relaxed),
        }
    }
}
