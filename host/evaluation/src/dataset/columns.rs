//! From cells to typed columns, by one policy for every format.

use domain::frame::ColumnData;

/// Largest magnitude up to which every whole number is a double.
const EXACT: u64 = 1 << 53;

/// A column of whole numbers: plain numbers while doubles hold them exactly,
/// integers beyond that, text where an integer column could not say "missing".
pub(super) fn integers(values: Vec<Option<i64>>) -> ColumnData {
    let exact = |x: i64| x.unsigned_abs() <= EXACT;
    if values.iter().flatten().all(|x| exact(*x)) {
        let number = |x: Option<i64>| x.map_or(f64::NAN, |x| x as f64);
        return ColumnData::Numbers(values.into_iter().map(number).collect());
    }
    match values.iter().copied().collect::<Option<Vec<i64>>>() {
        Some(integers) => ColumnData::Integers(integers),
        None => ColumnData::Text(values.iter().map(|x| x.map(|x| x.to_string())).collect()),
    }
}

/// What the cells of a text column have in common.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    numbers: usize,
    booleans: usize,
    /// Empty cells.
    empty: usize,
    /// Words that mean "missing" among numbers.
    words: usize,
    /// Whole numbers beyond 2^53.
    large: usize,
    /// Numbers that are not whole numbers of 64 bits.
    fractions: usize,
    total: usize,
}

/// Types a column of texts; an empty text is a missing value.
pub(super) fn texts<'a>(cells: impl Iterator<Item = &'a str> + Clone) -> ColumnData {
    let mut seen = Seen::default();
    for cell in cells.clone() {
        seen.look(cell.trim());
    }
    let missing = seen.empty + seen.words;
    if seen.booleans > 0 && seen.booleans + seen.empty == seen.total {
        let number = |cell: &str| match cell.trim() {
            "" => f64::NAN,
            cell => f64::from(u8::from(cell.eq_ignore_ascii_case("true"))),
        };
        return ColumnData::Numbers(cells.map(number).collect());
    }
    let numeric = seen.numbers + missing == seen.total && (seen.numbers > 0 || seen.words == 0);
    if numeric && seen.large == 0 {
        let number = |cell: &str| number(cell.trim()).unwrap_or(f64::NAN);
        return ColumnData::Numbers(cells.map(number).collect());
    }
    if numeric && seen.fractions == 0 {
        return integers(cells.map(|cell| cell.trim().parse().ok()).collect());
    }
    let text = |cell: &str| (!cell.is_empty()).then(|| cell.to_owned());
    ColumnData::Text(cells.map(text).collect())
}

impl Seen {
    fn look(&mut self, cell: &str) {
        self.total += 1;
        if cell.is_empty() {
            self.empty += 1;
        } else if matches!(cell, "NA" | "NaN" | "nan" | "null") {
            self.words += 1;
        } else if cell.eq_ignore_ascii_case("true") || cell.eq_ignore_ascii_case("false") {
            self.booleans += 1;
        } else if number(cell).is_some() {
            self.numbers += 1;
            match cell.parse::<i64>() {
                Ok(whole) => self.large += usize::from(whole.unsigned_abs() > EXACT),
                Err(_) if digits(cell) => {
                    self.large += 1;
                    self.fractions += 1;
                }
                Err(_) => self.fractions += 1,
            }
        }
    }
}

/// Whether `cell` is a whole number too long for 64 bits.
fn digits(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A decimal number. Words that Rust reads as numbers (`inf`, `nan`) are not.
fn number(cell: &str) -> Option<f64> {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let first = digits.bytes().next()?;
    if first.is_ascii_digit() || first == b'.' {
        cell.parse().ok().filter(|x: &f64| x.is_finite())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(cells: &[&str]) -> ColumnData {
        texts(cells.iter().copied())
    }

    fn numbers(cells: &[&str]) -> Vec<f64> {
        match typed(cells) {
            ColumnData::Numbers(values) => values,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_booleans_and_missing_values_are_numbers() {
        assert_eq!(numbers(&["1", "-2.5e3", " .5 "]), [1.0, -2500.0, 0.5]);
        assert_eq!(numbers(&["true", "False"]), [1.0, 0.0]);
        let missing = numbers(&["7", "", "NA", "null"]);
        assert!(missing[0] == 7.0 && missing[1..].iter().all(|x| x.is_nan()));
        assert!(numbers(&["", ""]).iter().all(|x| x.is_nan()));
    }

    #[test]
    fn large_whole_numbers_keep_every_digit() {
        assert_eq!(
            typed(&["9007199254740993", "2"]),
            ColumnData::Integers(vec![9_007_199_254_740_993, 2])
        );
        let with_gap = typed(&["9007199254740993", ""]);
        assert_eq!(
            with_gap,
            ColumnData::Text(vec![Some("9007199254740993".into()), None])
        );
        let too_long = "18446744073709551615";
        assert_eq!(
            typed(&[too_long, "1"]),
            ColumnData::Text(vec![Some(too_long.into()), Some("1".into())])
        );
    }

    #[test]
    fn a_single_word_makes_a_column_text() {
        assert_eq!(
            typed(&["1", "NA", "inf", ""]),
            ColumnData::Text(vec![
                Some("1".into()),
                Some("NA".into()),
                Some("inf".into()),
                None
            ])
        );
    }
}
