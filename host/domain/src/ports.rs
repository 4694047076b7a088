//! What the use cases need of the world. Each trait keeps a heavy dependency
//! (sqlx, candle, wasmtime, regorus) or chance and time out of them.
//!
//! Engine calls are synchronous and use the CPU; store calls are asynchronous.
//! [`store`] holds the database and artifact ports, [`engine`] the rest.

pub mod engine;
pub mod store;

use crate::time::Timestamp;

/// The clock. Tests move it by hand.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Source of ids and randomness. Tests make it predictable.
pub trait Ids: Send + Sync + std::fmt::Debug {
    /// 26 characters of Crockford base 32, ascending with time (a ULID).
    fn ulid(&self) -> String;
    /// 32 bytes that nobody can guess.
    fn secret(&self) -> [u8; 32];
}
