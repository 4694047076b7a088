//! Cuts rows by the values of a column.

use domain::frame::{Column, ColumnData};
use std::{cmp::Reverse, collections::BTreeMap};

use crate::metrics::resampling::quantile;

/// Distinct values up to which a numeric column is cut by value.
const MAX_NUMBERS: usize = 10;
/// Values of a column that get a slice of their own; the rest share one.
const MAX_VALUES: usize = 20;
/// Name of the slice of rows without a value.
pub const MISSING: &str = "(missing)";
/// Name of the slice of rows with one of the rarer values.
pub const OTHER: &str = "(other)";

/// A slice: its name and its rows, ascending.
pub type Cut = (String, Vec<usize>);

/// Slices of a column, in a fixed order: quartile intervals of a numeric column
/// with more than ten distinct values; otherwise each of the twenty most
/// frequent values, then all others together; last the rows without a value.
pub fn cut(column: &Column) -> Vec<Cut> {
    match &column.data {
        ColumnData::Numbers(values) => cut_numbers(values),
        ColumnData::Integers(values) => {
            let mut distinct = values.clone();
            distinct.sort_unstable();
            distinct.dedup();
            if distinct.len() > MAX_NUMBERS {
                let values: Vec<f64> = values.iter().map(|x| *x as f64).collect();
                return quartiles(&values);
            }
            by_value(values.iter().map(|x| Some(x.to_string())))
        }
        ColumnData::Text(values) => by_value(values.iter().map(|text| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| text.chars().take(100).collect())
        })),
    }
}

fn cut_numbers(values: &[f64]) -> Vec<Cut> {
    let mut distinct: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup();
    if distinct.len() > MAX_NUMBERS {
        return quartiles(values);
    }
    by_value(values.iter().map(|x| (!x.is_nan()).then(|| x.to_string())))
}

fn by_value(values: impl Iterator<Item = Option<String>>) -> Vec<Cut> {
    let mut rows: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (row, value) in values.enumerate() {
        rows.entry(value).or_default().push(row);
    }
    let missing = rows.remove(&None);
    let mut cuts: Vec<Cut> = rows
        .into_iter()
        .filter_map(|(value, rows)| Some((value?, rows)))
        .collect();
    // Stable: among equally frequent values the order of the values stays.
    cuts.sort_by_key(|(_, rows)| Reverse(rows.len()));
    let rest = cuts.split_off(cuts.len().min(MAX_VALUES));
    if !rest.is_empty() {
        let mut rows: Vec<usize> = rest.into_iter().flat_map(|(_, rows)| rows).collect();
        rows.sort_unstable();
        cuts.push((OTHER.to_owned(), rows));
    }
    cuts.extend(missing.map(|rows| (MISSING.to_owned(), rows)));
    cuts
}

/// Intervals between the quartiles, closed below, the last one on both sides.
fn quartiles(values: &[f64]) -> Vec<Cut> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut edges: Vec<f64> = [0.0, 0.25, 0.5, 0.75, 1.0]
        .into_iter()
        .map(|q| quantile(&sorted, q))
        .collect();
    edges.dedup();
    let count = edges.len().saturating_sub(1);
    let mut rows = vec![Vec::new(); count];
    let mut missing = Vec::new();
    for (row, value) in values.iter().enumerate() {
        if value.is_nan() {
            missing.push(row);
            continue;
        }
        let at = edges.iter().skip(1).filter(|edge| *value >= **edge).count();
        if let Some(rows) = rows.get_mut(at.min(count.saturating_sub(1))) {
            rows.push(row);
        }
    }
    let name = |at: usize, ends: &[f64]| {
        let close = if at + 1 == count { ']' } else { ')' };
        match ends {
            [low, high] => format!("[{low}, {high}{close}"),
            _ => String::new(),
        }
    };
    let names = edges
        .windows(2)
        .enumerate()
        .map(|(at, ends)| name(at, ends));
    let mut cuts: Vec<Cut> = names
        .zip(rows)
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    if !missing.is_empty() {
        cuts.push((MISSING.to_owned(), missing));
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_of(data: ColumnData) -> Vec<(String, usize)> {
        let column = Column {
            name: "c".into(),
            data,
        };
        let cuts = cut(&column);
        cuts.into_iter()
            .map(|(name, rows)| (name, rows.len()))
            .collect()
    }

    #[test]
    fn texts_are_cut_by_value_the_frequent_first() {
        let texts = ["b", "a", "b", "", "c"];
        let data = ColumnData::Text(texts.iter().map(|t| Some((*t).to_owned())).collect());
        let expected = [("b", 2), ("a", 1), ("c", 1), (MISSING, 1)];
        assert_eq!(cut_of(data), expected.map(|(name, n)| (name.to_owned(), n)));
    }

    #[test]
    fn rare_values_share_a_slice() {
        let data = ColumnData::Text((0..30).map(|i| Some(format!("v{i:02}"))).collect());
        let cuts = cut_of(data);
        assert_eq!(cuts.len(), 21);
        assert_eq!(cuts[20], (OTHER.to_owned(), 10));
    }

    #[test]
    fn many_numbers_are_cut_at_the_quartiles() {
        let mut values: Vec<f64> = (0..=100).map(f64::from).collect();
        values.push(f64::NAN);
        let expected = [
            ("[0, 25)", 25),
            ("[25, 50)", 25),
            ("[50, 75)", 25),
            ("[75, 100]", 26),
            (MISSING, 1),
        ];
        let cuts = cut_of(ColumnData::Numbers(values));
        assert_eq!(cuts, expected.map(|(name, n)| (name.to_owned(), n)));
    }

    #[test]
    fn quartiles_that_fall_together_are_one_edge() {
        let mut values = vec![0.0; 90];
        values.extend((1..=11).map(f64::from));
        let cuts = cut_of(ColumnData::Numbers(values));
        assert_eq!(cuts, [("[0, 11]".to_owned(), 101)]);
    }

    #[test]
    fn few_numbers_are_cut_by_value() {
        let cuts = cut_of(ColumnData::Numbers(vec![1.0, 0.0, 1.0]));
        assert_eq!(cuts, [("1".to_owned(), 2), ("0".to_owned(), 1)]);
    }
}
