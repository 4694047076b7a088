//! The transform world.

use crate::{
    failure::Failure,
    state::State,
    tensors::{Batch, Element, Tensor},
};

/// Generated from `wit/0.1`.
#[doc(hidden)]
#[allow(missing_docs, reason = "documented in the WIT files")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "transform",
        pub_export_macro: true,
        default_bindings_module: "tollgate_plugin::__private::transform",
        generate_all,
    });
}

pub use bindings::exports::tollgate::plugin::transformer::{Contract, FieldSpec, OutputSpec};

/// A plugin that turns rows of named columns into the tensors a model takes.
///
/// Depend on nothing but settings and batch: by default every call gets an
/// instance of its own, and instances that are kept may be dropped at any time.
pub trait Transform: Sized + 'static {
    /// Reads the settings (canonical JSON). Runs before every first call of an
    /// instance, so keep it cheap. Refuse what you do not understand.
    fn configure(settings: &str) -> Result<Self, Failure>;
    /// What goes in and comes out under these settings.
    fn describe(&self) -> Contract;
    /// Transforms one batch: one tensor per output of the contract, in order.
    fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure>;
}

impl Contract {
    /// A contract without columns, to be extended.
    #[must_use]
    pub fn new() -> Self {
        Self {
            inputs: Vec::new(),
            outputs: Vec::new(),
            raw_inputs: false,
        }
    }

    /// Adds an input column that may have missing values.
    #[must_use]
    pub fn input(mut self, name: &str, element: Element) -> Self {
        self.inputs.push(FieldSpec {
            name: name.into(),
            element,
            nullable: true,
        });
        self
    }

    /// Adds an input column for which the gateway refuses missing values.
    #[must_use]
    pub fn required(mut self, name: &str, element: Element) -> Self {
        self.inputs.push(FieldSpec {
            name: name.into(),
            element,
            nullable: false,
        });
        self
    }

    /// Adds an output tensor; -1 in `shape` is the batch's row count.
    #[must_use]
    pub fn output(mut self, name: &str, element: Element, shape: &[i64]) -> Self {
        self.outputs.push(OutputSpec {
            name: name.into(),
            element,
            shape: shape.to_vec(),
        });
        self
    }
}

impl Default for Contract {
    fn default() -> Self {
        Self::new()
    }
}

/// Holds the configured transform of an instance.
#[doc(hidden)]
pub struct TransformCell<T>(State<T>);

// SAFETY: a component has one thread. On other targets the cell is only ever
// named by the macro's expansion, which nothing calls there.
unsafe impl<T> Sync for TransformCell<T> {}

impl<T: Transform> TransformCell<T> {
    pub const fn empty() -> Self {
        Self(State::new())
    }

    pub fn configure(&self, settings: &str) -> Result<(), Failure> {
        self.0.set(T::configure(settings)?);
        Ok(())
    }

    pub fn describe(&self) -> Contract {
        self.0.with(T::describe)
    }

    pub fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
        self.0.with(|transform| transform.apply(batch))
    }
}

/// Makes a [`Transform`] the plugin of this crate (a `cdylib`). Call it once.
#[macro_export]
macro_rules! export_transform {
    ($plugin:ty) => {
        const _: () = {
            static PLUGIN: $crate::__private::TransformCell<$plugin> =
                $crate::__private::TransformCell::empty();
            struct Exported;
            impl $crate::__private::transform::exports::tollgate::plugin::transformer::Guest
                for Exported
            {
                fn configure(settings: String) -> Result<(), $crate::Failure> {
                    PLUGIN.configure(&settings)
                }
                fn describe() -> $crate::Contract {
                    PLUGIN.describe()
                }
                fn apply(batch: $crate::Batch) -> Result<Vec<$crate::Tensor>, $crate::Failure> {
                    PLUGIN.apply(batch)
                }
            }
            $crate::__private::transform::export!(
                Exported with_types_in $crate::__private::transform
            );
        };
    };
}
