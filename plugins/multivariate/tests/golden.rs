//! The golden file, natively.

#[test]
fn golden() {
    golden::detector::<multivariate::detector::Multivariate>(include_str!("../golden.json"));
}
