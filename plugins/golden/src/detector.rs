//! Golden cases of detectors.

use crate::{batch, cases, compare, read, settings};
use serde_json::Value;
use tollgate_plugin::{Detector, Element, Failure, FieldSpec, Score};

/// Runs the cases of a file of kind `detector`, straight and with a snapshot and
/// a restore before each window.
pub fn detector<T: Detector>(text: &str) {
    let file = read(text, "detector");
    for (name, case) in cases(&file) {
        let settings = settings(&file, case);
        let straight = run::<T>(name, &file, case, &settings, false);
        let restored = run::<T>(name, &file, case, &settings, true);
        assert_eq!(
            straight, restored,
            "{name}: other scores after a snapshot was restored"
        );
    }
}

/// All scores as text, to the bit.
fn run<T: Detector>(
    name: &str,
    file: &Value,
    case: &Value,
    settings: &str,
    restoring: bool,
) -> Vec<String> {
    let fields = fields(settings);
    let mut said = Vec::new();
    let fitted = T::fit(settings, batch(&fields, &case["reference"]));
    let mut detector = match (fitted, case["expect"].get("failure")) {
        (Ok(detector), None) => detector,
        (Err(found), Some(expected)) => {
            compare::failure(name, expected, &found);
            return said;
        }
        (Err(found), None) => panic!("{name}: {found:?}"),
        (Ok(_), Some(expected)) => panic!("{name}: no failure, expected {expected}"),
    };
    let windows = case["windows"].as_array().expect("windows is a list");
    for window in windows {
        if restoring {
            let state = detector.snapshot().expect("a snapshot");
            detector = T::restore(settings, &state).expect("a restored detector");
        }
        let found = detector.observe(batch(&fields, &window["columns"]));
        check(name, file, &window["expect"], &found);
        said.push(format!("{found:?}"));
    }
    said
}

fn check(name: &str, file: &Value, expect: &Value, found: &Result<Vec<Score>, Failure>) {
    let scores = match (found, expect.get("failure")) {
        (Ok(scores), None) => scores,
        (Err(found), Some(expected)) => return compare::failure(name, expected, found),
        (Err(found), None) => panic!("{name}: {found:?}"),
        (Ok(_), Some(expected)) => panic!("{name}: no failure, expected {expected}"),
    };
    let expected = expect["scores"].as_array().expect("scores is a list");
    assert_eq!(scores.len(), expected.len(), "{name}: {scores:?}");
    let tolerance = compare::tolerance(file);
    for (score, expected) in scores.iter().zip(expected) {
        let name = format!("{name}, {:?}", score.feature);
        for (key, value) in expected.as_object().expect("a score is an object") {
            match (key.as_str(), score.p_value) {
                ("feature", _) => assert_eq!(*value, *score.feature, "{name}"),
                ("statistic", _) => compare::number(&name, tolerance, value, score.statistic),
                ("p_value", Some(p)) => compare::number(&name, tolerance, value, p),
                ("p_value", None) => assert!(value.is_null(), "{name}: no p-value"),
                ("drifted", _) => assert_eq!(*value, score.drifted, "{name}"),
                (other, _) => panic!("{name}: a score has no key {other:?}"),
            }
        }
    }
}

/// The columns, from the key `features` of the settings.
fn fields(settings: &str) -> Vec<FieldSpec> {
    let settings: Value = serde_json::from_str(settings).expect("settings are JSON");
    let features = settings["features"].as_array();
    let field = |feature: &Value| FieldSpec {
        name: feature["name"].as_str().unwrap_or_default().into(),
        element: match feature["element"].as_str() {
            Some("f32") => Element::F32,
            Some("s64") => Element::S64,
            Some("s32") => Element::S32,
            Some("u8") => Element::U8,
            Some("utf8") => Element::Utf8,
            _ => Element::F64,
        },
        nullable: true,
    };
    features.into_iter().flatten().map(field).collect()
}
