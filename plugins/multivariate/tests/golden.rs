//! The golden file and hostile batches, natively.

#[test]
fn golden() {
    golden::detector::<multivariate::detector::Multivariate>(include_str!("../golden.json"));
}

#[test]
fn hostile() {
    let settings = r#"{"features":[{"name":"a"},{"name":"b"}],"frequencies":4,"permutations":99}"#;
    golden::hostile::<multivariate::detector::Multivariate>(settings, 2);
}
