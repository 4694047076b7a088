//! The golden file, natively.

#[test]
fn golden() {
    golden::transform::<tabular::table::Table>(include_str!("../golden.json"));
}
