//! What `cargo xtask` can do. A library, so that the end-to-end tests drive the
//! gateway with the same process guard, client and story as the demo.
//!
//! Nothing of the product lives here, and this crate depends on none of its
//! rooms: it sees the gateway as a user does, through its command line and its
//! HTTP surface. Start at the command you care about: [`demo`], [`mod@test`],
//! [`tidy`], [`ci`], [`mod@bench`]; [`gateway`] and [`admin`] are how they reach it.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool"
)]

pub mod admin;
pub mod bench;
pub mod ci;
pub mod contract;
pub mod demo;
pub mod gateway;
pub mod guests;
pub mod shell;
pub mod test;
pub mod tidy;
pub mod tools;
