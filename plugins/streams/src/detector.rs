//! Feeds the columns of reference and windows to their streams.

use crate::{
    adwin::Window,
    page_hinkley::Test,
    settings::{self, Method, Settings},
};
use detecting::{features, finite, snapshot};
use serde::{Deserialize, Serialize};
use tollgate_plugin::{Batch, Detector, Failure, Score};

/// The streams of all columns. The reference is their beginning.
pub struct Streams {
    text: String,
    settings: Settings,
    streams: Vec<Stream>,
}

/// One column's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stream {
    /// Mean of the reference.
    mean: f64,
    watch: Watch,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Watch {
    Adwin(Window),
    PageHinkley(Test),
}

impl Detector for Streams {
    fn fit(text: &str, reference: Batch) -> Result<Self, Failure> {
        let settings = settings::read(text)?;
        let mut streams = Vec::with_capacity(settings.features.len());
        for (field, feature) in settings.features.iter().enumerate() {
            let values = present(&settings, field, &reference)?;
            if values.is_empty() {
                let why = "the reference has no value of it; give it one row at least";
                return Err(Failure::invalid_input("no-values", why).at_field(&feature.name));
            }
            let mut stream = Stream {
                mean: values.iter().sum::<f64>() / values.len() as f64,
                watch: match settings.method_of(feature) {
                    Method::Adwin(_) => Watch::Adwin(Window::default()),
                    Method::PageHinkley(_) => Watch::PageHinkley(Test::default()),
                },
            };
            stream.feed(settings.method_of(feature), &values);
            streams.push(stream);
        }
        Ok(Self {
            text: text.into(),
            settings,
            streams,
        })
    }

    fn observe(&mut self, window: Batch) -> Result<Vec<Score>, Failure> {
        // All columns are read before any stream moves: a refused window leaves
        // every stream where it was.
        let columns = (0..self.streams.len())
            .map(|field| present(&self.settings, field, &window))
            .collect::<Result<Vec<_>, _>>()?;
        let features = self.settings.features.iter();
        let scores = features.zip(&mut self.streams).zip(&columns);
        finite(
            scores
                .map(|((feature, stream), values)| {
                    let method = self.settings.method_of(feature);
                    let (statistic, drifted) = stream.feed(method, values);
                    Score {
                        feature: feature.name.clone(),
                        statistic,
                        p_value: None,
                        drifted,
                    }
                })
                .collect(),
        )
    }

    fn snapshot(&self) -> Result<Vec<u8>, Failure> {
        snapshot::seal(&self.text, &self.streams)
    }

    fn restore(text: &str, state: &[u8]) -> Result<Self, Failure> {
        let settings = settings::read(text)?;
        let streams: Vec<Stream> = snapshot::open(text, state)?;
        let fits = streams.len() == settings.features.len()
            && streams
                .iter()
                .zip(&settings.features)
                .all(|(stream, feature)| stream.fits(settings.method_of(feature)));
        if !fits {
            let why = "the snapshot is of other features; fit the detector again";
            return Err(Failure::invalid_input("bad-snapshot", why));
        }
        Ok(Self {
            text: text.into(),
            settings,
            streams,
        })
    }
}

impl Stream {
    /// Takes in values; answers the statistic and whether a change was completed.
    ///
    /// ADWIN's statistic is how far its window's mean is from the reference's;
    /// Page-Hinkley's is the largest sum met.
    fn feed(&mut self, method: &Method, values: &[f64]) -> (f64, bool) {
        let (mut largest, mut changed) = (0.0_f64, false);
        match (&mut self.watch, method) {
            (Watch::Adwin(window), Method::Adwin(settings)) => {
                for &value in values {
                    window.update(settings, value);
                    changed |= window.changed;
                }
                largest = (window.mean() - self.mean).abs();
            }
            (Watch::PageHinkley(test), Method::PageHinkley(settings)) => {
                for &value in values {
                    largest = largest.max(test.update(settings, value));
                    changed |= test.changed;
                }
            }
            // `fits` and `fit` see to it that the two go together.
            _ => {}
        }
        (largest, changed)
    }

    fn fits(&self, method: &Method) -> bool {
        self.mean.is_finite()
            && match (&self.watch, method) {
                (Watch::Adwin(window), Method::Adwin(_)) => window.is_sound(),
                (Watch::PageHinkley(test), Method::PageHinkley(_)) => test.mean.is_finite(),
                _ => false,
            }
    }
}

/// The values that are there, in order. A missing one is no part of the stream.
fn present(settings: &Settings, field: usize, batch: &Batch) -> Result<Vec<f64>, Failure> {
    let element = settings.features[field].element;
    let mut values = features::numbers(batch, field, element)?;
    values.retain(|value| !value.is_nan());
    Ok(values)
}
