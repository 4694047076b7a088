//! Prints the time per row of a model: `kernel MODEL ROWS.json`, where ROWS is a
//! list of rows for a model with one FP32 input.

#![expect(clippy::print_stdout, reason = "a command that prints figures")]

use domain::{
    ports::engine::{Model, ModelLoader, ModelSource},
    signature::Prepared,
    tensor::{Tensor, TensorData},
};
use std::{error::Error, hint::black_box, sync::Arc, time::Instant};

fn batch(model: &dyn Model, rows: &[Vec<f32>]) -> Result<Prepared, Box<dyn Error>> {
    let spec = model
        .signature()
        .inputs
        .first()
        .ok_or("the model has no input")?;
    let width = rows.first().map_or(0, Vec::len);
    let data = TensorData::Fp32(rows.concat());
    let tensor = Tensor::new(Arc::clone(&spec.name), vec![rows.len(), width], data)?;
    Ok(model.signature().prepare(vec![tensor])?)
}

/// Nanoseconds per row, the best and the median of 1001 rounds, short enough
/// that on a busy machine some are left alone.
fn time(model: &dyn Model, batches: &[Prepared]) -> Result<(f64, f64), Box<dyn Error>> {
    let rows: usize = batches.iter().map(Prepared::rows).sum();
    let repeat = (500 / rows.max(1)).max(1);
    let mut rounds = Vec::new();
    for _ in 0..1001 {
        let start = Instant::now();
        for _ in 0..repeat {
            for batch in batches {
                black_box(model.infer(black_box(batch))?);
            }
        }
        rounds.push(start.elapsed().as_secs_f64() * 1e9 / (repeat * rows) as f64);
    }
    rounds.sort_by(f64::total_cmp);
    Ok((
        rounds.first().copied().unwrap_or(0.0),
        rounds.get(500).copied().unwrap_or(0.0),
    ))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(rows)) = (arguments.next(), arguments.next()) else {
        return Err("usage: kernel MODEL ROWS.json".into());
    };
    let start = Instant::now();
    let source = ModelSource {
        path: path.into(),
        architecture: None,
    };
    let model = inference::Engine::default().load(&source)?;
    println!("load       {:9.1} µs", start.elapsed().as_secs_f64() * 1e6);
    let rows: Vec<Vec<f32>> = serde_json::from_slice(&std::fs::read(rows)?)?;
    for size in [1, 8, 64] {
        let batches: Result<Vec<_>, _> = rows
            .chunks_exact(size)
            .map(|rows| batch(&*model, rows))
            .collect();
        let (best, median) = time(&*model, &batches?)?;
        println!(
            "batch {size:4} {:9.3} µs/row (median {:.3})",
            best / 1e3,
            median / 1e3
        );
    }
    Ok(())
}
