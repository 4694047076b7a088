//! Time of one-row calls.

use crate::metrics::resampling::quantile;
use domain::evidence::Latency;
use std::time::{Duration, Instant};

/// Calls before the measured ones, which fill caches and pools.
const WARM_UP: usize = 5;
/// Measuring stops here even if calls are left.
const BUDGET: Duration = Duration::from_secs(5);

/// A monotonic clock: time since a fixed moment. Tests bring their own.
pub type Clock<'a> = &'a dyn Fn() -> Duration;

/// The machine's monotonic clock.
pub fn monotonic() -> impl Fn() -> Duration {
    let start = Instant::now();
    move || start.elapsed()
}

/// Times `call` on up to `calls` of `rows` rows, evenly spread, at least one.
/// `None` without rows or calls.
pub(crate) fn measure<E>(
    rows: usize,
    calls: usize,
    clock: Clock<'_>,
    mut call: impl FnMut(usize) -> Result<(), E>,
) -> Result<Option<Latency>, E> {
    let calls = calls.min(rows);
    if calls == 0 {
        return Ok(None);
    }
    let row = |i: usize| (i as u128 * rows as u128 / calls as u128) as usize;
    for i in 0..WARM_UP.min(calls) {
        call(row(i))?;
    }
    let begin = clock();
    let mut times = Vec::with_capacity(calls);
    for i in 0..calls {
        let start = clock();
        call(row(i))?;
        let end = clock();
        times.push(end.saturating_sub(start).as_secs_f64() * 1e3);
        if end.saturating_sub(begin) > BUDGET {
            break;
        }
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(Some(Latency {
        p50_ms: quantile(&times, 0.50),
        p95_ms: quantile(&times, 0.95),
        p99_ms: quantile(&times, 0.99),
        n: times.len() as u64,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn quantiles_of_a_known_clock() {
        let now = Cell::new(Duration::ZERO);
        let clock = || now.get();
        let called = Cell::new(0u32);
        let latency = measure(1000, 101, &clock, |_| {
            // The measured calls take 0, 1, ... 100 ms.
            let i = called.replace(called.get() + 1);
            now.set(now.get() + Duration::from_millis(u64::from(i.saturating_sub(5))));
            Ok::<_, ()>(())
        });
        let latency = latency.unwrap().unwrap();
        assert_eq!(latency.n, 101);
        assert!((latency.p50_ms - 50.0).abs() < 1e-9);
        assert!((latency.p95_ms - 95.0).abs() < 1e-9);
        assert!((latency.p99_ms - 99.0).abs() < 1e-9);
    }

    #[test]
    fn a_slow_model_is_measured_for_a_bounded_time() {
        let now = Cell::new(Duration::ZERO);
        let clock = || now.get();
        let latency = measure(1000, 200, &clock, |_| {
            now.set(now.get() + Duration::from_secs(2));
            Ok::<_, ()>(())
        });
        assert_eq!(latency.unwrap().unwrap().n, 3);
    }
}
