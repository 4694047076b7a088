//! Finds a model's predictions among its outputs.
//!
//! The rule, for a batch of n rows:
//!
//! 1. Only floating-point outputs of shape `[n]` or `[n, k]` count; class labels
//!    and texts that a classifier gives beside its probabilities do not.
//! 2. If [`Target::output`] names an output, it is that one. Else the shape must
//!    fit the task: binary takes k = 1 or 2, multiclass k of at least 2,
//!    regression k = 1. If several fit, the one with `prob` in its name.
//! 3. Binary: column 1 of `[n, 2]`, else the only column, is the probability of
//!    class 1; regression: the only column. [`Target::column`] picks another.
//!    No sigmoid or softmax is applied: a raw score is not a probability.

use domain::{
    evidence::Task,
    tensor::{DataType, Tensor},
};

/// Which of a model's outputs is judged; empty: found by the module's rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Name of the output.
    pub output: Option<String>,
    /// Column of the output (binary and regression).
    pub column: Option<usize>,
}

/// Outputs in which no prediction can be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// The named output is not there or cannot hold predictions.
    #[error("output {name:?} cannot be judged: the model gives {given}")]
    Output {
        /// Asked for.
        name: String,
        /// What there is.
        given: String,
    },
    /// No output has a fitting type and shape.
    #[error("no output holds {wanted}: the model gives {given}")]
    Nothing {
        /// What a prediction must look like.
        wanted: &'static str,
        /// What there is.
        given: String,
    },
    /// Several outputs fit.
    #[error("outputs {0} could each be the prediction: name one")]
    Ambiguous(String),
    /// A column that the output does not have.
    #[error("output {name:?} has {columns} columns, there is no column {column}")]
    Column {
        /// The output.
        name: String,
        /// Columns it has.
        columns: usize,
        /// Asked for, from 0.
        column: usize,
    },
}

/// Predictions, row-major: one column (binary, regression) or one per class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// The numbers.
    pub values: Vec<f64>,
    /// Columns per row.
    pub width: usize,
}

impl Scores {
    /// The predictions for some rows.
    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        let all: Vec<&[f64]> = self.values.chunks(self.width.max(1)).collect();
        let picked = rows.iter().filter_map(|row| all.get(*row).copied());
        Self {
            values: picked.flatten().copied().collect(),
            width: self.width,
        }
    }
}

/// Columns of a tensor that can hold predictions for `rows` rows.
fn width(tensor: &Tensor, rows: usize) -> Option<usize> {
    use DataType::{Bf16, Fp16, Fp32, Fp64};
    if !matches!(tensor.datatype(), Fp16 | Bf16 | Fp32 | Fp64) {
        return None;
    }
    match tensor.shape[..] {
        [n] if n == rows => Some(1),
        [n, k] if n == rows && k > 0 => Some(k),
        _ => None,
    }
}

fn describe<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> String {
    let described: Vec<String> = tensors
        .take(20)
        .map(|tensor| format!("{:?} {} {:?}", tensor.name, tensor.datatype(), tensor.shape))
        .collect();
    described.join(", ")
}

/// The predictions for `rows` rows.
pub fn find(
    outputs: &[Tensor],
    rows: usize,
    task: Task,
    target: &Target,
) -> Result<Scores, ScoreError> {
    let (tensor, width) = choose(outputs, rows, task, target)?;
    let all = tensor.data.to_f64().unwrap_or_default();
    if task == Task::Multiclass {
        return Ok(Scores { values: all, width });
    }
    let default = usize::from(task == Task::Binary && width == 2);
    let column = target.column.unwrap_or(default);
    if column >= width {
        return Err(ScoreError::Column {
            name: tensor.name.to_string(),
            columns: width,
            column,
        });
    }
    Ok(Scores {
        values: all.into_iter().skip(column).step_by(width).collect(),
        width: 1,
    })
}

fn choose<'a>(
    outputs: &'a [Tensor],
    rows: usize,
    task: Task,
    target: &Target,
) -> Result<(&'a Tensor, usize), ScoreError> {
    let usable = outputs
        .iter()
        .filter_map(|tensor| Some((tensor, width(tensor, rows)?)));
    if let Some(name) = &target.output {
        let mut named = usable.filter(|(tensor, _)| *tensor.name == **name);
        return named.next().ok_or_else(|| ScoreError::Output {
            name: name.clone(),
            given: describe(outputs.iter()),
        });
    }
    let (wanted, fits): (_, fn(usize) -> bool) = match task {
        Task::Binary => (
            "a probability, as floats of shape [n], [n, 1] or [n, 2]",
            |k| k <= 2,
        ),
        Task::Multiclass => ("probabilities of classes, as floats of shape [n, k]", |k| {
            k > 1
        }),
        Task::Regression => ("a number, as floats of shape [n] or [n, 1]", |k| k == 1),
    };
    let any_width = task != Task::Multiclass && target.column.is_some();
    let fitting: Vec<_> = usable.filter(|(_, k)| any_width || fits(*k)).collect();
    let named: Vec<_> = fitting
        .iter()
        .filter(|(tensor, _)| tensor.name.to_ascii_lowercase().contains("prob"))
        .collect();
    match (fitting.as_slice(), named.as_slice()) {
        ([only], _) => Ok(*only),
        (_, [only]) => Ok(**only),
        ([], _) => Err(ScoreError::Nothing {
            wanted,
            given: describe(outputs.iter()),
        }),
        _ => Err(ScoreError::Ambiguous(describe(
            fitting.iter().map(|(tensor, _)| *tensor),
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{signature::fp32, tensor::TensorData};

    fn label() -> Tensor {
        Tensor::new("label", vec![2], TensorData::Int64(vec![0, 1])).unwrap()
    }

    fn values(outputs: &[Tensor], task: Task, target: &Target) -> Vec<f64> {
        find(outputs, 2, task, target).unwrap().values
    }

    #[test]
    fn probabilities_are_found_beside_a_label() {
        let outputs = [
            label(),
            fp32("probabilities", vec![2, 2], vec![0.75, 0.25, 0.5, 0.5]),
        ];
        assert_eq!(
            values(&outputs, Task::Binary, &Target::default()),
            [0.25, 0.5]
        );
        let target = Target {
            column: Some(0),
            ..Target::default()
        };
        assert_eq!(values(&outputs, Task::Binary, &target), [0.75, 0.5]);
        let all = find(&outputs, 2, Task::Multiclass, &Target::default()).unwrap();
        assert_eq!((all.values.len(), all.width), (4, 2));
    }

    #[test]
    fn a_single_column_is_taken_as_it_is() {
        let flat = [fp32("y", vec![2], vec![3.0, 4.0])];
        let column = [fp32("y", vec![2, 1], vec![3.0, 4.0])];
        for outputs in [flat, column] {
            assert_eq!(
                values(&outputs, Task::Regression, &Target::default()),
                [3.0, 4.0]
            );
        }
    }

    #[test]
    fn what_cannot_be_decided_is_an_error() {
        let two = [
            fp32("a", vec![2, 1], vec![0.0; 2]),
            fp32("b", vec![2, 1], vec![0.0; 2]),
        ];
        let none = Target::default();
        let error = find(&two, 2, Task::Binary, &none).unwrap_err();
        assert!(matches!(error, ScoreError::Ambiguous(_)));
        let error = find(&[label()], 2, Task::Binary, &none).unwrap_err();
        assert!(matches!(error, ScoreError::Nothing { .. }));
        let named = |output: &str, column| Target {
            output: Some(output.into()),
            column,
        };
        let error = find(&two, 2, Task::Binary, &named("c", None)).unwrap_err();
        assert!(matches!(error, ScoreError::Output { .. }));
        let error = find(&two, 2, Task::Binary, &named("b", Some(1))).unwrap_err();
        assert!(matches!(error, ScoreError::Column { column: 1, .. }));
        let short = [fp32("a", vec![1, 1], vec![0.0])];
        assert!(find(&short, 2, Task::Binary, &none).is_err());
    }
}
