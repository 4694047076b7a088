//! Plugin revisions.

use crate::{Registry, RegistryError, error::off_thread};
use domain::{
    digest::Digest,
    json::canonical,
    ledger::Actor,
    name::PluginName,
    plugin::{PluginLimits, PluginRevision},
};
use serde_json::json;
use std::sync::Arc;

/// Largest settings document, in bytes of canonical JSON.
pub const MAX_SETTINGS: usize = 1 << 20;
/// Largest budgets that may be asked for.
pub const MAX_LIMITS: PluginLimits = PluginLimits {
    deadline_ms: 10_000,
    memory_bytes: 256 << 20,
    output_bytes: 64 << 20,
    isolation: domain::plugin::Isolation::Warm,
    max_reuse: 1_000_000,
};

/// A revision to register.
#[derive(Debug, Clone)]
pub struct NewPluginRevision {
    /// The plugin; made by its first revision.
    pub plugin: PluginName,
    /// Digest of the uploaded component.
    pub component: Digest,
    /// Settings for `configure`.
    pub settings: serde_json::Value,
    /// Budgets.
    pub limits: PluginLimits,
}

impl Registry {
    /// Admits a component with its settings and registers the revision. The
    /// same component, settings and limits again give the same revision.
    pub async fn create_plugin_revision(
        &self,
        new: NewPluginRevision,
        actor: &Actor,
    ) -> Result<PluginRevision, RegistryError> {
        check_limits(&new.limits)?;
        let settings =
            canonical(&new.settings).map_err(|_| RegistryError::NotCanonical("settings"))?;
        if settings.len() > MAX_SETTINGS {
            return Err(RegistryError::Field {
                field: "settings",
                message: format!("{} bytes of JSON, at most {MAX_SETTINGS}", settings.len()),
            });
        }
        let digest = PluginRevision::digest_of(&new.component, &settings, &new.limits);
        if let Some(known) = self.store.revision(&digest).await? {
            if known.plugin == new.plugin {
                return Ok(known);
            }
            return Err(RegistryError::Field {
                field: "plugin",
                message: format!(
                    "this component with these settings is registered as {}",
                    known.plugin
                ),
            });
        }
        let component =
            self.artifacts
                .read(&new.component)
                .await?
                .ok_or_else(|| RegistryError::Missing {
                    what: "artifact",
                    name: new.component.to_string(),
                    remedy: "upload the component first",
                })?;
        let size = component.len() as u64;
        let engine = Arc::clone(&self.plugins);
        let limits = new.limits.clone();
        let admitted = off_thread("admitting the component", move || {
            engine.admit(&component, &settings, &limits)
        })
        .await??;
        let revision = PluginRevision {
            plugin: new.plugin,
            digest,
            component: new.component,
            size,
            kind: admitted.kind,
            wit_version: admitted.wit_version,
            settings: new.settings,
            limits: new.limits,
            contract: admitted.contract,
            created_by: actor.name.clone(),
            created_at: self.clock.now(),
        };
        let body =
            json!({ "digest": digest, "component": revision.component, "kind": revision.kind });
        let subject = format!("plugin/{}", revision.plugin);
        let entry = self.entry("plugin.admitted", subject, actor, &body)?;
        self.store.insert_revision(&revision, entry).await?;
        Ok(revision)
    }
}

fn check_limits(limits: &PluginLimits) -> Result<(), RegistryError> {
    let beyond = |what: &str, given: u64, most: u64| {
        (given == 0 || given > most)
            .then(|| format!("{what} must be from 1 to {most}, not {given}"))
    };
    let most = &MAX_LIMITS;
    let problem = beyond(
        "deadline_ms",
        limits.deadline_ms.into(),
        most.deadline_ms.into(),
    )
    .or_else(|| beyond("memory_bytes", limits.memory_bytes, most.memory_bytes))
    .or_else(|| beyond("output_bytes", limits.output_bytes, most.output_bytes))
    .or_else(|| beyond("max_reuse", limits.max_reuse.into(), most.max_reuse.into()));
    problem.map_or(Ok(()), |message| {
        Err(RegistryError::Field {
            field: "limits",
            message,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_nothing_or_of_everything_are_refused() {
        assert!(check_limits(&PluginLimits::default()).is_ok());
        for limits in [
            PluginLimits {
                deadline_ms: 0,
                ..PluginLimits::default()
            },
            PluginLimits {
                memory_bytes: u64::MAX,
                ..PluginLimits::default()
            },
        ] {
            assert!(check_limits(&limits).is_err());
        }
    }
}
