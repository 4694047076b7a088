//! Plugins: components of one of three kinds, named by digest.

use crate::{batch::Contract, digest::Digest, name::PluginName, time::Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which of the three worlds a component is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PluginKind {
    /// Turns a caller's fields into model inputs.
    Transform,
    /// Watches data for drift.
    Detector,
    /// Does something outside on rollback.
    Action,
}

impl std::fmt::Display for PluginKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Transform => "transform",
            Self::Detector => "detector",
            Self::Action => "action",
        })
    }
}

/// Whether a call gets an instance of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// A fresh instance for every call, dropped afterwards.
    #[default]
    Fresh,
    /// Instances are kept and used again, a bounded number of times.
    Warm,
}

/// Budgets of one call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PluginLimits {
    /// Deadline of a call, in milliseconds (resolution 5 ms; less than 10 counts as 10).
    pub deadline_ms: u32,
    /// Linear memory, in bytes.
    pub memory_bytes: u64,
    /// Bytes that may cross to the host at a time: a result, or one log line.
    pub output_bytes: u64,
    /// Instance policy.
    pub isolation: Isolation,
    /// In warm mode: calls after which an instance is dropped.
    pub max_reuse: u32,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            deadline_ms: 20,
            memory_bytes: 64 << 20,
            output_bytes: 8 << 20,
            isolation: Isolation::Fresh,
            max_reuse: 1000,
        }
    }
}

/// One admitted revision: a component with its settings. Immutable; `digest`
/// covers component, settings and limits, so it names everything that decides
/// what the plugin does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PluginRevision {
    /// The plugin.
    pub plugin: PluginName,
    /// Digest of component, settings and limits ([`PluginRevision::digest_of`]).
    pub digest: Digest,
    /// Digest of the component's bytes.
    pub component: Digest,
    /// Size of the component in bytes.
    pub size: u64,
    /// Which world it implements.
    pub kind: PluginKind,
    /// Version of the WIT package it was built for, as in `0.1.0`.
    pub wit_version: String,
    /// Settings handed to `configure`.
    pub settings: serde_json::Value,
    /// Budgets of a call.
    pub limits: PluginLimits,
    /// What a transform takes and gives under these settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// Who uploaded it.
    pub created_by: String,
    /// When it was admitted.
    pub created_at: Timestamp,
}

impl PluginRevision {
    /// The digest of a revision. `settings` is canonical JSON.
    pub fn digest_of(component: &Digest, settings: &str, limits: &PluginLimits) -> Digest {
        let limits = format!(
            "{} {} {} {:?} {}",
            limits.deadline_ms,
            limits.memory_bytes,
            limits.output_bytes,
            limits.isolation,
            limits.max_reuse
        );
        Digest::of_parts(
            "tollgate plugin revision 1",
            &[component.as_bytes(), settings.as_bytes(), limits.as_bytes()],
        )
    }
}
