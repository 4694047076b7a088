//! The golden file, natively.

#[test]
fn golden() {
    golden::detector::<drift_tests::detector::DriftTests>(include_str!("../golden.json"));
}
