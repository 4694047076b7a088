//! Registering models, versions, plugins and gates, and loading what was
//! registered.
//!
//! Nothing enters the registry that could not be used: a version is loaded, a
//! component admitted, a gate checked and its tests run, before the record is
//! written. [`Registry`] registers; [`Catalog`] loads versions for serving and
//! evaluation, the same code for both, so that what was judged is what serves.

#![forbid(unsafe_code)]

pub mod catalog;
pub mod error;
pub mod gate;
pub mod model;
pub mod plugin;

pub use catalog::Catalog;
pub use error::RegistryError;
pub use gate::NewGate;
pub use model::{NewModel, NewVersion};
pub use plugin::NewPluginRevision;

use domain::{
    json::canonical,
    ledger::{Actor, NewEntry},
    ports::{
        Clock,
        engine::{GateEngine, ModelLoader, PluginEngine},
        store::{Artifacts, Store},
    },
};
use std::sync::Arc;

/// The use cases of registering.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Records.
    pub store: Arc<dyn Store>,
    /// Files.
    pub artifacts: Arc<dyn Artifacts>,
    /// Checks models.
    pub loader: Arc<dyn ModelLoader>,
    /// Admits components.
    pub plugins: Arc<dyn PluginEngine>,
    /// Checks gates.
    pub gates: Arc<dyn GateEngine>,
    /// Dates records.
    pub clock: Arc<dyn Clock>,
}

impl Registry {
    /// A ledger entry dated now, with `body` in canonical JSON.
    fn entry(
        &self,
        event: &'static str,
        subject: String,
        actor: &Actor,
        body: &serde_json::Value,
    ) -> Result<NewEntry, RegistryError> {
        let body = canonical(body).map_err(|_| RegistryError::NotCanonical("record"))?;
        Ok(NewEntry {
            event,
            subject,
            actor: actor.clone(),
            at: self.clock.now(),
            body,
        })
    }
}
