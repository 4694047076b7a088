//! Plugins for Tollgate, in Rust.
//!
//! A plugin is a WebAssembly component of one of three kinds. Implement the
//! kind's trait, call its macro once, build for `wasm32-unknown-unknown`:
//!
//! | kind | trait | macro |
//! |---|---|---|
//! | turns rows into model inputs | [`Transform`] | [`export_transform!`] |
//! | compares live data with a reference | [`Detector`] | [`export_detector!`] |
//! | acts on a rollback | [`Action`] | [`export_action!`] |
//!
//! ```
//! use tollgate_plugin::{Batch, Contract, Element, Failure, Tensor, Transform};
//!
//! struct Double;
//!
//! impl Transform for Double {
//!     fn configure(_settings: &str) -> Result<Self, Failure> {
//!         Ok(Self)
//!     }
//!     fn describe(&self) -> Contract {
//!         Contract::new().input("x", Element::F32).output("y", Element::F32, &[-1, 1])
//!     }
//!     fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
//!         let doubled = batch.f32s(0)?.iter().map(|x| x * 2.0).collect();
//!         Ok(vec![Tensor::f32s(&[batch.rows, 1], doubled)])
//!     }
//! }
//!
//! tollgate_plugin::export_transform!(Double);
//! ```
//!
//! [`settings::parse`] reads settings into a type of yours; every refusal is a
//! [`Failure`], and `?` makes one of a refused request. Traits and data types
//! work on any target, so a plugin's logic is tested with a plain `cargo test`,
//! where [`mod@fake`] stands in for the gateway.
//! The limits that a plugin lives in are written beside each type in `wit/`.

mod action;
mod detector;
mod failure;
#[cfg(not(target_arch = "wasm32"))]
pub mod fake;
pub mod log;
pub mod outbound;
#[cfg(feature = "json")]
pub mod settings;
mod state;
mod tensors;
mod transform;

pub use action::{Action, Cause, Event, Outcome};
pub use detector::{Detector, Score};
pub use failure::{Failure, Fault};
pub use tensors::{Batch, Block, Buffer, Element, Tensor, Text};
pub use transform::{Contract, FieldSpec, OutputSpec, Transform};

/// What the macros expand to; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        action::{ActionCell, bindings as action},
        detector::{DetectorGuest, DetectorHandle, bindings as detector},
        transform::{TransformCell, bindings as transform},
    };
}
