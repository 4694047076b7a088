//! What an instance keeps between calls.

use std::cell::RefCell;

/// The configured plugin of this instance.
///
/// A component has one thread, and the gateway never enters it twice at a time.
pub struct State<T>(RefCell<Option<T>>);

// SAFETY of the claim: only built into components, which have one thread; on
// other targets the type is private to this crate and unused across threads.
impl<T> State<T> {
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    pub fn set(&self, value: T) {
        *self.0.borrow_mut() = Some(value);
    }

    /// Runs `f` on the configured plugin; traps when there is none, because the
    /// gateway configures before it does anything else.
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        match &*self.0.borrow() {
            Some(value) => f(value),
            None => panic!("the plugin was called before configure"),
        }
    }
}
