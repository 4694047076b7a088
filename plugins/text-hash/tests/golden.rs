//! The golden file, natively.

#[test]
fn golden() {
    golden::transform::<text_hash::hasher::TextHash>(include_str!("../golden.json"));
}
