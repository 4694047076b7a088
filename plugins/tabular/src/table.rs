//! Runs a batch of rows through the columns' steps.

use crate::{
    settings::{self, Column, Kind, Settings, Step, Unknown},
    steps::{self, Refused},
};
use tollgate_plugin::{Batch, Contract, Element, Failure, Tensor, Transform};

/// The configured transform.
pub struct Table {
    settings: Settings,
    /// For each column, the divisor column of its ratio step.
    divisors: Vec<Option<usize>>,
    /// For each column, its first output and how many it has.
    outputs: Vec<(usize, usize)>,
    width: usize,
}

impl Transform for Table {
    fn configure(text: &str) -> Result<Self, Failure> {
        let settings = settings::read(text)
            .map_err(|why| Failure::invalid_settings("invalid-settings", why))?;
        let find = |name: &str| {
            settings
                .columns
                .iter()
                .position(|column| column.name == name)
        };
        let divisor = |column: &Column| {
            column.steps.iter().find_map(|step| match step {
                Step::Ratio { by, .. } => find(by),
                _ => None,
            })
        };
        let divisors = settings.columns.iter().map(divisor).collect();
        let mut width = 0;
        let mut outputs = Vec::with_capacity(settings.columns.len());
        for column in &settings.columns {
            let count = match column.steps.last() {
                Some(Step::OneHot {
                    categories, values, ..
                }) => categories.len() + values.len(),
                Some(Step::Hash { buckets, .. }) => *buckets as usize,
                Some(Step::Drop) => 0,
                _ => 1,
            };
            outputs.push((width, count));
            width += count;
        }
        Ok(Self {
            settings,
            divisors,
            outputs,
            width,
        })
    }

    fn describe(&self) -> Contract {
        let contract = self
            .settings
            .columns
            .iter()
            .fold(Contract::new(), |contract, column| {
                let element = match column.kind {
                    Kind::Float => Element::F32,
                    Kind::Double => Element::F64,
                    Kind::Text => Element::Utf8,
                };
                contract.input(&column.name, element)
            });
        contract.output(
            &self.settings.output,
            Element::F32,
            &[-1, self.width as i64],
        )
    }

    fn apply(&self, batch: Batch) -> Result<Vec<Tensor>, Failure> {
        let rows = batch.rows as usize;
        let size = rows
            .checked_mul(self.width)
            .ok_or_else(|| Failure::invalid_input("too-many-rows", "the batch is too large"))?;
        let mut out = vec![0.0; size];
        for field in 0..self.settings.columns.len() {
            if self.settings.columns[field].kind == Kind::Text {
                self.text(field, &batch, &mut out)?;
            } else {
                self.numbers(field, &batch, &mut out)?;
            }
        }
        Ok(vec![Tensor::f32s(&[batch.rows, self.width as u32], out)])
    }
}

/// A numeric column in either width.
enum Numbers<'a> {
    Floats(&'a [f32]),
    Doubles(&'a [f64]),
}

impl Numbers<'_> {
    fn get(&self, row: usize) -> f64 {
        match self {
            Self::Floats(v) => f64::from(v[row]),
            Self::Doubles(v) => v[row],
        }
    }
}

impl Table {
    fn column<'a>(&self, field: usize, batch: &'a Batch) -> Result<Numbers<'a>, Failure> {
        Ok(match self.settings.columns[field].kind {
            Kind::Double => Numbers::Doubles(batch.f64s(field)?),
            _ => Numbers::Floats(batch.f32s(field)?),
        })
    }

    fn numbers(&self, field: usize, batch: &Batch, out: &mut [f32]) -> Result<(), Failure> {
        let column = &self.settings.columns[field];
        let (first, _) = self.outputs[field];
        let values = self.column(field, batch)?;
        let divisors = match self.divisors[field] {
            Some(other) => Some(self.column(other, batch)?),
            None => None,
        };
        for row in 0..batch.rows as usize {
            let divisor = divisors
                .as_ref()
                .map_or(f64::NAN, |divisors| divisors.get(row));
            let mut x = values.get(row);
            for step in &column.steps {
                x = steps::apply(step, x, divisor).map_err(|why| refused(column, row, x, &why))?;
            }
            let at = row * self.width + first;
            match column.steps.last() {
                Some(Step::Drop) => {}
                Some(Step::OneHot {
                    values, unknown, ..
                }) => match values.iter().position(|&value| value == x) {
                    Some(index) => out[at + index] = 1.0,
                    None if *unknown == Unknown::Zeros => {}
                    None => return Err(unknown_value(column, row, &x.to_string())),
                },
                _ => out[at] = x as f32,
            }
        }
        Ok(())
    }

    fn text(&self, field: usize, batch: &Batch, out: &mut [f32]) -> Result<(), Failure> {
        let column = &self.settings.columns[field];
        let (first, _) = self.outputs[field];
        let texts = batch.texts(field)?;
        for (row, &text) in texts.iter().enumerate() {
            let mut value = batch.is_present(field, row)?.then_some(text);
            let at = row * self.width + first;
            for step in &column.steps {
                match step {
                    Step::ImputeText(other) => value = value.or(Some(other)),
                    Step::OneHot {
                        categories,
                        unknown,
                        ..
                    } => {
                        let index = categories.iter().position(|name| Some(&**name) == value);
                        match index {
                            Some(index) => out[at + index] = 1.0,
                            None if *unknown == Unknown::Zeros => {}
                            None => return Err(unknown_value(column, row, value.unwrap_or(""))),
                        }
                    }
                    Step::Hash { buckets, seed } => {
                        if let Some(text) = value {
                            out[at + steps::bucket(text, *buckets, *seed)] = 1.0;
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn refused(column: &Column, row: usize, x: f64, why: &Refused) -> Failure {
    Failure::invalid_input(why.code, format!("{x} is refused: {}", why.why))
        .at_field(&column.name)
        .at_row(row as u32)
}

fn unknown_value(column: &Column, row: usize, value: &str) -> Failure {
    let shown: String = value.chars().take(64).collect();
    Failure::invalid_input(
        "unknown-category",
        format!("{shown:?} is none of the categories"),
    )
    .at_field(&column.name)
    .at_row(row as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_plugin::{Block, Buffer, Text};

    fn batch(rows: u32, numbers: &[f32], texts: &[&str]) -> Batch {
        let mut offsets = vec![0];
        let mut data = Vec::new();
        for text in texts {
            data.extend_from_slice(text.as_bytes());
            offsets.push(data.len() as u32);
        }
        let validity = texts
            .iter()
            .enumerate()
            .map(|(i, text)| u8::from(!text.is_empty()) << i)
            .sum();
        let mut blocks = vec![Block {
            fields: numbers.len() as u32 / rows,
            values: Buffer::F32s(numbers.to_vec()),
            validity: None,
        }];
        if !texts.is_empty() {
            blocks.push(Block {
                fields: texts.len() as u32 / rows,
                values: Buffer::Utf8(Text { offsets, data }),
                validity: Some(vec![validity]),
            });
        }
        Batch { rows, blocks }
    }

    fn run(settings: &str, batch: Batch) -> Result<Vec<f32>, Failure> {
        let mut tensors = Table::configure(settings)?.apply(batch)?;
        match tensors.remove(0).values {
            Buffer::F32s(values) => Ok(values),
            _ => panic!("not floats"),
        }
    }

    #[test]
    fn columns_stand_side_by_side_row_after_row() {
        let settings = r#"{"columns":[
            {"name":"a","steps":[{"impute":5},{"standard":{"mean":1,"std":2}}]},
            {"name":"b","steps":["drop"]},
            {"name":"c","steps":[{"ratio":{"by":"b","zero":0}}]},
            {"name":"t","type":"text","steps":[{"impute_text":"x"},{"one_hot":{"categories":["x","y"]}}]}
        ]}"#;
        let batch = batch(2, &[3.0, f32::NAN, 4.0, 0.0, 8.0, 1.0], &["y", ""]);
        let table = Table::configure(settings).unwrap();
        assert_eq!(table.describe().outputs[0].shape, [-1, 4]);
        assert_eq!(
            run(settings, batch).unwrap(),
            [1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 0.0]
        );
    }

    #[test]
    fn a_refused_row_is_named() {
        let settings = r#"{"columns":[
            {"name":"a","steps":[{"log1p":{}}]},
            {"name":"t","type":"text","steps":[{"one_hot":{"categories":["x"],"unknown":"error"}}]}
        ]}"#;
        let failure = run(settings, batch(2, &[1.0, -2.0], &["x", "x"])).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.field.as_deref(), failure.row),
            ("negative", Some("a"), Some(1))
        );
        let failure = run(settings, batch(2, &[1.0, 2.0], &["x", "z"])).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.row),
            ("unknown-category", Some(1))
        );
    }

    #[test]
    fn no_rows_give_no_values() {
        let settings = r#"{"columns":[{"name":"a"}]}"#;
        let batch = Batch {
            rows: 0,
            blocks: vec![Block {
                fields: 1,
                values: Buffer::F32s(vec![]),
                validity: None,
            }],
        };
        assert_eq!(run(settings, batch).unwrap(), [0.0f32; 0]);
    }
}
