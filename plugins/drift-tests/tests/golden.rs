//! The golden file and hostile batches, natively.

#[test]
fn golden() {
    golden::detector::<drift_tests::detector::DriftTests>(include_str!("../golden.json"));
}

#[test]
fn hostile() {
    let settings = r#"{"features":[{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"},{"name":"e"}],
        "tests":{"b":{"ks":{}},"c":{"jensen_shannon":{}},"d":{"wasserstein":{"normed":false}},
        "e":{"chi_square":{"cells":{"categories":{}}}}},"min_rows":2,"share":0.5}"#;
    golden::hostile::<drift_tests::detector::DriftTests>(settings, 5);
}
