//! The statistic against numpy (`fixtures/parity.py` wrote what it answers), and
//! the test's promise: as many false alarms as the level says.

use detecting::chance::Chance;
use multivariate::detector::Multivariate;
use serde_json::{Value, json};
use tollgate_plugin::{Batch, Block, Buffer, Detector, Score};

/// Rows as three columns of 64-bit floats.
fn batch(rows: &[[f64; 3]]) -> Batch {
    let values = (0..3).flat_map(|column| rows.iter().map(move |row| row[column]));
    Batch {
        rows: rows.len() as u32,
        blocks: vec![Block {
            fields: 3,
            values: Buffer::F64s(values.collect()),
            validity: None,
        }],
    }
}

fn settings(more: Value) -> String {
    let mut settings = json!({"features": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
    for (key, value) in more.as_object().unwrap() {
        settings[key] = value.clone();
    }
    settings.to_string()
}

fn score(settings: &str, reference: &[[f64; 3]], window: &[[f64; 3]]) -> Score {
    let mut detector = Multivariate::fit(settings, batch(reference)).unwrap();
    detector.observe(batch(window)).unwrap().remove(0)
}

#[test]
fn equal_to_numpy_and_close_to_the_kernel() {
    let file: Value = serde_json::from_str(include_str!("fixtures/parity.json")).unwrap();
    let rows = |value: &Value| -> Vec<[f64; 3]> { serde_json::from_value(value.clone()).unwrap() };
    let settings = settings(file["settings"].clone());
    let reference = rows(&file["reference"]);
    let drifted: Vec<bool> = file["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| {
            let found = score(&settings, &reference, &rows(&case["window"]));
            let expected = case["features"].as_f64().unwrap();
            assert!(
                (found.statistic - expected).abs() < 1e-12,
                "{found:?} {expected}"
            );
            let kernel = case["kernel"].as_f64().unwrap();
            assert!(
                (found.statistic - kernel).abs() < 0.005,
                "{found:?} {kernel}"
            );
            found.drifted
        })
        .collect();
    // The second window differs in nothing but the correlation of two columns.
    assert_eq!(drifted, [false, true, true]);
}

fn normal_rows(chance: &mut Chance, rows: usize) -> Vec<[f64; 3]> {
    (0..rows)
        .map(|_| [chance.normal(), chance.normal(), chance.normal()])
        .collect()
}

#[test]
fn false_alarms_are_as_rare_as_the_level() {
    let settings = settings(json!({
        "alpha": 0.1, "frequencies": 8, "block": 10, "permutations": 99,
    }));
    let mut chance = Chance::new(2);
    let alarms = (0..100)
        .filter(|_| {
            let reference = normal_rows(&mut chance, 150);
            let window = normal_rows(&mut chance, 80);
            score(&settings, &reference, &window).drifted
        })
        .count();
    // 10 are expected; more than 20 or fewer than 2 come once in a thousand times.
    assert!((2..=20).contains(&alarms), "{alarms}");
}

#[test]
fn values_that_stop_arriving_are_drift() {
    let mut chance = Chance::new(3);
    let reference = normal_rows(&mut chance, 500);
    let mut window = normal_rows(&mut chance, 200);
    for row in window.iter_mut().step_by(3) {
        row[1] = f64::NAN;
    }
    assert!(score(&settings(json!({})), &reference, &window).drifted);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let rows = normal_rows(&mut Chance::new(4), 300);
    let settings = settings(json!({}));
    let code = |found: Result<Multivariate, tollgate_plugin::Failure>| found.err().unwrap().code;
    let few = Multivariate::fit(&settings, batch(&rows[..199]));
    assert_eq!(code(few), "too-few-rows");
    // What is too large to add up counts as missing.
    let large = Multivariate::fit(&settings, batch(&[[f64::MAX, 0.0, 0.0]; 300])).unwrap();
    assert!(large.snapshot().is_ok());
    let mut detector = Multivariate::fit(&settings, batch(&rows)).unwrap();
    let failure = detector.observe(batch(&rows[..99])).unwrap_err();
    assert_eq!(failure.code, "too-few-rows");
    let state = detector.snapshot().unwrap();
    assert!(Multivariate::restore(&settings, &state).is_ok());
    assert_eq!(
        code(Multivariate::restore(&settings, &state[..100])),
        "bad-snapshot"
    );
}
