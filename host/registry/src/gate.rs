//! Gate revisions.

use crate::{Registry, RegistryError, error::off_thread};
use domain::{
    gate::{GateBundle, GateRevision},
    json::canonical_digest,
    ledger::Actor,
    name::GateName,
};
use serde_json::json;
use std::sync::Arc;

/// A gate to register.
#[derive(Debug, Clone)]
pub struct NewGate {
    /// Its name.
    pub name: GateName,
    /// Manifest and modules.
    pub bundle: GateBundle,
}

impl Registry {
    /// Checks a gate, runs its tests, and makes it the gate's current revision.
    pub async fn create_gate(
        &self,
        new: NewGate,
        actor: &Actor,
    ) -> Result<GateRevision, RegistryError> {
        let digest =
            canonical_digest(&new.bundle).map_err(|_| RegistryError::NotCanonical("bundle"))?;
        let engine = Arc::clone(&self.gates);
        let bundle = Arc::new(new.bundle);
        let checked = Arc::clone(&bundle);
        let tests = off_thread("checking the gate", move || {
            engine.admit(&checked)?;
            engine.test(&checked)
        })
        .await??;
        let none = tests.is_empty();
        let failed: Vec<_> = tests.into_iter().filter(|test| !test.passed).collect();
        if none || !failed.is_empty() {
            return Err(RegistryError::GateTests(failed));
        }
        let revision = GateRevision {
            name: new.name,
            digest,
            bundle: Arc::unwrap_or_clone(bundle),
            created_by: actor.name.clone(),
            created_at: self.clock.now(),
        };
        let body = json!({
            "digest": digest,
            "enforcement": revision.bundle.manifest.enforcement,
        });
        let subject = format!("gate/{}", revision.name);
        let entry = self.entry("gate.admitted", subject, actor, &body)?;
        self.store.insert_gate(&revision, entry).await?;
        Ok(revision)
    }
}
