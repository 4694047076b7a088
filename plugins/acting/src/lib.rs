//! What the first-party actions share: an event as JSON and in words, and one
//! exchange with a peer whose answer decides whether to try again.
//!
//! Every action sends through a function it is given, so its tests need no
//! gateway. No secret is ever here: the host adds them by the operator's grant.

#![forbid(unsafe_code)]

pub mod payload;
pub mod peer;
pub mod settings;
pub mod time;
pub mod words;
