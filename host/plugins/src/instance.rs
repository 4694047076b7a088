//! One instance of a transform: a store, and the two functions called in it.

use crate::{
    bindings::transform::{
        Transform, TransformPre,
        exports::tollgate::plugin::transformer::Contract,
        tollgate::plugin::tensors::{Batch, Tensor},
    },
    engine::Ticker,
    sandbox::{Sandbox, begin_call, store},
};
use domain::{plugin::PluginLimits, ports::engine::PluginError};
use std::sync::Arc;
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap};

/// A transform whose imports and exports are resolved: everything about an
/// instance that is the same each time.
#[derive(Clone)]
pub(crate) struct Blueprint {
    pub(crate) engine: Engine,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) pre: TransformPre<Sandbox>,
    pub(crate) plugin: Arc<str>,
    /// Handed to `configure` in every new instance; none for a component that
    /// starts configured.
    pub(crate) settings: Option<Arc<str>>,
    pub(crate) limits: PluginLimits,
}

/// A configured instance.
pub(crate) struct Instance {
    store: Store<Sandbox>,
    transform: Transform,
}

impl Blueprint {
    /// A new instance, instantiated and configured, that has seen no data.
    pub(crate) fn instance(&self) -> Result<Instance, PluginError> {
        let mut store = store(&self.engine, &self.plugin, &self.limits);
        let _running = self.ticker.running();
        begin_call(&mut store);
        let made = self.pre.instantiate(&mut store).and_then(|transform| {
            let guest = transform.tollgate_plugin_transformer();
            let configured = match &self.settings {
                Some(settings) => guest.call_configure(&mut store, settings)?,
                None => Ok(()),
            };
            Ok((transform, configured))
        });
        match made {
            Ok((transform, Ok(()))) => Ok(Instance { store, transform }),
            Ok((_, Err(failure))) => Err(crate::convert::failure(&failure)),
            Err(error) => Err(failed(&error, &store, &self.limits)),
        }
    }

    /// The contract under these settings, as the guest gave it.
    pub(crate) fn describe(&self, instance: &mut Instance) -> Result<Contract, PluginError> {
        let _running = self.ticker.running();
        let Instance { store, transform } = instance;
        begin_call(store);
        transform
            .tollgate_plugin_transformer()
            .call_describe(&mut *store)
            .map_err(|error| failed(&error, store, &self.limits))
    }

    /// Runs one batch; outputs are as the guest gave them.
    pub(crate) fn apply(
        &self,
        instance: &mut Instance,
        batch: Batch<'_>,
    ) -> Result<Vec<Tensor>, PluginError> {
        let _running = self.ticker.running();
        let Instance { store, transform } = instance;
        begin_call(store);
        let guest = transform.tollgate_plugin_transformer();
        match guest.call_apply(&mut *store, batch) {
            Ok(Ok(tensors)) => Ok(tensors),
            Ok(Err(failure)) => Err(crate::convert::failure(&failure)),
            Err(error) => Err(failed(&error, store, &self.limits)),
        }
    }
}

/// What an error of wasmtime means for the caller.
pub(crate) fn failed(
    error: &wasmtime::Error,
    store: &Store<Sandbox>,
    limits: &PluginLimits,
) -> PluginError {
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return PluginError::Busy;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => PluginError::Deadline {
            deadline_ms: limits.deadline_ms,
        },
        Some(trap) if store.data().memory_refused() => PluginError::Trap(format!(
            "{trap}, after it was refused more than its {} bytes of memory",
            limits.memory_bytes
        )),
        Some(trap) => PluginError::Trap(trap.to_string()),
        // Everything else is a value that cannot be read (a list out of bounds,
        // text that is not UTF-8) or a spent budget.
        None => PluginError::Contract(crate::sandbox::clean(&error.root_cause().to_string(), 512)),
    }
}
