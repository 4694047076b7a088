//! From start to the first prediction with ten models, and resident memory
//! before and after a million predictions.

use crate::{
    load::{Target, load, once},
    process::resident_mib,
    subject::{Mode, Reference, Subject, gateway},
};
use anyhow::Result;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Predictions between the two looks at memory.
const MILLION: u64 = 1_000_000;
/// Models of the start.
const MODELS: usize = 10;
/// Starts; the figure is their median.
const STARTS: usize = 5;

/// Resident memory before and after a million predictions, in MiB.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Before.
    pub(crate) before: f64,
    /// After.
    pub(crate) after: f64,
    /// Predictions in between.
    pub(crate) predictions: u64,
}

/// Sends a million predictions.
pub(crate) fn memory(pid: u32, target: &Target) -> Result<Memory> {
    let before = resident_mib(pid)?;
    let mut predictions = 0;
    while predictions < MILLION {
        predictions += load(target, Duration::from_secs(2))?.requests;
    }
    Ok(Memory {
        before,
        after: resident_mib(pid)?,
        predictions,
    })
}

/// Seconds from starting the process to the first right answer, one for each start.
pub(crate) fn ten_models(data: &Path, reference: &Reference) -> Result<Vec<f64>> {
    let mut subject = Subject::start(data, reference)?;
    let mut target = None;
    for index in 0..MODELS {
        let mode = if index == 0 { Mode::Warm } else { Mode::Plain };
        target = Some(subject.serve(mode, &format!("model-{index}"), reference)?);
    }
    subject.gateway.stop()?;
    let mut seconds = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut gateway = gateway(data, &[])?;
        if let Some(target) = &target {
            once(&moved(target, gateway.url.trim_start_matches("http://")))?;
        }
        seconds.push(began.elapsed().as_secs_f64());
        gateway.stop()?;
    }
    Ok(seconds)
}

/// The same request to another port.
fn moved(target: &Target, address: &str) -> Target {
    Target {
        address: address.to_owned(),
        request: target.request.clone(),
    }
}
