//! The plugin host against real components: hostile ones and good ones. They are
//! built by `cargo xtask guests`.

#[path = "plugins/admission.rs"]
mod admission;
#[path = "plugins/sandbox.rs"]
mod sandbox;
#[path = "plugins/support.rs"]
mod support;
