//! Where CPU work runs: on the request's own thread when it has proven cheap,
//! else on a bounded pool.
//!
//! A [`Guard`] belongs to one piece of work (a model, a transform). It keeps a
//! running estimate of the 99th percentile and lets the work run inline while
//! that stays under [`INLINE_BUDGET_NS`]. One overrun demotes it at once, so a
//! slow plugin or model never stalls the server's threads twice.

mod waiting;

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Work whose 99th percentile is at most this may run inline.
pub const INLINE_BUDGET_NS: u64 = 250_000;
/// One run longer than this demotes the work to the pool.
pub const OVERRUN_NS: u64 = 2_000_000;
/// Runs on the pool, after start or demotion, before work can run inline.
pub const TRIAL_RUNS: u32 = 64;
/// A demotion doubles the trial, up to this many runs.
pub const LONGEST_TRIAL: u32 = 65_536;

/// Running cost of one piece of work.
#[derive(Debug)]
pub struct Guard {
    /// Estimate of the 99th percentile, in nanoseconds.
    p99_ns: AtomicU64,
    /// Runs left on the pool before the estimate decides.
    trial: AtomicU32,
    /// Length of the next trial.
    next_trial: AtomicU32,
    demotions: AtomicU64,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            p99_ns: AtomicU64::new(0),
            trial: AtomicU32::new(TRIAL_RUNS),
            next_trial: AtomicU32::new(TRIAL_RUNS),
            demotions: AtomicU64::new(0),
        }
    }
}

impl Guard {
    /// A guard for work that was measured beforehand: no trial when cheap.
    pub fn measured(cost_ns: u64) -> Self {
        let guard = Self::default();
        guard.p99_ns.store(cost_ns, Relaxed);
        if cost_ns <= INLINE_BUDGET_NS {
            guard.trial.store(0, Relaxed);
        }
        guard
    }

    /// Whether the work may run on the caller's thread now.
    pub fn inline(&self) -> bool {
        self.trial.load(Relaxed) == 0 && self.p99_ns.load(Relaxed) <= INLINE_BUDGET_NS
    }

    /// Times the work was demoted.
    pub fn demotions(&self) -> u64 {
        self.demotions.load(Relaxed)
    }

    /// The running 99th percentile, in nanoseconds.
    pub fn p99_ns(&self) -> u64 {
        self.p99_ns.load(Relaxed)
    }

    /// Takes in one run. The quantile is followed by stochastic approximation:
    /// up by 99 steps when exceeded, down by one when not, so that it rests
    /// where one run in a hundred exceeds it. Lost updates between threads only
    /// slow it down.
    pub fn record(&self, ns: u64) {
        let estimate = self.p99_ns.load(Relaxed);
        let step = (estimate / 256).max(16);
        let next = if ns > estimate {
            (estimate + 99 * step).min(ns)
        } else {
            estimate.saturating_sub(step).max(ns.min(estimate))
        };
        self.p99_ns.store(next, Relaxed);
        let trial = self.trial.load(Relaxed);
        if ns > OVERRUN_NS {
            let longer = self.next_trial.load(Relaxed);
            if trial == 0 {
                self.demotions.fetch_add(1, Relaxed);
            }
            self.trial.store(longer, Relaxed);
            self.next_trial
                .store(longer.saturating_mul(2).min(LONGEST_TRIAL), Relaxed);
        } else if trial > 0 {
            self.trial.store(trial - 1, Relaxed);
        }
    }
}

/// The bounded pool: so many jobs at once, so many waiting, the rest refused.
#[derive(Debug)]
pub struct Pool {
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

/// The pool's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work queue is full")]
pub struct Full;

/// Work on the pool did not come back.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Queue full.
    #[error(transparent)]
    Full(#[from] Full),
    /// The work panicked; the panic was contained.
    #[error("the work panicked")]
    Panicked,
}

impl Pool {
    /// A pool for `running` jobs at a time and `waiting` more in line.
    pub fn new(running: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running.max(1))),
            waiting: Semaphore::new(running.max(1) + waiting),
        }
    }

    /// Runs `job` when a place is free. Dropping the future leaves a job that
    /// has started running to its end; its place is freed then.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let _line = self.waiting.try_acquire().map_err(|_| Full)?;
        let place = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| Full)?;
        let done = tokio::task::spawn_blocking(move || {
            let out = job();
            drop(place);
            out
        });
        done.await.map_err(|_| PoolError::Panicked)
    }

    /// Jobs that would be let in now.
    pub fn free(&self) -> usize {
        self.waiting.available_permits()
    }
}

/// What `work` gives within `limit`, counted from its first pause: work that is
/// ready at once, the usual case, costs no timer.
pub async fn within<F: Future>(limit: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
        Poll::Ready(output) => Some(output),
        Poll::Pending => tokio::time::timeout(limit, work).await.ok(),
    }
}

/// Runs `job` where `guard` says, and tells `guard` what it took.
pub async fn run<T: Send + 'static>(
    pool: &Pool,
    guard: &Arc<Guard>,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PoolError> {
    if guard.inline() {
        return Ok(timed(guard, job));
    }
    let guard = Arc::clone(guard);
    pool.run(move || timed(&guard, job)).await
}

fn timed<T>(guard: &Guard, job: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    waiting::note(start);
    let out = job();
    let mut ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    if ns > INLINE_BUDGET_NS {
        ns = waiting::without_waiting(ns);
    }
    guard.record(ns);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_was_measured_cheap_runs_inline_until_one_overrun() {
        let guard = Guard::measured(2_000);
        assert!(guard.inline());
        guard.record(OVERRUN_NS + 1);
        assert!(!guard.inline());
        assert_eq!(guard.demotions(), 1);
    }

    #[test]
    fn a_demoted_piece_of_work_comes_back_after_its_trial_and_each_trial_is_longer() {
        let guard = Guard::measured(2_000);
        let mut needed = Vec::new();
        for _ in 0..3 {
            guard.record(OVERRUN_NS + 1);
            let runs = (1..).find(|_| {
                guard.record(2_000);
                guard.inline()
            });
            needed.push(runs.unwrap());
        }
        assert!(needed[0] < needed[1] && needed[1] < needed[2], "{needed:?}");
    }

    #[test]
    fn new_work_is_tried_on_the_pool_first() {
        let guard = Guard::default();
        for _ in 0..TRIAL_RUNS {
            assert!(!guard.inline());
            guard.record(1_000);
        }
        assert!(guard.inline());
    }

    #[test]
    fn the_estimate_rests_near_the_99th_percentile() {
        let guard = Guard::default();
        // 0..1000 µs in a fixed shuffled order, many rounds.
        for round in 0..200_000u64 {
            guard.record(((round * 7919) % 1000) * 1000);
        }
        let p99 = guard.p99_ns();
        assert!((900_000..=999_000).contains(&p99), "{p99}");
    }

    #[tokio::test]
    async fn work_is_given_up_when_it_pauses_for_too_long() {
        let (none, long) = (Duration::ZERO, Duration::from_secs(3600));
        assert_eq!(within(none, async { 7 }).await, Some(7), "it never paused");
        assert_eq!(within(none, std::future::pending::<()>()).await, None);
        assert_eq!(within(long, tokio::task::yield_now()).await, Some(()));
    }

    #[tokio::test]
    async fn the_pool_refuses_what_it_cannot_hold() {
        let pool = Arc::new(Pool::new(1, 1));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let busy = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run(move || wait.recv().is_ok()).await }
        });
        let queued = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run(|| true).await }
        });
        while pool.free() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            pool.run(|| true).await,
            Err(PoolError::Full(Full))
        ));
        go.send(()).unwrap();
        assert!(busy.await.unwrap().unwrap() && queued.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_panic_on_the_pool_is_contained_and_the_place_is_freed() {
        let pool = Pool::new(1, 0);
        assert!(matches!(
            pool.run(|| panic!("boom")).await,
            Err::<(), _>(PoolError::Panicked)
        ));
        assert_eq!(pool.run(|| 7).await.unwrap(), 7);
    }
}
