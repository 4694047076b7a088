//! The reference models: 200 trees of depth 6 on 30 features, 256 rows.

use crate::given::{ask, json, largest_difference, load, numbers, output};
use domain::model::Format;

fn compare(file: &str, format: Format, predictions: &str) {
    let model = load(file);
    assert_eq!(model.format(), format);
    let rows = numbers(&json("reference/X_ref.json"));
    let expected = numbers(&json("reference/predictions.json")[predictions]);
    let outputs = ask(&*model, &rows);
    let both = output(&outputs, "probabilities");
    let second: Vec<f64> = both.chunks(2).map(|pair| pair[1]).collect();
    let difference = largest_difference(&second, &expected);
    println!("{file}: largest difference {difference:e}");
    assert!(difference < 1e-6, "{file}: {difference}");
    for ((label, pair), p) in output(&outputs, "label")
        .iter()
        .zip(both.chunks(2))
        .zip(&expected)
    {
        assert_eq!(*label, f64::from(*p > 0.5));
        assert!((pair[0] + pair[1] - 1.0).abs() < 1e-6);
    }
    // Row by row gives exactly what the batch gave.
    for (row, p) in rows.chunks(30).zip(&second) {
        assert_eq!(output(&ask(&*model, row), "probabilities")[1], *p);
    }
}

#[test]
fn xgboost_json_agrees_with_xgboost() {
    compare("reference/xgb.json", Format::XgboostJson, "xgb");
}

#[test]
fn xgboost_ubjson_agrees_with_xgboost() {
    compare("reference/xgb.ubj", Format::XgboostUbjson, "xgb");
}

#[test]
fn lightgbm_text_agrees_with_lightgbm() {
    compare("reference/lgbm.txt", Format::Lightgbm, "lgbm");
}
