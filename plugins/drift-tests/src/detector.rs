//! Summarises the reference, tests windows against it, gives the verdicts.

use crate::{
    cells::{Histogram, Layout},
    ks,
    sample::thin,
    settings::{self, Settings, Test},
    statistics::{self, Found},
};
use detecting::{
    features::{self, Element, Feature},
    finite, multiplicity, snapshot,
};
use serde::{Deserialize, Serialize};
use tollgate_plugin::{Batch, Detector, Failure, Score};

/// The fitted detector. Windows do not change it.
pub struct DriftTests {
    text: String,
    settings: Settings,
    references: Vec<Reference>,
}

/// What is kept of one column of the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Reference {
    /// Counts in cells.
    Cells(Histogram),
    /// Sorted values, and their standard deviation before thinning.
    Sample { values: Vec<f64>, deviation: f64 },
}

impl Detector for DriftTests {
    fn fit(text: &str, reference: Batch) -> Result<Self, Failure> {
        let settings = settings::read(text)?;
        enough_rows(&settings, &reference, "the reference")?;
        let references = settings
            .features
            .iter()
            .enumerate()
            .map(|(field, feature)| Reference::learn(&settings, field, feature, &reference))
            .collect::<Result<Vec<_>, _>>()?;
        let kept: usize = references.iter().map(Reference::numbers).sum();
        if kept * 8 > snapshot::MAX_BYTES / 16 * 15 {
            return Err(detecting::settings::refused(format!(
                "{kept} numbers would be kept of the reference, more than a snapshot holds; \
                 lower sample, or test some features on cells"
            )));
        }
        Ok(Self {
            text: text.into(),
            settings,
            references,
        })
    }

    fn observe(&mut self, window: Batch) -> Result<Vec<Score>, Failure> {
        enough_rows(&self.settings, &window, "the window")?;
        let mut found = Vec::with_capacity(self.references.len());
        for (field, reference) in self.references.iter().enumerate() {
            let feature = &self.settings.features[field];
            found.push(reference.compare(&self.settings, field, feature, &window)?);
        }
        finite(self.verdicts(&found))
    }

    fn snapshot(&self) -> Result<Vec<u8>, Failure> {
        snapshot::seal(&self.text, &self.references)
    }

    fn restore(text: &str, state: &[u8]) -> Result<Self, Failure> {
        let settings = settings::read(text)?;
        let references: Vec<Reference> = snapshot::open(text, state)?;
        let fits = references.len() == settings.features.len()
            && references
                .iter()
                .zip(&settings.features)
                .all(|(reference, feature)| reference.fits(settings.test(feature)));
        if !fits {
            let why = "the snapshot is of other features; fit the detector again";
            return Err(Failure::invalid_input("bad-snapshot", why));
        }
        Ok(Self {
            text: text.into(),
            settings,
            references,
        })
    }
}

impl DriftTests {
    fn verdicts(&self, found: &[Found]) -> Vec<Score> {
        let p_values: Vec<Option<f64>> = found.iter().map(|found| found.p_value).collect();
        let corrected = multiplicity::correct(self.settings.correction, &p_values);
        let mut scores: Vec<Score> = self
            .settings
            .features
            .iter()
            .zip(found.iter().zip(corrected))
            .map(|(feature, (found, corrected))| Score {
                feature: feature.name.clone(),
                statistic: found.statistic,
                p_value: found.p_value,
                drifted: found.effect >= self.settings.test(feature).effect()
                    && corrected.is_none_or(|p| p <= self.settings.alpha),
            })
            .collect();
        if let Some(least) = self.settings.share {
            let drifted = scores.iter().filter(|score| score.drifted).count();
            let share = drifted as f64 / scores.len() as f64;
            scores.push(Score {
                feature: String::new(),
                statistic: share,
                p_value: None,
                drifted: share >= least,
            });
        }
        scores
    }
}

impl Reference {
    fn learn(
        settings: &Settings,
        field: usize,
        feature: &Feature,
        batch: &Batch,
    ) -> Result<Self, Failure> {
        let cells = match settings.test(feature) {
            Test::Psi { cells, .. }
            | Test::JensenShannon { cells, .. }
            | Test::ChiSquare { cells, .. } => cells.as_ref(),
            Test::Ks { sample, .. } => {
                let values = with_missing(features::numbers(batch, field, feature.element)?);
                return Ok(Self::Sample {
                    values: thin(values, *sample),
                    deviation: 0.0,
                });
            }
            Test::Wasserstein { sample, .. } => {
                let values = present(settings, field, feature, batch)?;
                return Ok(Self::Sample {
                    deviation: statistics::deviation(&values),
                    values: thin(values, *sample),
                });
            }
        };
        let (layout, counts) = if feature.element == Element::Utf8 {
            let keys = features::categories(batch, field, feature.element)?;
            let layout = Layout::of_texts(cells, &keys);
            let counts = layout.count_keys(keys.into_iter());
            (layout, counts)
        } else {
            let values = features::numbers(batch, field, feature.element)?;
            let layout = Layout::of_numbers(cells, &values);
            let counts = layout.count_numbers(&values);
            (layout, counts)
        };
        Ok(Self::Cells(Histogram { layout, counts }))
    }

    fn compare(
        &self,
        settings: &Settings,
        field: usize,
        feature: &Feature,
        window: &Batch,
    ) -> Result<Found, Failure> {
        match (self, settings.test(feature)) {
            (Self::Sample { values, .. }, Test::Ks { p_value, .. }) => {
                let mut other = with_missing(features::numbers(window, field, feature.element)?);
                other.sort_by(f64::total_cmp);
                Ok(ks::test(values, &other, *p_value))
            }
            (Self::Sample { values, deviation }, Test::Wasserstein { normed, .. }) => {
                let mut other = present(settings, field, feature, window)?;
                other.sort_by(f64::total_cmp);
                let distance = statistics::wasserstein(values, &other);
                // A constant reference has no scale of its own.
                let scale = if *normed && *deviation > 0.0 {
                    *deviation
                } else {
                    1.0
                };
                Ok(Found {
                    statistic: distance / scale,
                    p_value: None,
                    effect: distance / scale,
                })
            }
            (Self::Cells(histogram), test) => {
                let counts = histogram.count(field, feature, window)?;
                Ok(match test {
                    Test::JensenShannon { base, .. } => {
                        statistics::jensen_shannon(&histogram.counts, &counts, *base)
                    }
                    Test::ChiSquare { .. } => statistics::chi_square(&histogram.counts, &counts),
                    _ => statistics::psi(&histogram.counts, &counts),
                })
            }
            (Self::Sample { .. }, _) => Err(Failure::internal(
                "other-test",
                "a sample was kept for a test on cells",
            )),
        }
    }

    /// Whether this is what `test` needs, in a form that cannot mislead it.
    fn fits(&self, test: &Test) -> bool {
        match self {
            Self::Sample { values, deviation } => {
                matches!(test, Test::Ks { .. } | Test::Wasserstein { .. })
                    && !values.is_empty()
                    && values.iter().all(|x| !x.is_nan())
                    && values.is_sorted()
                    && deviation.is_finite()
            }
            Self::Cells(histogram) => {
                !matches!(test, Test::Ks { .. } | Test::Wasserstein { .. })
                    && histogram.counts.len() == histogram.layout.len()
                    && histogram.counts.iter().all(|&count| count <= 1 << 32)
                    && histogram.counts.iter().any(|&count| count > 0)
            }
        }
    }

    /// How many numbers are kept.
    fn numbers(&self) -> usize {
        match self {
            Self::Sample { values, .. } => values.len() + 2,
            Self::Cells(histogram) => 3 * histogram.counts.len(),
        }
    }
}

impl Histogram {
    fn count(&self, field: usize, feature: &Feature, batch: &Batch) -> Result<Vec<u64>, Failure> {
        if feature.element == Element::Utf8 {
            let keys = features::categories(batch, field, feature.element)?;
            return Ok(self.layout.count_keys(keys.into_iter()));
        }
        let values = features::numbers(batch, field, feature.element)?;
        Ok(self.layout.count_numbers(&values))
    }
}

/// A missing value as one below all others.
fn with_missing(mut values: Vec<f64>) -> Vec<f64> {
    for value in &mut values {
        if value.is_nan() {
            *value = f64::NEG_INFINITY;
        }
    }
    values
}

/// The values that are there. A distance has no place for missing ones, and a
/// feature that cannot be judged must not look unchanged.
fn present(
    settings: &Settings,
    field: usize,
    feature: &Feature,
    batch: &Batch,
) -> Result<Vec<f64>, Failure> {
    let mut values = features::numbers(batch, field, feature.element)?;
    values.retain(|value| !value.is_nan());
    if values.len() < settings.min_rows {
        let why = format!(
            "{} values are present, wasserstein needs {} (min_rows); \
             ks and psi count missing values instead",
            values.len(),
            settings.min_rows
        );
        return Err(Failure::invalid_input("too-few-values", why).at_field(&feature.name));
    }
    Ok(values)
}

fn enough_rows(settings: &Settings, batch: &Batch, what: &str) -> Result<(), Failure> {
    if batch.rows as usize >= settings.min_rows {
        return Ok(());
    }
    let why = format!(
        "{what} has {} rows, {} are needed (min_rows)",
        batch.rows, settings.min_rows
    );
    Err(Failure::invalid_input("too-few-rows", why))
}
