//! End-to-end tests: the real binary, real sockets, real files. One binary, so
//! that everything links once. `cargo xtask test` builds what they start.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::print_stderr,
    reason = "the whole binary is a test"
)]

mod crash;
mod demo;
mod gate;
mod lifecycle;
mod moment;
mod openapi;
mod postgres;
mod protocols;
mod roles;
mod swap;
mod triton;
mod world;
