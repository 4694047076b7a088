//! A client that keeps calling predictions while the story goes on, and counts
//! what it gets: failures, and which version answered in which order.

use crate::admin::{Client, Reply};
use anyhow::{Context as _, Result, ensure};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

/// What the client saw.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Answers, good or not.
    pub requests: u64,
    /// Requests that were not answered with a prediction, the first few in words.
    pub failed: u64,
    /// Words on the first failures.
    pub failures: Vec<String>,
    /// Versions in the order in which they first answered, with their counts.
    pub versions: Vec<(String, u64)>,
    /// Whether an older version answered after a newer one had.
    pub went_back: bool,
    /// Longest wait for an answer.
    pub slowest: Duration,
}

/// The client, calling without pause in a thread of its own.
#[derive(Debug)]
pub struct Traffic {
    stop: Arc<AtomicBool>,
    report: Arc<Mutex<Report>>,
    thread: JoinHandle<()>,
}

impl Traffic {
    /// Starts calling `path` with `body`.
    pub fn start(client: Client, path: String, body: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let report = Arc::new(Mutex::new(Report::default()));
        let (stopped, kept) = (Arc::clone(&stop), Arc::clone(&report));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                let reply = client.predict(&path, &body);
                let mut report = kept.lock().unwrap_or_else(PoisonError::into_inner);
                report.count(reply, began.elapsed());
            }
        });
        Self {
            stop,
            report,
            thread,
        }
    }

    /// What it saw up to now.
    pub fn so_far(&self) -> Report {
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until `version` has answered `count` times.
    pub fn wait_for(&self, version: &str, count: u64) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            let seen = self.so_far();
            if seen
                .versions
                .iter()
                .any(|(name, n)| name == version && *n >= count)
            {
                return Ok(());
            }
            ensure!(
                seen.failed < 100,
                "the client's requests fail: {}",
                seen.failures.join("; ")
            );
            sleep(Duration::from_millis(5));
        }
        let seen = self.so_far();
        ensure!(
            false,
            "version {version} did not answer {count} times within 20 s; seen: {:?} {:?}",
            seen.versions,
            seen.failures
        );
        Ok(())
    }

    /// Stops calling; all that it saw.
    pub fn finish(self) -> Result<Report> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .ok()
            .context("the client's thread broke")?;
        Ok(self
            .report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone())
    }
}

impl Report {
    fn count(&mut self, reply: Result<Reply>, took: Duration) {
        self.requests += 1;
        self.slowest = self.slowest.max(took);
        let version = match &reply {
            Ok(reply) if reply.status == 200 => reply.header("tollgate-version").map(str::to_owned),
            _ => None,
        };
        let Some(version) = version else {
            self.failed += 1;
            if self.failures.len() < 5 {
                self.failures.push(match reply {
                    Ok(reply) => {
                        format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body))
                    }
                    Err(error) => format!("{error:#}"),
                });
            }
            return;
        };
        let at = self.versions.iter().position(|(name, _)| *name == version);
        let last = self.versions.len().saturating_sub(1);
        match at.and_then(|at| self.versions.get_mut(at).map(|seen| (at, seen))) {
            Some((at, (_, count))) => {
                *count += 1;
                self.went_back |= at < last;
            }
            None => self.versions.push((version, 1)),
        }
    }
}
