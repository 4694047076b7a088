//! Runs a batch of texts through the columns' hashes.

use crate::{
    murmur,
    settings::{self, Column, Norm, Settings},
    tokens::tokens,
};
use std::collections::BTreeSet;
use tollgate_plugin::{Batch, Contract, Element, Failure, Tensor, Transform};

/// Most values of one answer: 32 MiB, half the memory a plugin has by default.
const MAX_VALUES: usize = 8 << 20;

/// The configured transform.
pub struct TextHash {
    settings: Settings,
    stop_words: Vec<BTreeSet<String>>,
    width: usize,
}

impl Transform for TextHash {
    fn configure(text: &str) -> Result<Self, Failure> {
        let settings = settings::read(text)?;
        let columns = &settings.columns;
        let stop_words = columns
            .iter()
            .map(|column| column.stop_words.iter().cloned().collect())
            .collect();
        let width = columns.iter().map(|column| column.buckets as usize).sum();
        Ok(Self {
            settings,
            stop_words,
            width,
        })
    }

    fn describe(&self) -> Contract {
        let contract = self
            .settings
            .columns
            .iter()
            .fold(Contract::new(), |contract, column| {
                contract.input(&column.name, Element::Utf8)
            });
        contract.output(
            &self.settings.output,
            Element::F32,
            &[-1, self.width as i64],
        )
    }

    fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
        let rows = batch.rows as usize;
        let size = rows.saturating_mul(self.width);
        if size > MAX_VALUES {
            let most = MAX_VALUES / self.width;
            let why = format!("{rows} rows are too many at once; {most} fit");
            return Err(Failure::invalid_input("too-many-rows", why));
        }
        let mut out = vec![0.0; size];
        let mut first = 0;
        for (field, column) in self.settings.columns.iter().enumerate() {
            let width = column.buckets as usize;
            for (row, text) in batch.texts(field)?.into_iter().enumerate() {
                if batch.is_present(field, row)? {
                    let at = row * self.width + first;
                    hash(
                        column,
                        &self.stop_words[field],
                        text,
                        &mut out[at..at + width],
                    );
                }
            }
            first += width;
        }
        Ok(vec![Tensor::f32s(&[batch.rows, self.width as u32], out)])
    }
}

/// Adds the tokens of `text` to `out`, one value a bucket.
fn hash(column: &Column, stop_words: &BTreeSet<String>, text: &str, out: &mut [f32]) {
    let lower;
    let text = if column.lowercase {
        lower = text.to_lowercase();
        &lower
    } else {
        text
    };
    tokens(&column.tokens, stop_words, text, &mut |token| {
        let (bucket, sign) = murmur::bucket(token.as_bytes(), column.seed, column.buckets);
        if column.binary {
            out[bucket] = 1.0;
        } else {
            out[bucket] += if column.signed { sign } else { 1.0 };
        }
    });
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    let norm = match column.norm {
        Norm::L2 => out.iter().map(square).sum::<f64>().sqrt(),
        Norm::L1 => out.iter().map(|x| f64::from(x.abs())).sum(),
        Norm::None => return,
    };
    if norm > 0.0 {
        for x in out {
            *x = (f64::from(*x) / norm) as f32;
        }
    }
}
