//! The action world.

use crate::{failure::Failure, state::State};

/// Generated from `wit/0.1`; shares its data types with the transform world.
#[doc(hidden)]
#[allow(missing_docs, reason = "documented in the WIT files")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "action",
        pub_export_macro: true,
        default_bindings_module: "tollgate_plugin::__private::action",
        with: {
            "tollgate:plugin/failures@0.1.0": crate::transform::bindings::tollgate::plugin::failures,
            "tollgate:plugin/log@0.1.0": crate::transform::bindings::tollgate::plugin::log,
        },
        generate_all,
    });
}

pub use bindings::exports::tollgate::plugin::rollback::{Cause, Event, Outcome};

/// A plugin that acts when a rollout is rolled back.
pub trait Action: Sized + 'static {
    /// Reads the settings (canonical JSON).
    fn configure(settings: &str) -> Result<Self, Failure>;
    /// Acts on one event. May be called again with the same id, and must then
    /// not act twice.
    fn run(&self, event: Event) -> Result<Outcome, Failure>;
}

/// Holds the configured action of an instance.
#[doc(hidden)]
pub struct ActionCell<T>(State<T>);

// SAFETY: a component has one thread. On other targets the cell is only ever
// named by the macro's expansion, which nothing calls there.
unsafe impl<T> Sync for ActionCell<T> {}

impl<T: Action> ActionCell<T> {
    pub const fn empty() -> Self {
        Self(State::new())
    }

    pub fn configure(&self, settings: &str) -> Result<(), Failure> {
        self.0.set(T::configure(settings)?);
        Ok(())
    }

    pub fn run(&self, event: Event) -> Result<Outcome, Failure> {
        self.0.with(|action| action.run(event))
    }
}

/// Makes an [`Action`] the plugin of this crate (a `cdylib`). Call it once.
#[macro_export]
macro_rules! export_action {
    ($plugin:ty) => {
        const _: () = {
            static PLUGIN: $crate::__private::ActionCell<$plugin> =
                $crate::__private::ActionCell::empty();
            struct Exported;
            impl $crate::__private::action::exports::tollgate::plugin::rollback::Guest
                for Exported
            {
                fn configure(settings: String) -> Result<(), $crate::Failure> {
                    PLUGIN.configure(&settings)
                }
                fn run(event: $crate::Event) -> Result<$crate::Outcome, $crate::Failure> {
                    PLUGIN.run(event)
                }
            }
            $crate::__private::action::export!(
                Exported with_types_in $crate::__private::action
            );
        };
    };
}
