//! Containment: every call into regorus runs on a thread of its own, with a
//! large stack, watched by a deadline, and with panics caught.
//!
//! The interpreter's own timer stops loops. It cannot stop a single builtin
//! (a multiplication of huge integers, a comparison of values shared a million
//! times), and Rust cannot stop a thread: such a thread is abandoned and
//! counted. When too many are stuck, nothing is evaluated any more, which
//! denies, until one of them ends.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

/// Address space of one thread's stack; touched only as far as it is used.
const STACK_BYTES: usize = 128 << 20;
/// Abandoned threads that are tolerated.
const MAX_STUCK: usize = 4;

/// What became of a contained job.
pub(crate) enum Contained<T> {
    /// It returned.
    Done(T),
    /// It panicked, ran out of time or could not be started.
    Failed(String),
}

/// Runs jobs and counts those that do not come back.
#[derive(Debug, Default)]
pub(crate) struct Containment {
    stuck: Arc<AtomicUsize>,
}

impl Containment {
    /// Runs `job` on its own thread for at most `deadline`.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        deadline: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Contained<T> {
        if self.stuck.load(Ordering::SeqCst) >= MAX_STUCK {
            return Contained::Failed(
                "too many earlier evaluations are still running past their deadline; remove the policy that causes them".to_owned(),
            );
        }
        let (send, receive) = sync_channel(1);
        // Whichever of the two sides comes second sees what the first did, so
        // that a job that ends just as it is given up is not counted for ever.
        let first = Arc::new(AtomicBool::new(true));
        let (stuck, second) = (Arc::clone(&self.stuck), Arc::clone(&first));
        let spawned = thread::Builder::new()
            .name("gate".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let result = catch_unwind(AssertUnwindSafe(job));
                // The receiver may be gone; then there is nobody to tell.
                drop(send.send(result));
                if !second.swap(false, Ordering::SeqCst) {
                    stuck.fetch_sub(1, Ordering::SeqCst);
                }
            });
        if let Err(error) = spawned {
            return Contained::Failed(format!("no thread for the evaluation: {error}"));
        }
        match receive.recv_timeout(deadline) {
            Ok(Ok(value)) => Contained::Done(value),
            Ok(Err(_)) => Contained::Failed("the policy engine panicked".to_owned()),
            Err(RecvTimeoutError::Timeout) => {
                self.stuck.fetch_add(1, Ordering::SeqCst);
                if !first.swap(false, Ordering::SeqCst) {
                    self.stuck.fetch_sub(1, Ordering::SeqCst);
                }
                Contained::Failed(format!(
                    "gave up after {} ms inside one operation that cannot be interrupted",
                    deadline.as_millis()
                ))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Contained::Failed("the evaluation ended without an answer".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_panic_is_a_failure() {
        let result = Containment::default().run(Duration::from_secs(5), || panic!("boom"));
        assert!(matches!(result, Contained::<()>::Failed(m) if m.contains("panicked")));
    }

    #[test]
    fn stuck_jobs_are_abandoned_and_at_some_point_nothing_runs_until_they_end() {
        let containment = Containment::default();
        let mut release = Vec::new();
        for _ in 0..MAX_STUCK {
            let (send, receive) = channel::<()>();
            release.push(send);
            let job = move || receive.recv().is_err();
            let result = containment.run(Duration::from_millis(1), job);
            assert!(matches!(result, Contained::Failed(m) if m.contains("gave up")));
        }
        let blocked = containment.run(Duration::from_secs(5), || 1);
        assert!(matches!(blocked, Contained::Failed(m) if m.contains("too many")));
        drop(release);
        while containment.stuck.load(Ordering::SeqCst) > 0 {
            thread::yield_now();
        }
        let free = containment.run(Duration::from_secs(5), || 1);
        assert!(matches!(free, Contained::Done(1)));
    }
}
