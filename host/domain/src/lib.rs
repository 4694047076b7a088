//! The words of the gateway: names, ids, tensors, signatures, routes, evidence,
//! decisions, error kinds, and the ports through which use cases reach the world.
//!
//! Everything here is a value or a pure function on values. There is no async
//! runtime, IO, SQL or HTTP in this crate, and no rule that needs one: adapters
//! implement [`ports`], use cases call them.
//!
//! Reading order: [`name`], [`digest`], [`tensor`], [`signature`], [`batch`],
//! [`frame`], then [`model`], [`plugin`], [`evidence`], [`gate`], [`decision`],
//! [`route`], and last [`ports`].

#![forbid(unsafe_code)]

pub mod batch;
pub mod decision;
pub mod digest;
pub mod error;
pub mod evidence;
pub mod frame;
pub mod gate;
pub mod id;
pub mod json;
pub mod ledger;
pub mod model;
pub mod name;
pub mod plugin;
pub mod ports;
pub mod route;
pub mod signature;
pub mod tensor;
pub mod time;
pub mod token;
