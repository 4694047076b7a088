//! A transform on trial.

use super::{Session, Stop, Subject, Tried, World};
use crate::{
    bindings::transform::{Transform, tollgate::plugin::tensors},
    convert,
};
use domain::{
    batch::{Batch, Contract},
    plugin::{PluginKind, PluginLimits},
    ports::engine::PluginError,
    tensor::Tensor,
};

/// A configured instance with its contract.
#[derive(Debug)]
pub struct TransformSession {
    session: Session<Transform>,
    /// What it takes and gives under its settings.
    pub contract: Contract,
    raw_inputs: bool,
}

impl Subject<'_> {
    /// A new instance of a transform, configured; the cost is that of making
    /// and configuring it. `settings` is canonical JSON.
    pub fn transform(&self, settings: &str, limits: &PluginLimits) -> Tried<TransformSession> {
        let World::Transform(pre) = &self.world else {
            return Tried::stopped(self.not(PluginKind::Transform));
        };
        let started = Session::start(self, limits, None, |store| {
            let guest = pre.instantiate(&mut *store)?;
            let configured = guest
                .tollgate_plugin_transformer()
                .call_configure(store, settings)?;
            Ok(configured.map(|()| guest))
        });
        started.and_then(|mut session| {
            let described = session.call(|guest, store| {
                let guest = guest.tollgate_plugin_transformer();
                guest.call_describe(store).map(Ok)
            });
            let given = described.outcome?;
            let contract = convert::contract(&given)
                .map_err(|why| Stop::Broken(PluginError::Contract(why)))?;
            Ok(TransformSession {
                session,
                contract,
                raw_inputs: given.raw_inputs,
            })
        })
    }
}

impl TransformSession {
    /// Runs one batch; outputs stand in contract order, shapes checked.
    pub fn apply(&mut self, batch: &Batch) -> Tried<Vec<Tensor>> {
        let Ok(rows) = u32::try_from(batch.rows) else {
            let why = "the batch has too many rows".to_owned();
            return Tried::stopped(Stop::Broken(PluginError::Contract(why)));
        };
        let raw = self.raw_inputs.then(|| convert::raw(batch));
        let blocks = convert::blocks(batch, raw.as_deref());
        let given = tensors::Batch {
            rows,
            blocks: &blocks,
        };
        let tried = self
            .session
            .call(|guest, store| guest.tollgate_plugin_transformer().call_apply(store, given));
        tried.and_then(|outputs| {
            convert::outputs(&self.contract, batch.rows, outputs)
                .map_err(|why| Stop::Broken(PluginError::Contract(why)))
        })
    }
}
