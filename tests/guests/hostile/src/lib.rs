//! Misbehaves as its settings say. One guest for all tests of the sandbox, so
//! that they differ only in what is done to the host.

use std::cell::Cell;
use tollgate_plugin::{Batch, Buffer, Contract, Element, Failure, Tensor, Text, Transform, log};

struct Hostile {
    deed: String,
    calls: Cell<u32>,
    /// Left by a call for the next one to find.
    canary: Cell<f32>,
}

#[allow(clippy::empty_loop, reason = "that is the point")]
fn spin() -> ! {
    loop {}
}

/// Not a tail call, and not optimised away.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 16]);
    if std::hint::black_box(depth) == u64::MAX {
        return depth;
    }
    recurse(depth + 1) + frame[(depth % 16) as usize]
}

fn bomb() -> usize {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(std::hint::black_box(vec![1; 1 << 20]));
        if kept.len() > 1 << 16 {
            return kept.len();
        }
    }
}

impl Transform for Hostile {
    fn configure(settings: &str) -> Result<Self, Failure> {
        let deed = settings.trim_matches('"').to_owned();
        match deed.as_str() {
            "spin-configure" => spin(),
            "refuse-settings" => Err(Failure::invalid_settings(
                "bad-settings",
                "line one\nline two\u{1b}[31m",
            )),
            _ => Ok(Self {
                deed,
                calls: Cell::new(0),
                canary: Cell::new(0.0),
            }),
        }
    }

    fn describe(&self) -> Contract {
        let contract = Contract::new().input("x", Element::F32);
        match self.deed.as_str() {
            "spin-describe" => spin(),
            "bad-contract" => contract.output("y", Element::F32, &[3, -1]),
            "same-names" => contract
                .input("x", Element::F32)
                .output("y", Element::F32, &[-1, 1]),
            "huge-contract" => (0..100_000).fold(contract, |contract, i| {
                contract.input(&format!("x{i}"), Element::F32)
            }),
            "bad-text" => contract.output("y", Element::Utf8, &[-1, 1]),
            _ => contract.output("y", Element::F32, &[-1, 1]),
        }
    }

    fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
        self.calls.set(self.calls.get() + 1);
        let xs = batch.f32s(0)?;
        let good = |values: Vec<f32>| Ok(vec![Tensor::f32s(&[batch.rows, 1], values)]);
        // A row of 0 asks for good behaviour, whatever the settings.
        if xs.first() == Some(&0.0) {
            return good(xs.to_vec());
        }
        match self.deed.as_str() {
            "spin" => spin(),
            "recurse" => good(vec![recurse(0) as f32]),
            "bomb" => good(vec![bomb() as f32]),
            "panic" => panic!("as asked"),
            "trap-on-third" if self.calls.get() == 3 => panic!("third call"),
            "huge-output" => good(vec![1.0; 4 << 20]),
            "lying-shape" => Ok(vec![Tensor::f32s(&[batch.rows, 1], vec![1.0; 7])]),
            "overflowing-shape" => Ok(vec![Tensor::f32s(&[u32::MAX, u32::MAX], vec![1.0])]),
            "wrong-element" => Ok(vec![Tensor::f64s(&[batch.rows, 1], vec![1.0])]),
            "no-outputs" => Ok(vec![]),
            "odd-raw" => Ok(vec![Tensor {
                shape: vec![batch.rows, 1],
                values: Buffer::Raw(vec![0; 3]),
            }]),
            "bad-text" => Ok(vec![Tensor {
                shape: vec![batch.rows, 1],
                values: Buffer::Utf8(Text {
                    offsets: vec![0, 900],
                    data: vec![b'x'],
                }),
            }]),
            "nan" => good(vec![f32::NAN, f32::INFINITY]),
            "log-flood" => {
                for i in 0..100_000 {
                    log::info(&format!("line {i}\nforged"));
                }
                good(xs.to_vec())
            }
            "log-some" => {
                for _ in 0..100 {
                    log::info("hello");
                }
                good(xs.to_vec())
            }
            "refuse" => Err(Failure::invalid_input("no-good", "x\r\ny")
                .at_field("x")
                .at_row(0)),
            "count" => good(vec![self.calls.get() as f32]),
            "canary" => good(vec![self.canary.replace(xs[0])]),
            _ => good(xs.to_vec()),
        }
    }
}

tollgate_plugin::export_transform!(Hostile);
