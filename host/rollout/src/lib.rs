//! Promotion: the one door through which a version reaches traffic.
//!
//! [`promote::Rollout::promote`] is the story: gather [`evidence`], ask every
//! gate, [`combine`] what they said, write promotion, decision, route and
//! ledger in one transaction, publish. Only [`combine::Cleared`] can be turned
//! into a new route, and only an allowing decision can be turned into that.
//! [`replay()`] says a recorded decision again.
//!
//! Nothing here knows HTTP, SQL or Rego.

#![forbid(unsafe_code)]

pub mod combine;
pub mod evidence;
pub mod promote;
pub mod replay;

pub use promote::{PromoteError, PromoteRequest, Rollout};
pub use replay::{Replay, ReplayError, replay};
