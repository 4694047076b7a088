//! The arithmetic of the steps that turn one number into one number.

use crate::settings::{Negative, Step};

/// A value that a step refuses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refused {
    /// Stable token.
    pub code: &'static str,
    /// What is wrong with the value.
    pub why: &'static str,
}

/// One step on one value; `divisor` is the other column's value for `ratio`.
/// Steps that are not of this kind leave the value as it is.
pub fn apply(step: &Step, x: f64, divisor: f64) -> Result<f64, Refused> {
    Ok(match step {
        Step::Impute(value) if x.is_nan() => *value,
        Step::Standard { mean, std } => (x - mean) / std,
        Step::MinMax { min, max } => (x - min) / (max - min),
        Step::Robust { center, scale } => (x - center) / scale,
        Step::Log1p { negative } if x < 0.0 => match negative {
            Negative::Zero => 0.0,
            Negative::Missing => f64::NAN,
            Negative::Error => {
                return Err(Refused {
                    code: "negative",
                    why: "a logarithm is taken of it, so it must not be negative",
                });
            }
        },
        Step::Log1p { .. } => x.ln_1p(),
        // Comparisons, not min and max: those would turn NaN into a bound.
        Step::Clip { min, max } => match (min, max) {
            (Some(min), _) if x < *min => *min,
            (_, Some(max)) if x > *max => *max,
            _ => x,
        },
        Step::Bucket { .. } if x.is_nan() => x,
        Step::Bucket { edges } => edges.partition_point(|&edge| edge <= x) as f64,
        Step::Ratio { zero, .. } if divisor == 0.0 => zero.unwrap_or(f64::NAN),
        Step::Ratio { .. } => x / divisor,
        _ => x,
    })
}

/// The bucket of a text: FNV-1a (64 bits) from the seed, mixed by the finaliser
/// of MurmurHash3, then reduced without division bias worth noting. Part of the
/// contract with trained models: it never changes.
pub fn bucket(text: &str, buckets: u32, seed: u64) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    (hash % u64::from(buckets.max(1))) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(step: Step, x: f64) -> f64 {
        apply(&step, x, 0.0).unwrap()
    }

    #[test]
    fn missing_stays_missing_until_imputed() {
        let clip = Step::Clip {
            min: Some(0.0),
            max: Some(1.0),
        };
        assert!(one(clip, f64::NAN).is_nan());
        assert!(one(Step::Bucket { edges: vec![1.0] }, f64::NAN).is_nan());
        assert!(
            one(
                Step::Log1p {
                    negative: Negative::Zero
                },
                f64::NAN
            )
            .is_nan()
        );
        assert_eq!(one(Step::Impute(2.5), f64::NAN), 2.5);
        assert_eq!(one(Step::Impute(2.5), 1.0), 1.0);
    }

    #[test]
    fn the_rules_at_the_edges() {
        let log = |negative| apply(&Step::Log1p { negative }, -0.5, 0.0);
        assert_eq!(log(Negative::Zero), Ok(0.0));
        assert_eq!(log(Negative::Error).unwrap_err().code, "negative");
        let ratio = |zero| Step::Ratio {
            by: "b".into(),
            zero,
        };
        assert_eq!(apply(&ratio(None), 1.0, 4.0), Ok(0.25));
        assert_eq!(apply(&ratio(Some(9.0)), 1.0, 0.0), Ok(9.0));
        assert!(apply(&ratio(None), 1.0, 0.0).unwrap().is_nan());
        let bucket = Step::Bucket {
            edges: vec![1.0, 2.0],
        };
        let found: Vec<f64> = [0.5, 1.0, 1.5, 2.0]
            .iter()
            .map(|&x| one(bucket.clone(), x))
            .collect();
        assert_eq!(found, [0.0, 1.0, 1.0, 2.0]);
    }

    #[test]
    fn hashes_never_change() {
        assert_eq!(
            [
                bucket("", 1000, 0),
                bucket("Graz", 1000, 0),
                bucket("Graz", 1000, 7)
            ],
            [342, 317, 609]
        );
    }
}
