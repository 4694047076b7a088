//! The one wasmtime engine of the process, and the thread that moves its clock.

use crate::config::{PluginConfig, Tuning};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

/// Resolution of deadlines, in milliseconds. Each tick takes a processor from a
/// thread that may be answering: ten in the default deadline showed in the tail.
pub(crate) const TICK_MS: u32 = 5;
/// Ticks without a running call after which the ticker goes to sleep.
const IDLE_TICKS: u32 = 10;

/// What compiled code depends on. The compile worker uses the same values, or
/// its artifacts would be refused.
fn code_config(tuning: &Tuning) -> Config {
    let mut config = Config::new();
    config
        // Winch cannot do epochs and had several escapes; Cranelift only.
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(wasmtime::OptLevel::Speed)
        .epoch_interruption(true)
        .consume_fuel(false)
        .concurrency_support(false)
        .memory_init_cow(tuning.memory_init_cow)
        .max_wasm_stack(512 << 10)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // Results then do not depend on which NaN a processor makes; the cost
        // is one comparison per float operation that could make one.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    // Proposals that no guest toolchain here needs; each is attack surface.
    config
        .wasm_simd(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_tail_call(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .gc_support(false)
        .wasm_threads(false)
        .shared_memory(false);
    config
}

/// An engine that compiles and does not run: for the compile worker.
pub(crate) fn compiling_engine(tuning: &Tuning) -> wasmtime::Result<Engine> {
    Engine::new(&code_config(tuning))
}

/// The engine that runs plugins, with pooled instances where the address space
/// has room for them.
pub(crate) fn running_engine(config: &PluginConfig) -> wasmtime::Result<Engine> {
    engine_over(config, &code_config(&config.tuning))
}

/// The same engine, and its code counts fuel: what a call costs, in numbers
/// that come again. Counting slows code down, so only trials run in it.
pub(crate) fn metered_engine(config: &PluginConfig) -> wasmtime::Result<Engine> {
    engine_over(config, code_config(&config.tuning).consume_fuel(true))
}

fn engine_over(config: &PluginConfig, code: &Config) -> wasmtime::Result<Engine> {
    if config.tuning.pooling {
        let mut pooled = code.clone();
        pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
        match Engine::new(&pooled) {
            Ok(engine) => return Ok(engine),
            Err(error) => tracing::warn!(
                target: "plugins",
                "no pool of plugin instances, calls will be slower: {error:#}"
            ),
        }
    }
    Engine::new(code)
}

fn pool(config: &PluginConfig) -> PoolingAllocationConfig {
    let tuning = &config.tuning;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(config.instances)
        .total_memories(config.instances)
        // A component that imports something has a shim and a fixup module
        // beside its own, and a table; one from Python is linked from 38. The
        // total is a counter: nothing is reserved for it.
        .total_core_instances(config.instances.saturating_mul(48))
        .total_tables(config.instances.saturating_mul(2))
        .total_stacks(1)
        .total_gc_heaps(1)
        .max_core_instances_per_component(48)
        .max_memories_per_component(1)
        .max_tables_per_component(4)
        .table_elements(20_000)
        .max_memory_size(config.max_memory_bytes)
        .linear_memory_keep_resident(tuning.memory_keep_resident)
        .table_keep_resident(tuning.table_keep_resident)
        .max_unused_warm_slots(tuning.max_unused_warm_slots)
        .pagemap_scan(if tuning.pagemap_scan {
            Enabled::Auto
        } else {
            Enabled::No
        });
    pool
}

/// Moves the engine's epoch once a tick while calls are running, from a
/// thread of its own, which no executor can starve.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: thread::Thread,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
}

impl Ticker {
    /// Starts the thread; it ends by itself when the engine and ticker are gone.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, weak) = (engine.weak(), Arc::downgrade(&shared));
        let handle = thread::Builder::new()
            .name("plugin-ticker".into())
            .spawn(move || tick(&engine, &weak))?;
        Ok(Self {
            shared,
            thread: handle.thread().clone(),
        })
    }

    /// Keeps the clock running until the guard is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            self.thread.unpark();
        }
        Running(self)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

/// A call is running.
pub(crate) struct Running<'a>(&'a Ticker);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.shared.running.fetch_sub(1, SeqCst);
    }
}

fn tick(engine: &wasmtime::EngineWeak, shared: &Weak<Shared>) {
    let mut idle = 0;
    loop {
        thread::sleep(Duration::from_millis(TICK_MS.into()));
        let (Some(engine), Some(shared)) = (engine.upgrade(), shared.upgrade()) else {
            return;
        };
        engine.increment_epoch();
        drop(engine);
        idle = if shared.running.load(SeqCst) == 0 {
            idle + 1
        } else {
            0
        };
        if idle >= IDLE_TICKS {
            idle = 0;
            // Announce, look again, then sleep: a call that starts in between
            // sees the announcement and wakes us. The timeout notices the end
            // of the host.
            shared.asleep.store(true, SeqCst);
            if shared.running.load(SeqCst) == 0 {
                thread::park_timeout(Duration::from_secs(1));
            }
            shared.asleep.store(false, SeqCst);
        }
    }
}
