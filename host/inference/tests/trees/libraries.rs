//! Small models of every kind, against what XGBoost and LightGBM predicted
//! (`tests/fixtures/make_trees.py`).

use crate::given::{ask, fixture, json, largest_difference, load, numbers, output};
use domain::{
    model::Format,
    ports::engine::{ModelLoadError, ModelLoader, ModelSource},
};
use inference::Engine;

/// (file, its expectations) for every model in `trees/`.
fn models(prefix: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(fixture("trees")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.split('.').next().unwrap().to_owned();
        if name.starts_with(prefix) && !name.ends_with(".expected.json") {
            files.push((
                format!("trees/{name}"),
                format!("trees/{stem}.expected.json"),
            ));
        }
    }
    files.sort();
    files
}

/// Compares all models; gives the largest difference.
fn compare_all(prefix: &str, at_least: usize, skip: &str) -> f64 {
    let models = models(prefix);
    assert!(models.len() >= at_least);
    let mut worst = 0.0;
    let mut wrong = Vec::new();
    for (file, expected) in models {
        if file.contains(skip) {
            continue;
        }
        let expected = json(&expected);
        let model = load(&file);
        let outputs = ask(&*model, &numbers(&expected["rows"]));
        for (name, values) in expected.as_object().unwrap() {
            if name == "rows" {
                continue;
            }
            let difference = largest_difference(&output(&outputs, name), &numbers(values));
            worst = f64::max(worst, difference);
            if difference > 2e-6 {
                wrong.push(format!("{file} {name}: {difference:e}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    worst
}

#[test]
fn every_xgboost_objective_and_booster_agrees_with_xgboost() {
    println!(
        "largest difference {:e}",
        compare_all("xgb_", 25, "no such")
    );
}

#[test]
fn every_lightgbm_objective_and_booster_agrees_with_lightgbm() {
    println!(
        "largest difference {:e}",
        compare_all("lgb_", 25, "linear_trees")
    );
}

#[test]
fn linear_trees_are_refused_by_name() {
    let source = ModelSource {
        path: fixture("trees/lgb_linear_trees.txt"),
        architecture: None,
    };
    assert_eq!(
        Engine::default().load(&source).unwrap_err(),
        ModelLoadError::Unsupported {
            format: Format::Lightgbm,
            what: vec!["linear trees (linear_tree=true)".to_owned()],
        }
    );
}

#[test]
fn feature_names_become_the_fields_of_the_input() {
    let fields = |file: &str| load(file).signature().inputs[0].fields.clone();
    assert_eq!(fields("trees/xgb_binary.json")[4], "column 4");
    assert_eq!(fields("trees/lgb_binary.txt")[4], "Column_4");
    assert!(fields("trees/xgb_gamma.ubj").is_empty());
}
