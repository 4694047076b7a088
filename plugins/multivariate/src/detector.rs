//! Summarises the reference, compares windows with it, gives the verdict.

use crate::{
    discrepancy::Blocks,
    features::{self, Scale},
    settings::{self, LEAST_REFERENCE, LEAST_WINDOW, Settings},
};
use detecting::{chance::Chance, features::numbers, finite, snapshot};
use serde::{Deserialize, Serialize};
use tollgate_plugin::{Batch, Detector, Failure, Score};

/// Points among which the median distance is taken.
const DISTANCES: usize = 300;

/// The fitted detector. Windows do not change it.
pub struct Multivariate {
    text: String,
    settings: Settings,
    reference: Reference,
    frequencies: Vec<f64>,
}

/// What is kept of the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reference {
    /// One a column, then one a column for whether a value is missing.
    scales: Vec<Scale>,
    bandwidth: f64,
    /// Means over blocks of shuffled rows.
    blocks: Vec<Vec<f64>>,
}

impl Detector for Multivariate {
    fn fit(text: &str, reference: Batch) -> Result<Self, Failure> {
        let settings = settings::read(text)?;
        let columns = columns(&settings, &reference, LEAST_REFERENCE, "the reference")?;
        let scales = features::scales(&columns);
        let points = features::points(&columns, &scales);
        let coordinates = scales.len();
        let bandwidth = settings
            .bandwidth
            .unwrap_or_else(|| features::median_distance(&points, coordinates, DISTANCES));
        let frequencies = frequencies(&settings, bandwidth);
        let blocks = features::block_means(&points, coordinates, &frequencies, settings.block);
        let reference = Reference {
            scales,
            bandwidth,
            blocks,
        };
        Ok(Self {
            text: text.into(),
            settings,
            reference,
            frequencies,
        })
    }

    fn observe(&mut self, window: Batch) -> Result<Vec<Score>, Failure> {
        let settings = &self.settings;
        let columns = columns(settings, &window, LEAST_WINDOW, "the window")?;
        let points = features::points(&columns, &self.reference.scales);
        let coordinates = self.reference.scales.len();
        let blocks = features::block_means(&points, coordinates, &self.frequencies, settings.block);
        let blocks = Blocks::new(&self.reference.blocks, &blocks, settings.block);
        let (statistic, p) = blocks.test(settings.permutations, settings.seed);
        finite(vec![Score {
            feature: String::new(),
            statistic,
            p_value: Some(p),
            drifted: p <= settings.alpha && statistic >= settings.effect,
        }])
    }

    fn snapshot(&self) -> Result<Vec<u8>, Failure> {
        snapshot::seal(&self.text, &self.reference)
    }

    fn restore(text: &str, state: &[u8]) -> Result<Self, Failure> {
        let settings = settings::read(text)?;
        let reference: Reference = snapshot::open(text, state)?;
        if !reference.fits(&settings) {
            let why = "the snapshot is of other features; fit the detector again";
            return Err(Failure::invalid_input("bad-snapshot", why));
        }
        Ok(Self {
            text: text.into(),
            frequencies: frequencies(&settings, reference.bandwidth),
            settings,
            reference,
        })
    }
}

impl Reference {
    fn fits(&self, settings: &Settings) -> bool {
        let width = 2 * settings.frequencies;
        let block = |block: &Vec<f64>| block.len() == width && block.iter().all(|x| x.is_finite());
        self.scales.len() == 2 * settings.features.len()
            && self
                .scales
                .iter()
                .all(|scale| scale.mean.is_finite() && scale.deviation > 0.0)
            && self.bandwidth > 0.0
            && (LEAST_REFERENCE..=settings.blocks).contains(&self.blocks.len())
            && self.blocks.iter().all(block)
    }
}

fn frequencies(settings: &Settings, bandwidth: f64) -> Vec<f64> {
    let coordinates = 2 * settings.features.len();
    features::frequencies(settings.frequencies, coordinates, bandwidth, settings.seed)
}

/// The columns with their rows in random order, cut to whole blocks. The order
/// makes blocks alike even where rows are sorted.
fn columns(
    settings: &Settings,
    batch: &Batch,
    least: usize,
    what: &str,
) -> Result<Vec<Vec<f64>>, Failure> {
    let rows = batch.rows as usize;
    let blocks = (rows / settings.block).min(settings.blocks);
    if blocks < least {
        let needed = least * settings.block;
        let why = format!(
            "{what} has {rows} rows, {needed} are needed ({least} blocks of {})",
            settings.block
        );
        return Err(Failure::invalid_input("too-few-rows", why));
    }
    let mut order: Vec<usize> = (0..rows).collect();
    Chance::new(settings.seed ^ rows as u64).shuffle(&mut order);
    order.truncate(blocks * settings.block);
    let column = |(field, feature): (usize, &detecting::features::Feature)| {
        let values = numbers(batch, field, feature.element)?;
        Ok(order.iter().map(|&row| values[row]).collect())
    };
    settings.features.iter().enumerate().map(column).collect()
}
