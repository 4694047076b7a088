//! Columns scaled to mean 0 and deviation 1, as the model was trained on them.

use serde::Deserialize;
use tollgate_plugin::{Batch, Contract, Element, Failure, Tensor, Transform, settings};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    mean: f64,
    scale: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scale {
    columns: Vec<Column>,
}

impl Transform for Scale {
    fn configure(given: &str) -> Result<Self, Failure> {
        let scale: Self = settings::parse(given)?;
        for column in &scale.columns {
            if column.scale.is_nan() || column.scale <= 0.0 {
                return Err(Failure::invalid_settings("bad-scale", "scale must be greater than 0")
                    .at_field(&column.name));
            }
        }
        Ok(scale)
    }

    fn describe(&self) -> Contract {
        let width = self.columns.len() as i64;
        let inputs = self.columns.iter().fold(Contract::new(), |contract, column| {
            contract.input(&column.name, Element::F64)
        });
        inputs.output("input", Element::F32, &[-1, width])
    }

    fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
        let (rows, width) = (batch.rows as usize, self.columns.len());
        let mut out = vec![0.0; rows * width]; // row-major
        for (field, column) in self.columns.iter().enumerate() {
            for (row, &x) in batch.f64s(field)?.iter().enumerate() {
                if x.is_nan() {
                    continue; // Missing becomes the mean: 0 when scaled.
                }
                if x.is_infinite() {
                    let failure = Failure::invalid_input("not-finite", "the value is infinite");
                    return Err(failure.at_field(&column.name).at_row(row as u32));
                }
                out[row * width + field] = ((x - column.mean) / column.scale) as f32;
            }
        }
        Ok(vec![Tensor::f32s(&[batch.rows, width as u32], out)])
    }
}

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_transform!(Scale);

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_plugin::{Buffer, fake};

    const SETTINGS: &str = r#"{"columns":[{"name":"area","mean":650,"scale":350}]}"#;

    #[test]
    fn values_are_scaled_and_missing_ones_are_the_mean() {
        let scale = Scale::configure(SETTINGS).unwrap();
        let batch = fake::batch(&[fake::f64s([1000.0, f64::NAN])]);
        let tensors = scale.apply(batch).unwrap();
        assert!(matches!(&tensors[0].values, Buffer::F32s(v) if v == &[1.0, 0.0]));
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let refused = Scale::configure(r#"{"column":[]}"#).err().unwrap();
        assert!(refused.message.contains("unknown field `column`"));
    }
}
