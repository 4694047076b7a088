//! What surrounds one instance: memory limits, log budget, and its store.

use crate::{
    bindings::{
        action::tollgate::plugin::outbound,
        transform::tollgate::plugin::{failures, log, tensors},
    },
    engine::TICK_MS,
    trial::Tap,
};
use domain::plugin::PluginLimits;
use std::sync::Arc;
use wasmtime::{Engine, ResourceLimiter, Store, Trap, UpdateDeadline};

/// Table elements of one instance.
const MAX_TABLE_ELEMENTS: usize = 20_000;
/// Log lines that are kept from one call.
const KEPT_LINES: u32 = 64;
/// Log lines after which a call is ended.
const MAX_LINES: u32 = 1_000;
/// Times a call's deadline is put off while its thread waits for a processor.
const MAX_PUT_OFF: u32 = 20;
/// Bytes kept of one log line.
const LINE_BYTES: usize = 512;

/// Host state of one instance.
#[derive(Debug)]
pub(crate) struct Sandbox {
    plugin: Arc<str>,
    memory_limit: usize,
    memory_refused: bool,
    lines: u32,
    deadline_ms: u32,
    /// CPU time of this thread when half the deadline had passed, in
    /// nanoseconds, and how often the deadline was put off since.
    half_time: Option<u64>,
    put_off: u32,
    /// What a trial listens with; none in production.
    pub(crate) tap: Option<Box<Tap>>,
}

impl Sandbox {
    /// Called when half of the deadline has passed, and then each time a half
    /// of it has. The clock on the wall also runs while the system lets other
    /// threads run; a call is ended when it used up the second half itself, or
    /// when the wall shows many times the deadline.
    fn on_deadline(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let half = half(self.deadline_ms);
        // Three quarters of the second half, in nanoseconds.
        let most = half * u64::from(TICK_MS) * 750_000;
        let used = thread_cpu_ns();
        match (self.half_time, used) {
            (None, Some(_)) => self.half_time = used,
            (Some(before), Some(now))
                if self.put_off < MAX_PUT_OFF && now.saturating_sub(before) < most =>
            {
                self.put_off += 1;
            }
            (None, None) if self.put_off == 0 => self.put_off = MAX_PUT_OFF,
            _ => return Err(Trap::Interrupt.into()),
        }
        Ok(UpdateDeadline::Continue(half))
    }

    /// Whether the guest wanted more memory than it may have.
    pub(crate) const fn memory_refused(&self) -> bool {
        self.memory_refused
    }

    /// Log lines of this call that were not kept.
    pub(crate) const fn dropped_lines(&self) -> u32 {
        self.lines.saturating_sub(KEPT_LINES)
    }

    /// Starts a new call: its deadline and log budget are its own.
    fn begin_call(&mut self) {
        self.half_time = None;
        self.put_off = 0;
        if self.lines > KEPT_LINES {
            let dropped = self.lines - KEPT_LINES;
            tracing::warn!(target: "plugin", plugin = %self.plugin, dropped, "log lines dropped");
        }
        self.lines = 0;
    }
}

/// A store with every budget set. The memory limit counts from before the
/// instance exists; the deadline starts with each call.
pub(crate) fn store(engine: &Engine, plugin: &Arc<str>, limits: &PluginLimits) -> Store<Sandbox> {
    let memory_limit = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
    let mut store = Store::new(
        engine,
        Sandbox {
            plugin: Arc::clone(plugin),
            memory_limit,
            memory_refused: false,
            lines: 0,
            deadline_ms: limits.deadline_ms,
            half_time: None,
            put_off: 0,
            tap: None,
        },
    );
    store.limiter(|sandbox| sandbox);
    store.set_hostcall_fuel(usize::try_from(limits.output_bytes).unwrap_or(usize::MAX));
    store.set_max_component_handles(256);
    store.epoch_deadline_callback(|mut store| store.data_mut().on_deadline());
    store
}

/// Starts a call in the store: from here on the deadline counts.
pub(crate) fn begin_call(store: &mut Store<Sandbox>) {
    store.data_mut().begin_call();
    // One tick more, as the first may come at once.
    let ticks = half(store.data().deadline_ms) + 1;
    store.set_epoch_deadline(ticks);
}

/// Half of a deadline, in ticks.
fn half(deadline_ms: u32) -> u64 {
    u64::from(deadline_ms.div_ceil(2 * TICK_MS).max(1))
}

/// CPU time of this thread, where the system tells.
fn thread_cpu_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

impl ResourceLimiter for Sandbox {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // A refusal lets the guest's allocator report; an error would not.
        let fits = desired <= self.memory_limit;
        self.memory_refused |= !fits;
        if let Some(tap) = self.tap.as_mut().filter(|_| fits) {
            tap.peak_memory = tap.peak_memory.max(desired as u64);
        }
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        48
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        4
    }
}

impl log::Host for Sandbox {
    fn emit(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.lines += 1;
        if self.lines > MAX_LINES {
            wasmtime::bail!("the call wrote more than {MAX_LINES} log lines");
        }
        if self.lines > KEPT_LINES {
            return Ok(());
        }
        let line = clean(&message, LINE_BYTES);
        if let Some(tap) = &mut self.tap {
            tap.line(level, line);
            return Ok(());
        }
        let plugin = &*self.plugin;
        match level {
            log::Level::Debug => tracing::debug!(target: "plugin", plugin, "{line}"),
            log::Level::Info => tracing::info!(target: "plugin", plugin, "{line}"),
            log::Level::Warn => tracing::warn!(target: "plugin", plugin, "{line}"),
            log::Level::Error => tracing::error!(target: "plugin", plugin, "{line}"),
        }
        Ok(())
    }
}

// Interfaces of types only.
impl tensors::Host for Sandbox {}
impl failures::Host for Sandbox {}

/// No target is granted to a sandbox yet, so every request is refused; a trial
/// answers as its author wrote.
impl outbound::Host for Sandbox {
    fn send(
        &mut self,
        request: outbound::Request,
    ) -> wasmtime::Result<Result<outbound::Response, outbound::Refusal>> {
        Ok(match &mut self.tap {
            Some(tap) => tap.send(request),
            None => Err(outbound::Refusal::NotGranted),
        })
    }
}

/// Text from a guest, safe to show: control characters (line breaks, terminal
/// escapes) and bidirectional overrides become spaces, and it is cut to `bytes`.
pub(crate) fn clean(text: &str, bytes: usize) -> String {
    let mut out = String::with_capacity(text.len().min(bytes));
    for c in text.chars() {
        let c = match c {
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
            c if c.is_control() => ' ',
            c => c,
        };
        if out.len() + c.len_utf8() > bytes {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_text_cannot_forge_lines_or_colours() {
        assert_eq!(clean("a\nb\x1b[31mc\u{202e}d", 100), "a b [31mc d");
        assert_eq!(clean("ééé", 5), "éé");
    }
}
