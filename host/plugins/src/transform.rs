//! A transform in use: where its instances come from, and what happens when one
//! fails.

use crate::{
    bindings::transform::tollgate::plugin::tensors,
    breaker::Breaker,
    convert,
    instance::{Blueprint, Instance},
};
use domain::{
    batch::{Batch, Contract},
    plugin::Isolation,
    ports::engine::{PluginError, Transform},
    tensor::Tensor,
};
use parking_lot::Mutex;
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU32, Ordering},
};

/// A transform ready to run.
pub(crate) struct LoadedTransform {
    pub(crate) blueprint: Blueprint,
    pub(crate) contract: Contract,
    pub(crate) raw_inputs: bool,
    pub(crate) breaker: Breaker,
    pub(crate) warm: WarmInstances,
}

impl fmt::Debug for LoadedTransform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedTransform")
            .field("plugin", &self.blueprint.plugin)
            .finish_non_exhaustive()
    }
}

impl Transform for LoadedTransform {
    fn contract(&self) -> &Contract {
        &self.contract
    }

    fn apply(&self, batch: &Batch) -> Result<Vec<Tensor>, PluginError> {
        self.breaker
            .check()
            .map_err(|retry_after_ms| PluginError::Open { retry_after_ms })?;
        // A panic would be ours, not the guest's; it costs this call and this
        // instance, not the process.
        let result = catch_unwind(AssertUnwindSafe(|| self.call(batch)))
            .unwrap_or_else(|_| Err(PluginError::Trap("the host failed during the call".into())));
        match &result {
            Ok(_) | Err(PluginError::Failure { .. }) => self.breaker.succeeded(),
            Err(PluginError::Busy | PluginError::Open { .. }) => {}
            Err(error) => self.failed(error),
        }
        result
    }
}

impl LoadedTransform {
    fn call(&self, batch: &Batch) -> Result<Vec<Tensor>, PluginError> {
        match self.blueprint.limits.isolation {
            Isolation::Fresh => self.run(&mut self.blueprint.instance()?, batch),
            Isolation::Warm => {
                let (mut instance, uses) = match self.warm.take() {
                    Some(kept) => kept,
                    None => (self.blueprint.instance()?, self.warm.head_start()),
                };
                let result = self.run(&mut instance, batch);
                // After a trap, a late or a broken answer the instance is dropped.
                if matches!(result, Ok(_) | Err(PluginError::Failure { .. })) {
                    self.warm.put(instance, uses + 1);
                }
                result
            }
        }
    }

    fn run(&self, instance: &mut Instance, batch: &Batch) -> Result<Vec<Tensor>, PluginError> {
        let rows = u32::try_from(batch.rows)
            .map_err(|_| PluginError::Contract("the batch has too many rows".into()))?;
        let raw = self.raw_inputs.then(|| convert::raw(batch));
        let blocks = convert::blocks(batch, raw.as_deref());
        let blocks = tensors::Batch {
            rows,
            blocks: &blocks,
        };
        let tensors = self.blueprint.apply(instance, blocks)?;
        convert::outputs(&self.contract, batch.rows, tensors).map_err(PluginError::Contract)
    }

    fn failed(&self, error: &PluginError) {
        let plugin = &*self.blueprint.plugin;
        tracing::warn!(target: "plugins", plugin, "a transform call failed: {error}");
        if self.breaker.failed() {
            tracing::error!(target: "plugins", plugin, "the transform is switched off for a while");
        }
    }
}

/// Instances kept between calls.
pub(crate) struct WarmInstances {
    kept: Mutex<Vec<(Instance, u32)>>,
    limit: usize,
    max_reuse: u32,
    made: AtomicU32,
}

impl WarmInstances {
    pub(crate) fn new(limit: usize, max_reuse: u32) -> Self {
        Self {
            kept: Mutex::new(Vec::with_capacity(limit)),
            limit,
            max_reuse: max_reuse.max(1),
            made: AtomicU32::new(0),
        }
    }

    /// The instance used last: its memory is the likeliest to be in the cache.
    fn take(&self) -> Option<(Instance, u32)> {
        self.kept.lock().pop()
    }

    /// Keeps an instance that may be used again; the others are dropped after
    /// the lock.
    fn put(&self, instance: Instance, uses: u32) {
        if uses >= self.max_reuse {
            return;
        }
        let mut kept = self.kept.lock();
        if kept.len() < self.limit {
            kept.push((instance, uses));
        }
    }

    /// Uses that a new instance starts with: up to a tenth of its life, and
    /// another number each time, so that instances do not retire together and a
    /// plugin that depends on its past shows it.
    fn head_start(&self) -> u32 {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        // Multiplication by an odd constant spreads consecutive numbers.
        (made.wrapping_mul(0x9e37_79b9) >> 16) % (self.max_reuse / 10 + 1)
    }
}
