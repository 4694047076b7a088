//! Plain comparisons in one form: `x <= t` with an `f32` threshold.
//!
//! For an `f32` value `x` and any real `t`, `x <= t` holds exactly when `x` is
//! at most the largest `f32` that is at most `t`; `x < t` exactly when `x` is
//! at most the largest `f32` below `t`, the next lower `f64`. So rounding thresholds down loses
//! nothing, although the source library compares in `f64`.

use super::{Missing, Test};

/// Values this close to zero are zero to LightGBM (its `kZeroThreshold`, a `float`).
pub(super) const ZERO_BAND: f64 = 1e-35_f32 as f64;

/// A comparison `x <= threshold`, with NaN's way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ordered<T> {
    /// Never NaN.
    pub(super) threshold: T,
    /// Whether the low side (`x <= threshold`) is the split's `yes`.
    pub(super) low_is_yes: bool,
    /// Whether NaN goes to the low side.
    pub(super) nan_low: bool,
}

/// The ordered form of a split on `f64`; `None` if it has none.
pub(super) fn ordered(test: &Test, missing: Missing) -> Option<Ordered<f64>> {
    let below = |t: f64| (t > f64::NEG_INFINITY).then(|| t.next_down());
    let (threshold, low_is_yes) = match *test {
        Test::LessEqual(t) => (t, true),
        Test::Less(t) => (below(t)?, true),
        Test::Greater(t) => (t, false),
        Test::GreaterEqual(t) => (below(t)?, false),
        Test::Equal(_) | Test::NotEqual(_) | Test::Member(_) | Test::Category { .. } => {
            return None;
        }
    };
    let nan_is_yes = match missing {
        Missing::Yes => true,
        Missing::No | Missing::Compared => false,
        Missing::Zero => holds(test, 0.0),
        Missing::WithZero(yes) => {
            // Only where zero goes that way anyhow is this a plain comparison.
            if holds(test, ZERO_BAND) != yes || holds(test, -ZERO_BAND) != yes {
                return None;
            }
            yes
        }
    };
    let nan_low = nan_is_yes == low_is_yes;
    Some(Ordered {
        threshold,
        low_is_yes,
        nan_low,
    })
}

/// The ordered form of a split on `f32`, where NaN may be replaced by the
/// infinity of its side; `None` if it has none.
pub(super) fn plain(test: &Test, missing: Missing) -> Option<Ordered<f32>> {
    let Ordered {
        threshold,
        low_is_yes,
        nan_low,
    } = ordered(test, missing)?;
    let threshold = at_most(threshold);
    (nan_low || threshold < f32::INFINITY).then_some(Ordered {
        threshold,
        low_is_yes,
        nan_low,
    })
}

/// Whether `x` passes the test; NaN as IEEE 754 says.
#[inline]
pub(super) fn holds(test: &Test, x: f64) -> bool {
    match test {
        Test::Less(t) => x < *t,
        Test::LessEqual(t) => x <= *t,
        Test::Greater(t) => x > *t,
        Test::GreaterEqual(t) => x >= *t,
        Test::Equal(t) => x == *t,
        Test::NotEqual(t) => x != *t,
        Test::Member(values) => values.contains(&x),
        Test::Category {
            bits,
            truncate_negative,
        } => {
            let is_category = x >= 0.0 || (*truncate_negative && x > -1.0);
            // `as` saturates, and no set is as long as `usize::MAX`.
            let category = x as usize;
            let word = bits.get(category / 32).copied().unwrap_or(0);
            is_category && word >> (category % 32) & 1 == 1
        }
    }
}

/// The largest `f32` that is at most `t`.
fn at_most(t: f64) -> f32 {
    // Rounding gives the nearest `f32`: `t`'s own, or one of its two neighbours.
    let near = t as f32;
    if f64::from(near) > t {
        near.next_down()
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn threshold() -> impl Strategy<Value = f64> {
        let special = [
            0.0,
            -0.0,
            f64::MAX,
            f64::MIN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::from(f32::MAX),
            f64::from(f32::MIN),
            f64::from(f32::MIN_POSITIVE),
            f64::MIN_POSITIVE,
            ZERO_BAND,
            -ZERO_BAND,
            1e300,
            -1e300,
        ];
        prop_oneof![
            any::<f32>().prop_map(f64::from),
            any::<f64>(),
            proptest::sample::select(special.to_vec()),
        ]
        .prop_filter("a number", |t| !t.is_nan())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn rounding_a_threshold_down_decides_every_f32_the_same(
            t in threshold(), x in any::<f32>(), kind in 0..4, missing in 0..6, steps in -2_i32..3,
        ) {
            let test = [Test::Less(t), Test::LessEqual(t), Test::Greater(t), Test::GreaterEqual(t)]
                [kind as usize].clone();
            let missing = [
                Missing::Yes, Missing::No, Missing::Compared, Missing::Zero,
                Missing::WithZero(true), Missing::WithZero(false),
            ][missing as usize];
            let Some(plain) = plain(&test, missing) else { return Ok(()) };
            let mut near = t as f32;
            for _ in 0..steps { near = near.next_up(); }
            for _ in steps..0 { near = near.next_down(); }
            for x in [x, near, -near, 0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, 1e-36, -1e-36] {
                let low = if x.is_nan() { plain.nan_low } else { x <= plain.threshold };
                prop_assert_eq!(low == plain.low_is_yes, super::super::walk::goes_yes(&test, missing, f64::from(x)));
            }
            let low = plain.nan_low;
            prop_assert_eq!(low == plain.low_is_yes, super::super::walk::goes_yes(&test, missing, f64::NAN));
        }
    }
}
