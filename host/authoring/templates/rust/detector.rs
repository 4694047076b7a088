//! Watches the mean of each feature: how many standard errors a window's mean
//! is away from the reference's.

use serde::{Deserialize, Serialize};
use tollgate_plugin::{Batch, Detector, Failure, Score, settings};

#[derive(Deserialize)]
struct Feature {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The columns, in the order in which a batch has them.
    features: Vec<Feature>,
    /// Standard errors above which a feature has drifted.
    threshold: f64,
}

/// Mean and deviation of each feature in the reference: all that is kept.
#[derive(Serialize, Deserialize)]
struct Reference {
    moments: Vec<(f64, f64)>,
}

struct MeanShift {
    settings: Settings,
    reference: Reference,
}

/// Count, mean and deviation of the values that are there.
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let present = || values.iter().filter(|x| !x.is_nan());
    let n = present().count() as f64;
    let mean = present().sum::<f64>() / n;
    let variance = present().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    (n, mean, variance.sqrt())
}

impl Detector for MeanShift {
    fn fit(given: &str, reference: Batch) -> Result<Self, Failure> {
        let settings: Settings = settings::parse(given)?;
        let mut found = Vec::new();
        for (field, feature) in settings.features.iter().enumerate() {
            let (_, mean, deviation) = moments(reference.f64s(field)?);
            if deviation.is_nan() || deviation <= 0.0 {
                let failure = Failure::invalid_input("no-spread", "its values do not vary");
                return Err(failure.at_field(&feature.name));
            }
            found.push((mean, deviation));
        }
        let reference = Reference { moments: found };
        Ok(Self { settings, reference })
    }

    fn observe(&mut self, window: Batch) -> Result<Vec<Score>, Failure> {
        let features = self.settings.features.iter().zip(&self.reference.moments);
        let score = |(field, (feature, &(mean, deviation))): (usize, (&Feature, &(f64, f64)))| {
            let (n, seen, _) = moments(window.f64s(field)?);
            if n == 0.0 {
                let failure = Failure::invalid_input("no-values", "the window has no values");
                return Err(failure.at_field(&feature.name));
            }
            let statistic = (seen - mean).abs() / (deviation / n.sqrt());
            Ok(Score {
                feature: feature.name.clone(),
                statistic,
                p_value: None,
                drifted: statistic > self.settings.threshold,
            })
        };
        features.enumerate().map(score).collect()
    }

    fn snapshot(&self) -> Result<Vec<u8>, Failure> {
        settings::to_bytes(&self.reference)
    }

    fn restore(given: &str, state: &[u8]) -> Result<Self, Failure> {
        Ok(Self {
            settings: settings::parse(given)?,
            reference: settings::from_bytes(state)?,
        })
    }
}

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_detector!(MeanShift);

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_plugin::fake;

    const SETTINGS: &str = r#"{"features":[{"name":"age"}],"threshold":4}"#;

    #[test]
    fn a_window_far_away_has_drifted_and_a_snapshot_changes_nothing() {
        let reference = fake::batch(&[fake::f64s([20.0, 30.0, 40.0, 50.0])]);
        let detector = MeanShift::fit(SETTINGS, reference).unwrap();
        let mut detector = MeanShift::restore(SETTINGS, &detector.snapshot().unwrap()).unwrap();
        let scores = |detector: &mut MeanShift, at: f64| {
            let window = fake::batch(&[fake::f64s([at, at, at, at])]);
            detector.observe(window).unwrap().remove(0)
        };
        assert!(scores(&mut detector, 80.0).drifted);
        assert!(!scores(&mut detector, 35.0).drifted);
    }
}
