//! What the end-to-end tests and the benches share: where things are, and the
//! breast-cancer example registered on a running gateway.
//!
//! The tests themselves are in `it/`, the measuring programs in `bench/`, both
//! over the real binary on real sockets. How a gateway is started and called is
//! in `xtask`, which the demo uses too.

#![forbid(unsafe_code)]

pub mod example;
pub mod places;
