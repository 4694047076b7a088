//! What no detector may do, whatever it is given: panic, or let out a number that
//! is none.

use tollgate_plugin::{Batch, Block, Buffer, Detector, Score};

/// Values at the edges of what a column of numbers may hold.
const VALUES: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    1.5,
    -3.0,
    1e-308,
    1e99,
    -1e99,
    f64::MAX,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

/// Fits and observes columns of such values, then restores damaged snapshots.
/// `columns` is the number of features of the settings, all of element `f64`.
pub fn hostile<T: Detector>(settings: &str, columns: u32) {
    let mut dice = Dice(1);
    let mut judged = 0;
    for round in 0..60 {
        let kinds = 1 + round % VALUES.len();
        let reference = batch(&mut dice, columns, 250, kinds);
        let Ok(mut detector) = T::fit(settings, reference) else {
            continue;
        };
        for rows in [0, 1, 120] {
            let kinds = 1 + dice.below(VALUES.len());
            judged += look(&mut detector, batch(&mut dice, columns, rows, kinds));
        }
        let state = detector.snapshot().expect("a snapshot");
        for _ in 0..20 {
            let mut damaged = state.clone();
            // Behind version and fingerprint, where the state itself is.
            let at = 9 + dice.below(damaged.len() - 9);
            damaged[at] ^= 1 << dice.below(8);
            if dice.below(4) == 0 {
                damaged.truncate(at);
            }
            if let Ok(mut detector) = T::restore(settings, &damaged) {
                look(&mut detector, batch(&mut dice, columns, 120, VALUES.len()));
            }
        }
    }
    assert!(judged > 0, "no window was judged");
}

/// Observes; how many scores came, all of them numbers.
fn look<T: Detector>(detector: &mut T, window: Batch) -> usize {
    let scores: Vec<Score> = detector.observe(window).unwrap_or_default();
    for score in &scores {
        assert!(score.statistic.is_finite(), "{score:?}");
        let p = score.p_value.unwrap_or(0.0);
        assert!((0.0..=1.0).contains(&p), "{score:?}");
    }
    scores.len()
}

fn batch(dice: &mut Dice, columns: u32, rows: u32, kinds: usize) -> Batch {
    let first = dice.below(VALUES.len());
    let values = (0..columns * rows)
        .map(|_| VALUES[(first + dice.below(kinds)) % VALUES.len()])
        .collect();
    Batch {
        rows,
        blocks: vec![Block {
            fields: columns,
            values: Buffer::F64s(values),
            validity: None,
        }],
    }
}

/// A small generator of its own: tests must not depend on what they test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}
