//! Corrections of p-values for the number of tests in one window.
//!
//! With 60 features and a level of 5 %, three would be called drifted in every
//! window without any drift.

use serde::Deserialize;

/// How p-values of one window are corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Correction {
    /// Not at all: each feature by itself.
    None,
    /// Bonferroni: the chance of any false alarm in the window stays below the
    /// level. The strictest.
    Bonferroni,
    /// Holm's step-down method: the same promise, with more power.
    Holm,
    /// Benjamini and Hochberg: of the features called drifted, the expected
    /// share of false ones stays below the level.
    #[default]
    Bh,
}

/// Corrected p-values, in the order given; where there is none, none comes out.
#[must_use]
pub fn correct(correction: Correction, p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = p_values
        .iter()
        .enumerate()
        .filter_map(|(index, p)| p.map(|p| (index, p)))
        .collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let tests = order.len();
    let mut corrected = p_values.to_vec();
    let mut set = |index: usize, p: f64| corrected[index] = Some(p.min(1.0));
    match correction {
        Correction::None => {}
        Correction::Bonferroni => {
            for &(index, p) in &order {
                set(index, p * tests as f64);
            }
        }
        Correction::Holm => {
            let mut floor = 0.0_f64;
            for (rank, &(index, p)) in order.iter().enumerate() {
                floor = floor.max(p * (tests - rank) as f64);
                set(index, floor);
            }
        }
        Correction::Bh => {
            let mut ceiling = 1.0_f64;
            for (rank, &(index, p)) in order.iter().enumerate().rev() {
                ceiling = ceiling.min(p * tests as f64 / (rank + 1) as f64);
                set(index, ceiling);
            }
        }
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    // The block `multiplicity` of the reference numbers (statsmodels' names).
    const P: [f64; 10] = [
        0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216,
    ];

    fn corrected(correction: Correction) -> Vec<f64> {
        let given: Vec<Option<f64>> = P.iter().map(|&p| Some(p)).collect();
        correct(correction, &given).into_iter().flatten().collect()
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-15, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn equal_to_the_reference() {
        assert_near(
            &corrected(Correction::Bh),
            &[
                0.01,
                0.04,
                0.084,
                0.084,
                0.084,
                0.1,
                0.105_714_285_714_285_72,
                0.216,
                0.216,
                0.216,
            ],
        );
        assert_near(
            &corrected(Correction::Holm),
            &[
                0.01, 0.072, 0.312, 0.312, 0.312, 0.312, 0.312, 0.615, 0.615, 0.615,
            ],
        );
        assert_near(
            &corrected(Correction::Bonferroni),
            &[0.01, 0.08, 0.39, 0.41, 0.42, 0.6, 0.74, 1.0, 1.0, 1.0],
        );
        assert_near(&corrected(Correction::None), &P);
    }

    #[test]
    fn features_without_a_p_value_do_not_count() {
        let found = correct(Correction::Bonferroni, &[None, Some(0.01), None, Some(0.5)]);
        assert_eq!(found, [None, Some(0.02), None, Some(1.0)]);
        assert_eq!(correct(Correction::Bh, &[]), []);
    }
}
