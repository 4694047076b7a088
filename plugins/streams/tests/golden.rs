//! The golden file, natively.

#[test]
fn golden() {
    golden::detector::<streams::detector::Streams>(include_str!("../golden.json"));
}
