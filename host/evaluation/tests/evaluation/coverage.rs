//! Simulations: 95 % intervals hold the true value in about 95 % of samples.

use evaluation::metrics::{Binary, Regression, Sample};
use std::collections::BTreeMap;

/// SplitMix64, for data only.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Candidate and baseline, correlated, the candidate somewhat better.
fn binary_pair(noise: &mut Noise, rows: usize) -> (Sample, Sample) {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut truth, mut ours, mut theirs) = (vec![], vec![], vec![]);
    for _ in 0..rows {
        let positive = noise.uniform() < 0.4;
        let side = if positive { 1.0 } else { -1.0 };
        let (shared, own) = (noise.normal(), noise.normal());
        truth.push(positive);
        ours.push(sigmoid(1.1 * side + shared));
        theirs.push(sigmoid(0.8 * side + 0.6 * shared + 0.8 * own));
    }
    let sample = |scores| Sample::Binary(Binary::new(truth.clone(), scores, 0.5).unwrap());
    (sample(ours), sample(theirs))
}

fn regression_pair(noise: &mut Noise, rows: usize) -> (Sample, Sample) {
    let (mut truth, mut ours, mut theirs) = (vec![], vec![], vec![]);
    for _ in 0..rows {
        let y = 10.0 + 3.0 * noise.normal();
        let shared = noise.normal();
        truth.push(y);
        ours.push(y + shared);
        theirs.push(y + 0.7 * shared + noise.normal());
    }
    let sample =
        |scores: &[f64]| Sample::Regression(Regression::new(truth.clone(), scores).unwrap());
    (sample(&ours), sample(&theirs))
}

/// Share of samples whose interval holds the value of a very large sample, by
/// metric; differences have `minus ` before their name.
fn coverage(
    pair: impl Fn(&mut Noise, usize) -> (Sample, Sample),
    rows: usize,
    samples: u32,
) -> BTreeMap<String, f64> {
    let mut noise = Noise(42);
    let (ours, theirs) = pair(&mut noise, 400_000);
    let truth = intervals(&ours, &theirs);
    let mut held: BTreeMap<String, f64> = BTreeMap::new();
    for _ in 0..samples {
        let (ours, theirs) = pair(&mut noise, rows);
        for (name, (_, low, high)) in intervals(&ours, &theirs) {
            let within = low <= truth[&name].0 && truth[&name].0 <= high;
            *held.entry(name).or_default() += f64::from(u8::from(within)) / f64::from(samples);
        }
    }
    held
}

fn intervals(ours: &Sample, theirs: &Sample) -> BTreeMap<String, (f64, f64, f64)> {
    let (a, b) = (ours.measure(3), theirs.measure(3));
    let differences = ours.minus(&a, theirs, &b).unwrap();
    let metrics = a.metrics.into_iter().map(|(name, m)| {
        let entry = (m.value.unwrap(), m.ci_low.unwrap(), m.ci_high.unwrap());
        (name, entry)
    });
    let differences = differences.into_iter().map(|(name, d)| {
        let entry = (d.value.unwrap(), d.ci_low.unwrap(), d.ci_high.unwrap());
        (format!("minus {name}"), entry)
    });
    metrics.chain(differences).collect()
}

/// The calibration error is left out: it is biased upwards in small samples, so
/// its interval is about the estimator, not the model's true error.
#[test]
fn binary_intervals_hold_the_truth_in_95_of_100_samples() {
    let held = coverage(binary_pair, 200, 600);
    assert_eq!(held.len(), 18);
    for (name, share) in held.iter().filter(|(name, _)| !name.ends_with("ece")) {
        println!("{name} {share:.3}");
        assert!((0.92..=0.98).contains(share), "{name}: {share}");
    }
}

#[test]
fn regression_intervals_hold_the_truth_in_95_of_100_samples() {
    let held = coverage(regression_pair, 200, 600);
    assert_eq!(held.len(), 10);
    for (name, share) in held.iter().filter(|(name, _)| !name.ends_with("mape")) {
        println!("{name} {share:.3}");
        assert!((0.92..=0.98).contains(share), "{name}: {share}");
    }
}

/// Beyond 20,000 rows the jackknife takes over; it agrees with the bootstrap.
#[test]
fn large_samples_have_intervals_as_wide_as_small_ones_predict() {
    let width = |rows: usize, name: &str| {
        let mut noise = Noise(7);
        let (ours, theirs) = binary_pair(&mut noise, rows);
        let (_, low, high) = intervals(&ours, &theirs)[name];
        (high - low) * (rows as f64).sqrt()
    };
    for name in ["pr_auc", "f1", "minus pr_auc", "minus f1"] {
        let ratio = width(60_000, name) / width(18_000, name);
        assert!((0.85..1.15).contains(&ratio), "{name}: {ratio}");
    }
}
