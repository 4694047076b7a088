//! The golden file and hostile batches, natively.

#[test]
fn golden() {
    golden::detector::<streams::detector::Streams>(include_str!("../golden.json"));
}

#[test]
fn hostile() {
    let settings = r#"{"features":[{"name":"a"},{"name":"b"}],"method":{"adwin":{"clock":1}},
        "methods":{"b":{"page_hinkley":{"threshold":1}}}}"#;
    golden::hostile::<streams::detector::Streams>(settings, 2);
}
