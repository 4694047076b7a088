//! Numbers of scikit-learn, scipy and published methods. `make_reference.py`
//! wrote the fixtures; the constants below name their rows.

use domain::evidence::Metric;
use evaluation::metrics::{Binary, Multiclass, Regression, Sample};
use proptest::prelude::*;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

#[derive(Deserialize)]
struct Reference {
    binary: Vec<Case>,
    multiclass: Vec<Case>,
    regression: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    truth: Vec<f64>,
    #[serde(default)]
    classes: usize,
    #[serde(default)]
    scores: Vec<f64>,
    #[serde(default)]
    predictions: Vec<f64>,
    values: BTreeMap<String, f64>,
    intervals: BTreeMap<String, [f64; 2]>,
}

pub(crate) fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&fs::read(fixture(name)).unwrap()).unwrap()
}

#[track_caller]
fn close(is: f64, wanted: f64, tolerance: f64, what: &str) {
    let scale = wanted.abs().max(1.0);
    assert!(
        (is - wanted).abs() <= tolerance * scale,
        "{what}: {is} is not {wanted}"
    );
}

fn compare(case: &Case, metrics: &BTreeMap<String, Metric>) {
    for (name, wanted) in &case.values {
        let value = metrics[name].value.unwrap();
        close(value, *wanted, 1e-12, &format!("{}: {name}", case.name));
    }
    for (name, [low, high]) in &case.intervals {
        let what = format!("{}: interval of {name}", case.name);
        close(metrics[name].ci_low.unwrap(), *low, 1e-9, &what);
        close(metrics[name].ci_high.unwrap(), *high, 1e-9, &what);
    }
}

fn binary(truth: &[f64], scores: &[f64]) -> Sample {
    let truth = truth.iter().map(|y| *y == 1.0).collect();
    Sample::Binary(Binary::new(truth, scores.to_vec(), 0.5).unwrap())
}

#[test]
fn every_metric_equals_scikit_learn() {
    let reference: Reference = json("reference.json");
    for case in &reference.binary {
        compare(case, &binary(&case.truth, &case.scores).measure(1).metrics);
    }
    for case in &reference.multiclass {
        let truth = case.truth.iter().map(|y| *y as u32).collect();
        let sample = Multiclass::new(truth, case.scores.clone(), case.classes).unwrap();
        compare(case, &Sample::Multiclass(sample).measure(1).metrics);
    }
    for case in &reference.regression {
        let sample = Regression::new(case.truth.clone(), &case.predictions).unwrap();
        compare(case, &Sample::Regression(sample).measure(1).metrics);
    }
    let cases = [
        &reference.binary,
        &reference.multiclass,
        &reference.regression,
    ];
    assert_eq!(cases.map(Vec::len), [4, 2, 1]);
}

/// A row of the breast cancer data: mean radius, mean texture, malignant.
#[derive(Deserialize)]
struct Tumour {
    radius: f64,
    texture: f64,
    malignant: f64,
}

/// All 569 rows; scores are positive, so a scale keeps their order.
fn tumours() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let rows: Vec<Tumour> = json("radius_texture.json");
    (
        rows.iter().map(|row| row.malignant).collect(),
        rows.iter().map(|row| row.radius / 100.0).collect(),
        rows.iter().map(|row| row.texture / 100.0).collect(),
    )
}

#[test]
fn delong_equals_the_reference_implementation() {
    // Areas and covariance of mean radius and mean texture over all rows, with
    // scipy's normal distribution: see statistics of the same data.
    let (truth, radius, texture) = tumours();
    let (radius, texture) = (binary(&truth, &radius), binary(&truth, &texture));
    let (ours, theirs) = (radius.measure(1), texture.measure(1));
    let area = &ours.metrics["roc_auc"];
    close(
        area.value.unwrap(),
        0.937_516_516_040_378_2,
        1e-14,
        "radius",
    );
    // The reference variance of radius, on the logit scale.
    let variance: f64 = 0.000_109_354_203_582_322_83;
    let logit = (0.937_516_516_040_378_2f64 / 0.062_483_483_959_621_8).ln();
    let reach = 1.959_963_984_540_054 * variance.sqrt()
        / (0.937_516_516_040_378_2 * 0.062_483_483_959_621_8);
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    close(area.ci_low.unwrap(), logistic(logit - reach), 1e-12, "low");
    close(
        area.ci_high.unwrap(),
        logistic(logit + reach),
        1e-12,
        "high",
    );
    assert_eq!(area.method, "delong_logit");
    let texture_area = theirs.metrics["roc_auc"].value.unwrap();
    close(texture_area, 0.775_824_480_735_690_4, 1e-14, "texture");
    close(
        ours.metrics["pr_auc"].value.unwrap(),
        0.922_924_594_696_834_3,
        1e-12,
        "ap",
    );

    let differences = radius.minus(&ours, &texture, &theirs).unwrap();
    let difference = &differences["roc_auc"];
    close(
        difference.p_value.unwrap(),
        2.695_638_625_342_812e-13,
        1e-15,
        "p",
    );
    let error =
        (difference.ci_high.unwrap() - difference.ci_low.unwrap()) / 2.0 / 1.959_963_984_540_054;
    close(
        difference.value.unwrap() / error,
        7.308_787_404_733_396,
        1e-10,
        "z",
    );
    assert_eq!(difference.method, "delong_paired");
}

#[test]
fn calibration_equals_the_reference_implementation() {
    // Probability 1 / (1 + exp((14.5 - radius) / 1.5)) of all rows.
    let (truth, radius, _) = tumours();
    let scores: Vec<f64> = radius
        .iter()
        .map(|r| 1.0 / (1.0 + ((14.5 - r * 100.0) / 1.5).exp()))
        .collect();
    let metrics = binary(&truth, &scores).measure(1).metrics;
    let value = |name: &str| metrics[name].value.unwrap();
    close(value("ece"), 0.085_793_140_795_401_07, 1e-12, "ece");
    close(value("brier"), 0.096_344_973_629_627_81, 1e-12, "brier");
    close(
        value("log_loss"),
        0.318_496_097_198_194_55,
        1e-12,
        "log loss",
    );
    // One benign tumour has a radius of 14.5 exactly: probability 0.5 does not
    // decide for class 1, as with scikit-learn's `p > 0.5`.
    close(value("accuracy"), 495.0 / 569.0, 1e-15, "accuracy");
    close(value("f1"), 0.822_966_507_177_033_5, 1e-12, "f1");
    assert_eq!(
        metrics["ece"].method,
        "10 equal-width bins, bootstrap_basic(2000)"
    );
}

#[test]
fn accuracy_of_87_in_100_has_wilsons_interval_and_mcnemars_test() {
    // 87 rows right; the other model is right in 12 that this one misses, and
    // wrong in 5 that it gets.
    let truth = vec![1.0; 100];
    let hit = |yes: bool| if yes { 0.9 } else { 0.1 };
    let ours: Vec<f64> = (0..100).map(|i| hit(i < 87)).collect();
    let theirs: Vec<f64> = (0..100).map(|i| hit((5..99).contains(&i))).collect();
    let (a, b) = (binary(&truth, &ours), binary(&truth, &theirs));
    let (measured, baseline) = (a.measure(1), b.measure(1));
    let accuracy = &measured.metrics["accuracy"];
    close(
        accuracy.ci_low.unwrap(),
        0.790_196_485_599_235_6,
        1e-13,
        "low",
    );
    close(
        accuracy.ci_high.unwrap(),
        0.922_428_325_727_599_5,
        1e-13,
        "high",
    );
    let differences = a.minus(&measured, &b, &baseline).unwrap();
    let difference = &differences["accuracy"];
    close(difference.value.unwrap(), -0.07, 1e-12, "difference");
    close(
        difference.p_value.unwrap(),
        0.143_463_134_765_625,
        1e-15,
        "p",
    );
}

#[test]
fn what_is_not_defined_has_no_value_and_says_why() {
    let one_class = binary(&[0.0, 0.0, 0.0], &[0.1, 0.2, 0.3])
        .measure(1)
        .metrics;
    for name in ["roc_auc", "pr_auc", "f1", "precision", "recall"] {
        let metric = &one_class[name];
        assert!(metric.value.is_none() && metric.note.is_some(), "{name}");
        assert!(metric.ci_low.is_none(), "{name}");
    }
    assert_eq!(one_class["accuracy"].value, Some(1.0));
    let none = binary(&[], &[]).measure(1).metrics;
    assert!(
        none.values()
            .all(|metric| metric.value.is_none() && metric.n == 0)
    );
    let flat = Regression::new(vec![0.0, 0.0], &[0.5, 1.0]).unwrap();
    let flat = Sample::Regression(flat).measure(1).metrics;
    for name in ["mape", "wape", "r2"] {
        assert!(
            flat[name].value.is_none() && flat[name].note.is_some(),
            "{name}"
        );
    }
    assert_eq!(flat["mae"].value, Some(0.75));
}

#[test]
fn predictions_that_are_no_probabilities_are_refused() {
    for bad in [f64::NAN, 1.5, -0.2, f64::INFINITY] {
        let error = Binary::new(vec![true, false], vec![0.5, bad], 0.5).unwrap_err();
        assert!(error.to_string().starts_with("row 1: "), "{error}");
        assert!(Multiclass::new(vec![0], vec![bad, 0.5], 2).is_err());
    }
    assert!(Multiclass::new(vec![2], vec![0.5, 0.5], 2).is_err());
    assert!(Regression::new(vec![1.0], &[f64::NAN]).is_err());
    assert!(Binary::new(vec![true], vec![], 0.5).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_area_depends_on_the_order_only(
        rows in prop::collection::vec((any::<bool>(), 0u32..40), 6..60)
    ) {
        let truth: Vec<f64> = rows.iter().map(|(y, _)| f64::from(u8::from(*y))).collect();
        let plain: Vec<f64> = rows.iter().map(|(_, s)| f64::from(*s) / 40.0).collect();
        let bent: Vec<f64> = plain.iter().map(|p| p.powi(3) * 0.5 + 0.1).collect();
        let (a, b) = (binary(&truth, &plain), binary(&truth, &bent));
        let (ours, theirs) = (a.measure(1), b.measure(1));
        prop_assert_eq!(&ours.metrics["roc_auc"], &theirs.metrics["roc_auc"]);
        prop_assert_eq!(&ours.metrics["pr_auc"].value, &theirs.metrics["pr_auc"].value);
    }

    #[test]
    fn the_order_of_rows_does_not_matter(
        rows in prop::collection::vec((any::<bool>(), 0u32..1000), 6..60), turn in 1usize..5
    ) {
        let split = |rows: &[(bool, u32)]| {
            let truth: Vec<f64> = rows.iter().map(|(y, _)| f64::from(u8::from(*y))).collect();
            let scores: Vec<f64> = rows.iter().map(|(_, s)| f64::from(*s) / 1000.0).collect();
            binary(&truth, &scores).measure(1).metrics
        };
        let mut turned = rows.clone();
        turned.rotate_left(turn);
        let (ours, theirs) = (split(&rows), split(&turned));
        for (name, metric) in &ours {
            match (metric.value, theirs[name].value) {
                (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12, "{}", name),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }

    #[test]
    fn intervals_hold_their_estimate(
        rows in prop::collection::vec((any::<bool>(), 0u32..1000), 2..60)
    ) {
        let truth: Vec<f64> = rows.iter().map(|(y, _)| f64::from(u8::from(*y))).collect();
        let scores: Vec<f64> = rows.iter().map(|(_, s)| f64::from(*s) / 1000.0).collect();
        let metrics = binary(&truth, &scores).measure(1).metrics;
        for (name, metric) in &metrics {
            if let (Some(value), Some(low), Some(high)) = (metric.value, metric.ci_low, metric.ci_high) {
                prop_assert!(low <= value + 1e-12 && value <= high + 1e-12, "{}", name);
            }
        }
    }
}
