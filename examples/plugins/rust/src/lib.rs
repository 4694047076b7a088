//! Homes for a model: numbers scaled, one column of text hashed into buckets.

use serde::Deserialize;
use tollgate_plugin::{Batch, Contract, Element, Failure, Tensor, Transform};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Number {
    name: String,
    #[serde(default)]
    log: bool,
    mean: f64,
    scale: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Homes {
    #[serde(default)]
    numbers: Vec<Number>,
    text: Option<String>,
    #[serde(default)]
    buckets: usize,
}

/// FNV-1a, 32 bits, over UTF-8.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |h, byte| {
        (h ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

impl Homes {
    fn width(&self) -> usize {
        self.numbers.len() + self.text.as_ref().map_or(0, |_| self.buckets)
    }
}

impl Transform for Homes {
    fn configure(settings: &str) -> Result<Self, Failure> {
        let homes: Self = serde_json::from_str(settings)
            .map_err(|error| Failure::invalid_settings("bad-settings", error.to_string()))?;
        for number in &homes.numbers {
            if number.scale.is_nan() || number.scale <= 0.0 {
                let failure = Failure::invalid_settings("bad-scale", "scale must be greater than 0");
                return Err(failure.at_field(&number.name));
            }
        }
        if homes.numbers.is_empty() || (homes.text.is_some() && !(1..=1024).contains(&homes.buckets)) {
            return Err(Failure::invalid_settings(
                "bad-settings",
                "give numbers, and 1 to 1024 buckets with a text",
            ));
        }
        Ok(homes)
    }

    fn describe(&self) -> Contract {
        let mut contract = Contract::new();
        for number in &self.numbers {
            contract = contract.input(&number.name, Element::F64);
        }
        if let Some(text) = &self.text {
            contract = contract.input(text, Element::Utf8);
        }
        contract.output("input", Element::F32, &[-1, self.width() as i64])
    }

    fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
        let (rows, width) = (batch.rows as usize, self.width());
        let mut out = vec![0.0f32; rows * width];
        for (field, number) in self.numbers.iter().enumerate() {
            for (row, &x) in batch.f64s(field)?.iter().enumerate() {
                // Missing becomes the mean: 0 when scaled.
                if x.is_nan() {
                    continue;
                }
                if number.log && x < 0.0 {
                    let message = format!("{} must not be negative", number.name);
                    let failure = Failure::invalid_input("negative", message);
                    return Err(failure.at_field(&number.name).at_row(row as u32));
                }
                let x = if number.log { (1.0 + x).ln() } else { x };
                out[row * width + field] = ((x - number.mean) / number.scale) as f32;
            }
        }
        if self.text.is_some() {
            let first = self.numbers.len();
            for (row, text) in batch.texts(first)?.into_iter().enumerate() {
                if batch.is_present(first, row)? {
                    out[row * width + first + hash(text) as usize % self.buckets] = 1.0;
                }
            }
        }
        Ok(vec![Tensor::f32s(&[batch.rows, width as u32], out)])
    }
}

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_transform!(Homes);
