//! What models and transforms cost in process, one call after another on one
//! thread: nothing of HTTP.

use crate::{rounds::middle, subject::Reference};
use anyhow::{Context as _, Result};
use domain::{
    ports::engine::{Model, ModelLoader as _, ModelSource},
    signature::Prepared,
    tensor::{Tensor, TensorData},
};
use std::{
    hint::black_box,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tests::places;

/// How long each figure is measured.
const FOR: Duration = Duration::from_millis(150);
/// Batches of calls; the figure is the median over them.
const BATCHES: usize = 7;

/// One figure.
#[derive(Debug)]
pub(crate) struct Figure {
    /// What ran.
    pub(crate) what: String,
    /// Microseconds a row.
    pub(crate) us: f64,
}

/// Measures the reference models at one row and at 64.
pub(crate) fn measure(reference: &Reference) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (name, file) in [
        ("forest, XGBoost 200 trees of depth 6", "xgb.json"),
        ("small MLP, ONNX", "mlp.onnx"),
        ("small MLP without labels, ONNX", "mlp_plain.onnx"),
        ("wide MLP (512-1024-1024-1), ONNX", "wide.onnx"),
    ] {
        let path = places::root().join("tests/fixtures/reference").join(file);
        let model = load(path)?;
        for rows in [1, 64] {
            let input = prepared(model.as_ref(), reference, rows)?;
            let us = micros(|| drop(black_box(model.infer(black_box(&input)))));
            figures.push(Figure {
                what: format!("{name}, {rows} row{}", if rows == 1 { "" } else { "s" }),
                us: us / rows as f64,
            });
        }
    }
    Ok(figures)
}

fn load(path: PathBuf) -> Result<Arc<dyn Model>> {
    let source = ModelSource {
        path,
        architecture: None,
    };
    Ok(inference::Engine::default().load(&source)?)
}

fn prepared(model: &dyn Model, reference: &Reference, rows: usize) -> Result<Prepared> {
    let spec = model
        .signature()
        .inputs
        .first()
        .context("a model without inputs")?;
    let width = usize::try_from(*spec.shape.last().context("an input without shape")?)?;
    // The reference rows one after another, whatever the model's width.
    let values = reference.rows.iter().flatten().cycle().take(rows * width);
    let data: Vec<f32> = values.map(|value| *value as f32).collect();
    let shape = vec![rows, width];
    let tensor = Tensor::new(Arc::clone(&spec.name), shape, TensorData::Fp32(data))?;
    Ok(model.signature().prepare(vec![tensor])?)
}

/// Microseconds a call, the median over batches.
pub(crate) fn micros(mut call: impl FnMut()) -> f64 {
    let began = Instant::now();
    let mut calls = 0_u32;
    while began.elapsed() < FOR / 5 {
        call();
        calls += 1;
    }
    let calls = (calls * 5 / BATCHES as u32).max(1);
    let batch = |_| {
        let began = Instant::now();
        for _ in 0..calls {
            call();
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
    };
    middle((0..BATCHES).map(batch).collect())
}
