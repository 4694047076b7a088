//! Lines for the gateway's log.

pub use crate::transform::bindings::tollgate::plugin::log::Level;

/// Writes one line; see `wit/0.1/tensors.wit` for the limits. In native tests
/// the line goes to [`crate::fake`].
pub fn emit(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::transform::bindings::tollgate::plugin::log::emit(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    crate::fake::log(level, message);
}

/// A line for the author only.
pub fn debug(message: &str) {
    emit(Level::Debug, message);
}

/// A line worth keeping.
pub fn info(message: &str) {
    emit(Level::Info, message);
}

/// Someone should look.
pub fn warn(message: &str) {
    emit(Level::Warn, message);
}

/// Something is broken.
pub fn error(message: &str) {
    emit(Level::Error, message);
}
