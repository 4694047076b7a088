//! Time that a thread spent ready but without a processor.
//!
//! A request thread that the kernel set aside in the middle of a 2 µs model
//! looks, on the wall clock, like an overrun of milliseconds. The kernel counts
//! such waiting for each thread; it is read every [`EVERY`] and once more after
//! a run that seems long, so that the usual run pays nothing.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Time between two looks at the kernel's count.
const EVERY: Duration = Duration::from_millis(20);

thread_local! {
    /// When the count was read last, and what it was, in nanoseconds.
    static SEEN: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
}

/// Nanoseconds that this thread has waited for a processor, where the kernel
/// tells (second number of `schedstat`, see the kernel's sched-stats page).
fn waited_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Looks at the count, unless that was done lately.
pub(super) fn note(now: Instant) {
    let due = SEEN
        .get()
        .is_none_or(|(then, _)| now.duration_since(then) >= EVERY);
    if due {
        SEEN.set(waited_ns().map(|ns| (now, ns)));
    }
}

/// `ns` of wall clock less what this thread waited since the last look. Waiting
/// before the run counts too, at most [`EVERY`] of it: in doubt a run is taken
/// for shorter, and the next one decides.
pub(super) fn without_waiting(ns: u64) -> u64 {
    let waited = SEEN
        .get()
        .and_then(|(_, before)| waited_ns()?.checked_sub(before))
        .unwrap_or(0);
    ns.saturating_sub(waited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burning_a_processor_is_not_waiting() {
        let start = Instant::now();
        note(start);
        // Until the processor, not the wall, has given this thread its time.
        let own = loop {
            let wall = u64::try_from(start.elapsed().as_nanos()).unwrap();
            let own = without_waiting(wall);
            if own > 5_000_000 {
                break own;
            }
        };
        assert!(own > 5_000_000);
        assert!(without_waiting(1) <= 1);
    }
}
