//! Interleaved rounds: every target once, then again, so that what else the
//! machine does falls on all of them alike. Figures are medians over rounds, and
//! ratios are taken within a round.

use crate::{
    load::{Target, load},
    process::{busy_seconds, tree_cpu_seconds},
};
use anyhow::Result;
use std::time::Duration;

/// Something that answers requests.
#[derive(Debug)]
pub(crate) struct Server {
    /// Name in the report.
    pub(crate) name: String,
    /// Its process.
    pub(crate) pid: u32,
    /// What to send.
    pub(crate) target: Target,
    /// One sample for each round.
    pub(crate) samples: Vec<Sample>,
}

/// One server under load once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Requests per second.
    pub(crate) rate: f64,
    /// CPU microseconds of the server for each request.
    pub(crate) cpu_us: f64,
    /// Median latency, in milliseconds.
    pub(crate) p50_ms: f64,
    /// 99th percentile of latency, in milliseconds.
    pub(crate) p99_ms: f64,
    /// Share of the machine used by neither server nor load.
    pub(crate) others: f64,
}

/// Loads each server for half a second that does not count.
pub(crate) fn warm_up(servers: &mut [Server]) -> Result<()> {
    round(servers, Duration::from_millis(500))?;
    for server in servers {
        server.samples.clear();
    }
    Ok(())
}

/// Loads each server once, in order.
pub(crate) fn round(servers: &mut [Server], time: Duration) -> Result<()> {
    for server in servers {
        let sample = sample(server.pid, &server.target, time)?;
        server.samples.push(sample);
    }
    Ok(())
}

/// Loads one server once.
pub(crate) fn sample(pid: u32, target: &Target, time: Duration) -> Result<Sample> {
    let (own, busy, used) = (own_seconds()?, busy_seconds()?, tree_cpu_seconds(pid));
    let loaded = load(target, time)?;
    let used = tree_cpu_seconds(pid) - used;
    let others = busy_seconds()? - busy - used - (own_seconds()? - own);
    let cores = std::thread::available_parallelism()?.get() as f64;
    let requests = loaded.requests.max(1) as f64;
    Ok(Sample {
        rate: requests / loaded.seconds,
        cpu_us: used * 1e6 / requests,
        p50_ms: loaded.p50_ms,
        p99_ms: loaded.p99_ms,
        others: (others / loaded.seconds / cores).max(0.0),
    })
}

fn own_seconds() -> Result<f64> {
    crate::process::cpu_seconds(std::process::id())
}

/// Median over rounds of a figure.
pub(crate) fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    middle(samples.iter().map(of).collect())
}

/// Median over rounds of a figure's ratio to another server's in the same round.
pub(crate) fn ratio(samples: &[Sample], to: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    middle(samples.iter().zip(to).map(|(a, b)| of(a) / of(b)).collect())
}

/// The middle value; the mean of the two middle ones for an even count.
pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        at(half)
    } else {
        (at(half.wrapping_sub(1)) + at(half)) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_values() {
        assert_eq!(middle(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(middle(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(middle(Vec::new()).is_nan());
    }
}
