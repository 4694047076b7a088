//! Switches a plugin off that keeps failing.

use domain::{ports::Clock, time::Timestamp};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// First pause, in milliseconds; each further one is twice as long.
const FIRST_PAUSE_MS: i64 = 1_000;
/// Longest pause, in milliseconds.
const LONGEST_PAUSE_MS: i64 = 60_000;

/// Counts failures in a row. After a few of them calls are refused for a pause
/// that doubles each time; then one call is let through to see.
#[derive(Debug)]
pub(crate) struct Breaker {
    clock: Arc<dyn Clock>,
    failures_to_open: u32,
    /// Set while there is anything in `state` but its start value, so that the
    /// healthy path is one load.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    pause_ms: i64,
    open_until: Option<Timestamp>,
}

impl Breaker {
    pub(crate) fn new(clock: Arc<dyn Clock>, failures_to_open: u32) -> Self {
        Self {
            clock,
            failures_to_open: failures_to_open.max(1),
            troubled: AtomicBool::new(false),
            state: Mutex::new(State::default()),
        }
    }

    /// Whether a call may start; if not, after how many milliseconds one may.
    pub(crate) fn check(&self) -> Result<(), u64> {
        if !self.troubled.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut state = self.state.lock();
        let Some(until) = state.open_until else {
            return Ok(());
        };
        let now = self.clock.now();
        if now < until {
            return Err(u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0));
        }
        // This caller is the one that tries; the others wait for its result, at
        // most another pause.
        state.open_until = Some(Timestamp(now.0.saturating_add(state.pause_ms)));
        Ok(())
    }

    /// The plugin answered, if only with a refusal of its own.
    pub(crate) fn succeeded(&self) {
        if self.troubled.load(Ordering::Acquire) {
            let mut state = self.state.lock();
            *state = State::default();
            self.troubled.store(false, Ordering::Release);
        }
    }

    /// The plugin trapped, ran late or broke its contract. True if that
    /// switched it off.
    pub(crate) fn failed(&self) -> bool {
        let mut state = self.state.lock();
        self.troubled.store(true, Ordering::Release);
        state.failures = state.failures.saturating_add(1);
        if state.failures < self.failures_to_open {
            return false;
        }
        state.pause_ms = (state.pause_ms.saturating_mul(2)).clamp(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
        state.open_until = Some(Timestamp(self.clock.now().0.saturating_add(state.pause_ms)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI64;

    #[derive(Debug, Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn pauses_double_and_one_success_forgets_them() {
        let clock = Arc::new(Hand::default());
        let breaker = Breaker::new(Arc::clone(&clock) as Arc<dyn Clock>, 2);
        assert!(!breaker.failed());
        assert_eq!(breaker.check(), Ok(()));
        assert!(breaker.failed());
        assert_eq!(breaker.check(), Err(1_000));
        clock.0.store(1_000, Ordering::SeqCst);
        assert_eq!(breaker.check(), Ok(()), "one call is let through");
        assert_eq!(breaker.check(), Err(1_000), "and only one");
        assert!(breaker.failed());
        assert_eq!(breaker.check(), Err(2_000));
        clock.0.store(3_000, Ordering::SeqCst);
        assert_eq!(breaker.check(), Ok(()));
        breaker.succeeded();
        assert_eq!(breaker.check(), Ok(()));
        assert!(!breaker.failed(), "counting starts again");
    }
}
