//! candle asks for its thread count at every matrix product. Without
//! `RAYON_NUM_THREADS` it reads and parses `/proc/cpuinfo` each time, which
//! made a 2.6 µs network take 90 µs. The binary sets the variable to 1 before
//! any thread starts (setting it later would be a data race); concurrency comes
//! from requests, not from inside one.

/// Whether `RAYON_NUM_THREADS` is 1, as the binary must have made it.
pub fn threads_are_pinned() -> bool {
    std::env::var_os("RAYON_NUM_THREADS").is_some_and(|threads| threads == "1")
}
