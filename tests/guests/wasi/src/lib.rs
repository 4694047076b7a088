//! Fits the transform world, and imports a clock besides.

use tollgate_plugin::{Batch, Contract, Element, Failure, Tensor, Transform};

mod extra {
    wit_bindgen::generate!({
        inline: r#"
            package wasi:clocks@0.2.9;
            interface monotonic-clock { now: func() -> u64; }
            world extra { import monotonic-clock; }
        "#,
    });
}

struct Timed;

impl Transform for Timed {
    fn configure(_settings: &str) -> Result<Self, Failure> {
        Ok(Self)
    }
    fn describe(&self) -> Contract {
        Contract::new()
            .input("x", Element::F32)
            .output("y", Element::F32, &[-1, 1])
    }
    fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
        let now = extra::wasi::clocks::monotonic_clock::now() as f32;
        Ok(vec![Tensor::f32s(
            &[batch.rows, 1],
            vec![now; batch.rows as usize],
        )])
    }
}

tollgate_plugin::export_transform!(Timed);
