//! Never finishes starting: its initialiser spins before any function is called.

use tollgate_plugin::{Batch, Contract, Element, Failure, Tensor, Transform};

struct Late;

impl Transform for Late {
    fn configure(_settings: &str) -> Result<Self, Failure> {
        Ok(Self)
    }
    fn describe(&self) -> Contract {
        Contract::new()
            .input("x", Element::F32)
            .output("y", Element::F32, &[-1, 1])
    }
    fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
        Ok(vec![Tensor::f32s(
            &[batch.rows, 1],
            batch.f32s(0)?.to_vec(),
        )])
    }
}

tollgate_plugin::export_transform!(Late);

/// Run at instantiation (`_initialize`).
#[cfg(target_arch = "wasm32")]
#[unsafe(export_name = "_initialize")]
extern "C" fn initialize() {
    #[allow(clippy::empty_loop, reason = "that is the point")]
    loop {}
}
