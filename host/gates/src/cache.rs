//! Prepared gates by bundle digest, the least recently used dropped first.

use domain::digest::Digest;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// A checked bundle, parsed and ready; cloned for every evaluation.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// regorus with modules and parameters loaded. Clones share everything.
    pub(crate) engine: regorus::Engine,
    /// Path of the decision, as in `data.tollgate.gates.quality.decision`.
    pub(crate) entry: String,
    /// Paths of the test rules, when loaded with tests.
    pub(crate) tests: Vec<String>,
}

/// The cache; a linear scan for the oldest is fine at its size.
#[derive(Debug)]
pub(crate) struct Cache {
    capacity: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    tick: u64,
    by_digest: HashMap<Digest, (u64, Arc<Prepared>)>,
}

impl Cache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            entries: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Prepared>> {
        let mut entries = self.entries.lock();
        entries.tick += 1;
        let now = entries.tick;
        let (used, prepared) = entries.by_digest.get_mut(digest)?;
        *used = now;
        Some(Arc::clone(prepared))
    }

    pub(crate) fn put(&self, digest: Digest, prepared: Prepared) -> Arc<Prepared> {
        let prepared = Arc::new(prepared);
        let mut entries = self.entries.lock();
        entries.tick += 1;
        let now = entries.tick;
        entries
            .by_digest
            .insert(digest, (now, Arc::clone(&prepared)));
        if entries.by_digest.len() > self.capacity {
            let oldest = entries.by_digest.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                entries.by_digest.remove(&oldest);
            }
        }
        prepared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = Cache::new(2);
        let prepared = || Prepared {
            engine: regorus::Engine::new(),
            entry: String::new(),
            tests: Vec::new(),
        };
        let [a, b, c] = ["a", "b", "c"].map(|name| Digest::of(name.as_bytes()));
        cache.put(a, prepared());
        cache.put(b, prepared());
        assert!(cache.get(&a).is_some());
        cache.put(c, prepared());
        assert!(cache.get(&b).is_none(), "b was used longest ago");
        assert!(cache.get(&a).is_some() && cache.get(&c).is_some());
    }
}
