//! Settings of the plugin host.

use std::{ffi::OsString, path::PathBuf};

/// Settings of the plugin host; the defaults suit one gateway on a few cores.
#[derive(Debug, Clone)]
pub struct PluginConfig {
    /// Instances that may exist at once, over all plugins: running calls
    /// and warm instances. More calls are refused as busy.
    pub instances: u32,
    /// Ceiling for the linear memory of one instance, in bytes; a plugin's own
    /// limit can only be lower.
    pub max_memory_bytes: usize,
    /// Ceiling for the deadline of one call, in milliseconds.
    pub max_deadline_ms: u32,
    /// Largest component, in bytes.
    pub max_component_bytes: usize,
    /// Instances that a transform in warm mode keeps between calls.
    pub warm_instances: usize,
    /// Whether transforms in fresh mode start from a snapshot of their memory
    /// after `configure`, instead of being configured at every call.
    pub snapshot: bool,
    /// Failed calls in a row after which a plugin is switched off for a while.
    pub breaker_failures: u32,
    /// Command line of the compile worker, as in `["tollgate", "compile-worker"]`:
    /// a process that runs [`crate::compile_worker`]. Without one, components
    /// are compiled in this process.
    pub compiler: Option<Vec<OsString>>,
    /// Folder for compiled artifacts; none: each start compiles again.
    pub cache: Option<PathBuf>,
    /// Knobs of the instance allocator.
    pub tuning: Tuning,
}

impl Default for PluginConfig {
    fn default() -> Self {
        Self {
            instances: 256,
            max_memory_bytes: 256 << 20,
            max_deadline_ms: 10_000,
            max_component_bytes: 32 << 20,
            warm_instances: 16,
            snapshot: true,
            breaker_failures: 5,
            compiler: None,
            cache: None,
            tuning: Tuning::default(),
        }
    }
}

/// Knobs of the instance allocator. `examples/calls.rs` measures each.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Instances come from a pool of reserved memory, if the address space has
    /// room for it.
    pub pooling: bool,
    /// Memory images are mapped copy-on-write instead of copied.
    pub memory_init_cow: bool,
    /// Bytes of an instance's memory that are cleared in place when it is
    /// dropped; what lies beyond goes back to the kernel and faults again.
    pub memory_keep_resident: usize,
    /// The same for tables.
    pub table_keep_resident: usize,
    /// Ask the kernel which pages were written, and clear only those.
    pub pagemap_scan: bool,
    /// Free slots that remember which component they held last.
    pub max_unused_warm_slots: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            pooling: true,
            memory_init_cow: true,
            memory_keep_resident: 1 << 20,
            table_keep_resident: 64 << 10,
            pagemap_scan: true,
            max_unused_warm_slots: 100,
        }
    }
}
