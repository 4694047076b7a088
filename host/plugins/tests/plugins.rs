//! The plugin host against real components: hostile ones and good ones. They are
//! built by `cargo xtask guests`.

#[cfg(test)]
#[path = "plugins/admission.rs"]
mod admission;
#[cfg(test)]
#[path = "plugins/sandbox.rs"]
mod sandbox;
#[cfg(test)]
#[path = "plugins/support.rs"]
mod support;
