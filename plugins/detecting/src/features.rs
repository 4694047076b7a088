//! The columns a detector watches.
//!
//! The gateway reads the key `features` of the settings and builds batches from
//! it: its order is the order of the fields.

use crate::settings::refused;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tollgate_plugin::{Batch, Failure};

/// Values farther from 0 than this count as missing, as infinite ones do: their
/// squares would leave the range of numbers, and a statistic with them.
pub const LARGEST: f64 = 1e100;
/// Most columns of one detector.
pub const MAX_FEATURES: usize = 4096;

/// One column, as in `{"name": "age", "element": "f64", "nullable": true}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Name of the column.
    pub name: String,
    /// Type of its values; `f64` unless told otherwise.
    #[serde(default)]
    pub element: Element,
    /// Whether values may be missing; the gateway sees to it.
    #[serde(default = "yes")]
    pub nullable: bool,
}

fn yes() -> bool {
    true
}

/// Type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Element {
    F32,
    #[default]
    F64,
    S64,
    S32,
    U8,
    Utf8,
}

/// Refuses lists of columns that cannot be watched.
pub fn check(features: &[Feature]) -> Result<(), Failure> {
    if features.is_empty() || features.len() > MAX_FEATURES {
        return Err(refused(format!(
            "features has {} entries, allowed are 1 to {MAX_FEATURES}",
            features.len()
        )));
    }
    let mut before = BTreeSet::new();
    for (index, feature) in features.iter().enumerate() {
        let name = &feature.name;
        if name.is_empty() || name.len() > 128 {
            return Err(refused(format!(
                "feature {}: the name has {} bytes, allowed are 1 to 128",
                index + 1,
                name.len()
            )));
        }
        if !before.insert(name) {
            return Err(refused(format!(
                "feature {} ({name:?}): a feature of that name stands before it",
                index + 1
            )));
        }
    }
    Ok(())
}

/// Refuses keys of `chosen`, the settings' member `member`, that name no feature.
pub fn check_names<T>(
    features: &[Feature],
    member: &str,
    chosen: &BTreeMap<String, T>,
) -> Result<(), Failure> {
    let names: BTreeSet<&str> = features.iter().map(|feature| &*feature.name).collect();
    match chosen.keys().find(|name| !names.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(refused(format!(
            "{member}: there is no feature {name:?}; name it in features, or remove it here"
        ))),
    }
}

/// Field `field` as numbers, one per row. What is missing or beyond [`LARGEST`] is
/// NaN.
pub fn numbers(batch: &Batch, field: usize, element: Element) -> Result<Vec<f64>, Failure> {
    let mut values: Vec<f64> = match element {
        Element::F32 => batch.f32s(field)?.iter().map(|&x| f64::from(x)).collect(),
        Element::F64 => batch.f64s(field)?.to_vec(),
        Element::S64 => batch.s64s(field)?.iter().map(|&x| x as f64).collect(),
        Element::S32 => batch.s32s(field)?.iter().map(|&x| f64::from(x)).collect(),
        Element::U8 => batch.u8s(field)?.iter().map(|&x| f64::from(x)).collect(),
        Element::Utf8 => {
            let why = "text was read as numbers";
            return Err(Failure::internal("other-element", why));
        }
    };
    for (row, value) in values.iter_mut().enumerate() {
        if value.abs() > LARGEST || !batch.is_present(field, row)? {
            *value = f64::NAN;
        }
    }
    Ok(values)
}

/// Field `field` as categories, one per row; `None` where it is missing. A
/// category is known by its [`key`] only, so that no text of a row is kept.
pub fn categories(
    batch: &Batch,
    field: usize,
    element: Element,
) -> Result<Vec<Option<u64>>, Failure> {
    if element != Element::Utf8 {
        let values = numbers(batch, field, element)?;
        return Ok(values.into_iter().map(number_key).collect());
    }
    let texts = batch.texts(field)?;
    let keys = texts.iter().enumerate().map(|(row, text)| {
        let present = batch.is_present(field, row)?;
        Ok(present.then(|| key(text.as_bytes())))
    });
    keys.collect()
}

/// The category of a number; `None` for NaN.
#[must_use]
pub fn number_key(value: f64) -> Option<u64> {
    // Adding 0 makes -0 the same as 0.
    (!value.is_nan()).then(|| key(&(value + 0.0).to_le_bytes()))
}

/// Name of a category: FNV-1a (64 bits), mixed by the finaliser of MurmurHash3.
#[must_use]
pub fn key(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_plugin::{Block, Buffer, Text};

    #[test]
    fn missing_and_endless_numbers_are_nan() {
        let batch = Batch {
            rows: 3,
            blocks: vec![
                Block {
                    fields: 1,
                    values: Buffer::F64s(vec![1.0, f64::NEG_INFINITY, f64::MAX]),
                    validity: None,
                },
                Block {
                    fields: 1,
                    values: Buffer::S64s(vec![7, 0, -2]),
                    validity: Some(vec![0b101]),
                },
            ],
        };
        let floats = numbers(&batch, 0, Element::F64).unwrap();
        assert!(floats[0] == 1.0 && floats[1].is_nan() && floats[2].is_nan());
        let whole = numbers(&batch, 1, Element::S64).unwrap();
        assert!(whole[0] == 7.0 && whole[1].is_nan() && whole[2] == -2.0);
        assert_eq!(number_key(-0.0), number_key(0.0));
    }

    #[test]
    fn missing_texts_are_no_category_and_equal_texts_are_one() {
        let batch = Batch {
            rows: 3,
            blocks: vec![Block {
                fields: 1,
                values: Buffer::Utf8(Text {
                    offsets: vec![0, 1, 1, 2],
                    data: b"aa".to_vec(),
                }),
                validity: Some(vec![0b101]),
            }],
        };
        let keys = categories(&batch, 0, Element::Utf8).unwrap();
        assert!(keys[0].is_some() && keys[1].is_none() && keys[0] == keys[2]);
        assert_ne!(key(b"a"), key(b"b"));
    }

    #[test]
    fn lists_that_cannot_be_watched_are_refused() {
        let feature = |name: &str| Feature {
            name: name.into(),
            element: Element::F64,
            nullable: true,
        };
        let why = |features: &[Feature]| check(features).unwrap_err().message;
        assert!(why(&[]).contains("0 entries"));
        assert!(why(&[feature("")]).contains("0 bytes"));
        assert!(why(&[feature("a"), feature("a")]).contains("feature 2 (\"a\")"));
        assert!(check(&[feature("a"), feature("b")]).is_ok());
    }
}
