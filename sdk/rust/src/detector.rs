//! The detector world.

use crate::{failure::Failure, tensors::Batch};
use std::{cell::RefCell, marker::PhantomData};

/// Generated from `wit/0.1`; shares its data types with the transform world.
#[doc(hidden)]
#[allow(missing_docs, reason = "documented in the WIT files")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "detector",
        pub_export_macro: true,
        default_bindings_module: "tollgate_plugin::__private::detector",
        with: {
            "tollgate:plugin/tensors@0.1.0": crate::transform::bindings::tollgate::plugin::tensors,
            "tollgate:plugin/failures@0.1.0": crate::transform::bindings::tollgate::plugin::failures,
            "tollgate:plugin/log@0.1.0": crate::transform::bindings::tollgate::plugin::log,
        },
        generate_all,
    });
}

use bindings::exports::tollgate::plugin::drift;
pub use bindings::exports::tollgate::plugin::drift::Score;

/// A plugin that compares windows of live data with a reference.
pub trait Detector: Sized + 'static {
    /// A detector that has learned the reference. `settings` is canonical JSON.
    fn fit(settings: &str, reference: Batch) -> Result<Self, Failure>;
    /// Takes in one window and says how far it is from the reference.
    fn observe(&mut self, window: Batch) -> Result<Vec<Score>, Failure>;
    /// All state as bytes, without rows.
    fn snapshot(&self) -> Result<Vec<u8>, Failure>;
    /// Continues where a snapshot was taken.
    fn restore(settings: &str, state: &[u8]) -> Result<Self, Failure>;
}

/// One detector as the gateway holds it.
#[doc(hidden)]
pub struct DetectorHandle<T> {
    settings: String,
    detector: RefCell<Option<T>>,
}

impl<T: Detector> drift::GuestDetector for DetectorHandle<T> {
    fn new(settings: String) -> Self {
        Self {
            settings,
            detector: RefCell::new(None),
        }
    }

    fn fit(&self, reference: Batch) -> Result<(), Failure> {
        *self.detector.borrow_mut() = Some(T::fit(&self.settings, reference)?);
        Ok(())
    }

    fn observe(&self, window: Batch) -> Result<Vec<Score>, Failure> {
        match &mut *self.detector.borrow_mut() {
            Some(detector) => detector.observe(window),
            None => Err(unfitted()),
        }
    }

    fn snapshot(&self) -> Result<Vec<u8>, Failure> {
        match &*self.detector.borrow() {
            Some(detector) => detector.snapshot(),
            None => Err(unfitted()),
        }
    }

    fn restore(settings: String, state: Vec<u8>) -> Result<drift::Detector, Failure> {
        let detector = T::restore(&settings, &state)?;
        Ok(drift::Detector::new(Self {
            settings,
            detector: RefCell::new(Some(detector)),
        }))
    }
}

fn unfitted() -> Failure {
    Failure::internal("not-fitted", "the detector was used before fit")
}

/// The exported interface over a [`Detector`].
#[doc(hidden)]
pub struct DetectorGuest<T>(PhantomData<T>);

impl<T: Detector> drift::Guest for DetectorGuest<T> {
    type Detector = DetectorHandle<T>;
}

/// Makes a [`Detector`] the plugin of this crate (a `cdylib`). Call it once.
#[macro_export]
macro_rules! export_detector {
    ($plugin:ty) => {
        const _: () = {
            type Exported = $crate::__private::DetectorGuest<$plugin>;
            $crate::__private::detector::export!(
                Exported with_types_in $crate::__private::detector
            );
        };
    };
}
