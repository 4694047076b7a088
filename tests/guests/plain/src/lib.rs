//! Adds one to every one of thirty fields.

use tollgate_plugin::{Batch, Contract, Element, Failure, Tensor, Transform};

const FIELDS: u32 = 30;

struct PlusOne;

impl Transform for PlusOne {
    fn configure(_settings: &str) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn describe(&self) -> Contract {
        (0..FIELDS)
            .fold(Contract::new(), |contract, i| {
                contract.input(&format!("f{i}"), Element::F32)
            })
            .output("x", Element::F32, &[-1, i64::from(FIELDS)])
    }

    fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
        let columns = (0..FIELDS as usize)
            .map(|field| batch.f32s(field))
            .collect::<Result<Vec<_>, _>>()?;
        let rows = 0..batch.rows as usize;
        let values = rows.flat_map(|row| columns.iter().map(move |column| column[row] + 1.0));
        Ok(vec![Tensor::f32s(&[batch.rows, FIELDS], values.collect())])
    }
}

tollgate_plugin::export_transform!(PlusOne);
