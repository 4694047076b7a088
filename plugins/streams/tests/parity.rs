//! Both methods against river, value by value; `fixtures/parity.py` wrote what it
//! answers.

use serde_json::Value;
use streams::{adwin::Window, page_hinkley::Test, settings::Method};

fn near(found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
        "{found} {expected}"
    );
}

#[test]
fn equal_to_river() {
    let file: Value = serde_json::from_str(include_str!("fixtures/parity.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 21);
    for case in cases {
        let values = file["streams"][case["stream"].as_str().unwrap()].as_array();
        let key = if case.get("adwin").is_some() {
            "adwin"
        } else {
            "page_hinkley"
        };
        let text = serde_json::json!({ key: case[key] }).to_string();
        let method: Method = serde_json::from_str(&text).unwrap();
        let (mut window, mut test) = (Window::default(), Test::default());
        let mut changes = Vec::new();
        for (index, value) in values.unwrap().iter().enumerate() {
            let value = value.as_f64().unwrap();
            let changed = match &method {
                Method::Adwin(settings) => {
                    window.update(settings, value);
                    window.changed
                }
                Method::PageHinkley(settings) => {
                    test.update(settings, value);
                    test.changed
                }
            };
            if changed {
                changes.push(index);
            }
            if index % 100 == 99 && key == "adwin" {
                let state = &case["states"][index / 100];
                near(window.width, &state[0]);
                near(window.total, &state[1]);
                near(window.variance, &state[2]);
            }
        }
        assert_eq!(serde_json::json!(changes), case["changes"], "{text}");
    }
}
