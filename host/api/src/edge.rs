//! What every request passes, whatever it asks for.
//!
//! [`config`] holds the limits, [`serve`] the listener and its drain, [`layer`]
//! the one middleware, [`auth`] the tokens, [`body`] bounded bodies, and
//! [`error`] the error tables. `compress` and `request_id` are parts of the
//! middleware.

pub mod auth;
pub mod body;
pub(crate) mod compress;
pub mod config;
pub mod error;
pub mod layer;
pub(crate) mod request_id;
pub mod serve;
