//! Counting one column into cells that the reference decides.

use crate::settings::Cells;
use detecting::features::number_key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The cells of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Layout {
    /// Between ascending edges; cell `i` holds the values from edge `i - 1` on
    /// and below edge `i`.
    Edges(Vec<f64>),
    /// By key, ascending; one more cell, the last but one, for all others.
    Categories(Vec<u64>),
}

/// The cells of a column with the reference's counts. The last cell is that of
/// missing values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The cells.
    pub layout: Layout,
    /// What the reference has in each.
    pub counts: Vec<u64>,
}

impl Layout {
    /// Cells for a column of numbers; NaN counts as missing.
    #[must_use]
    pub fn of_numbers(cells: Option<&Cells>, values: &[f64]) -> Self {
        match cells {
            Some(Cells::Edges(edges)) => Self::Edges(edges.clone()),
            Some(Cells::Categories { most, rare }) => {
                Self::of_keys(*most, *rare, values.iter().map(|&x| number_key(x)))
            }
            Some(Cells::Quantiles(count)) => Self::quantiles(*count, values),
            None => Self::quantiles(10, values),
        }
    }

    /// Cells for a column of text.
    #[must_use]
    pub fn of_texts(cells: Option<&Cells>, keys: &[Option<u64>]) -> Self {
        let (most, rare) = match cells {
            Some(Cells::Categories { most, rare }) => (*most, *rare),
            _ => (50, 5),
        };
        Self::of_keys(most, rare, keys.iter().copied())
    }

    fn quantiles(count: usize, values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let mut distinct = sorted.clone();
        distinct.dedup();
        if distinct.len() <= count {
            return Self::of_keys(count, 0, distinct.into_iter().map(number_key));
        }
        let mut edges: Vec<f64> = (1..count)
            .map(|index| quantile(&sorted, index as f64 / count as f64))
            .collect();
        edges.dedup();
        Self::Edges(edges)
    }

    fn of_keys(most: usize, rare: u64, keys: impl Iterator<Item = Option<u64>>) -> Self {
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for key in keys.flatten() {
            *counts.entry(key).or_default() += 1;
        }
        let mut found: Vec<(u64, u64)> = counts
            .into_iter()
            .filter(|&(_, count)| count >= rare)
            .collect();
        // The sort is stable, so equally frequent keys stay in their order.
        found.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        found.truncate(most);
        let mut keys: Vec<u64> = found.into_iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        Self::Categories(keys)
    }

    /// Number of cells, that of missing values included.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Edges(edges) => edges.len() + 2,
            Self::Categories(keys) => keys.len() + 2,
        }
    }

    /// Never: there is always a cell for missing values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether values are told apart by their keys.
    #[must_use]
    pub fn is_categories(&self) -> bool {
        matches!(self, Self::Categories(_))
    }

    /// How many values lie in each cell. NaN is missing.
    #[must_use]
    pub fn count_numbers(&self, values: &[f64]) -> Vec<u64> {
        match self {
            Self::Edges(edges) => {
                let mut counts = vec![0; self.len()];
                for value in values {
                    let cell = if value.is_nan() {
                        edges.len() + 1
                    } else {
                        edges.partition_point(|edge| edge <= value)
                    };
                    counts[cell] += 1;
                }
                counts
            }
            Self::Categories(_) => self.count_keys(values.iter().map(|&x| number_key(x))),
        }
    }

    /// How many keys lie in each cell.
    pub fn count_keys(&self, keys: impl Iterator<Item = Option<u64>>) -> Vec<u64> {
        let mut counts = vec![0; self.len()];
        let Self::Categories(known) = self else {
            return counts;
        };
        for key in keys {
            let cell = match key {
                Some(key) => known.binary_search(&key).unwrap_or(known.len()),
                None => known.len() + 1,
            };
            counts[cell] += 1;
        }
        counts
    }
}

/// Quantile by linear interpolation between order statistics, numpy's default;
/// computed from the nearer end as numpy does, so that edges agree to the bit.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let below = place.floor();
    let index = below as usize;
    let (a, b) = (sorted[index], sorted[(index + 1).min(sorted.len() - 1)]);
    let t = place - below;
    if t < 0.5 {
        a + (b - a) * t
    } else {
        b - (b - a) * (1.0 - t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_distinct_values_have_a_cell_each_and_new_ones_go_to_the_others() {
        let layout = Layout::of_numbers(None, &[1.0; 40]);
        assert_eq!(layout.len(), 3);
        let counts = layout.count_numbers(&[1.0, 0.9, 1.1, f64::NAN, 1.0]);
        assert_eq!(counts, [2, 2, 1]);
    }

    #[test]
    fn a_value_belongs_to_the_cell_it_begins() {
        let layout = Layout::Edges(vec![0.0, 1.0]);
        let values = [-1.0, 0.0, 0.5, 1.0, 9.0, f64::NAN];
        assert_eq!(layout.count_numbers(&values), [1, 2, 2, 1]);
    }

    #[test]
    fn rare_categories_and_those_beyond_the_most_are_others() {
        let keys: Vec<Option<u64>> = [(1, 10), (2, 7), (3, 6), (4, 2)]
            .into_iter()
            .flat_map(|(key, count)| vec![Some(key); count])
            .chain([None])
            .collect();
        let layout = Layout::of_keys(2, 5, keys.iter().copied());
        assert_eq!(layout, Layout::Categories(vec![1, 2]));
        assert_eq!(layout.count_keys(keys.iter().copied()), [10, 7, 8, 1]);
    }

    #[test]
    fn a_reference_without_values_has_cells_too() {
        let layout = Layout::of_numbers(None, &[f64::NAN, f64::NAN]);
        assert_eq!(layout.count_numbers(&[f64::NAN, 1.0]), [1, 1]);
    }
}
