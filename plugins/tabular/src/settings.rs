//! The settings: what they look like, and how mistakes in them are reported.

use serde::Deserialize;

/// Most outputs of one table.
pub const MAX_WIDTH: usize = 65_536;

/// The settings of the transform.
///
/// ```json
/// {
///   "output": "input",
///   "columns": [
///     { "name": "amount", "steps": [{ "impute": 3.5 }, { "log1p": { "negative": "error" } },
///                                   { "standard": { "mean": 1.2, "std": 0.4 } }] },
///     { "name": "city", "type": "text",
///       "steps": [{ "one_hot": { "categories": ["Graz", "Linz"], "unknown": "zeros" } }] }
///   ]
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the output tensor: that of the model's input.
    #[serde(default = "default_output")]
    pub output: String,
    /// The columns, in the order of the output.
    pub columns: Vec<Column>,
}

fn default_output() -> String {
    "input".into()
}

/// One input column and what happens to it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name of the column.
    pub name: String,
    /// Type of its values as they arrive.
    #[serde(default, rename = "type")]
    pub kind: Kind,
    /// What happens to a value, in order. Without steps it passes as it is.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// Type of a column's values as they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 32-bit floats; the usual choice.
    #[default]
    Float,
    /// 64-bit floats, for values that 7 digits do not hold.
    Double,
    /// Text; must be turned into numbers by `one_hot` or `hash`.
    Text,
}

/// One step. A missing value is NaN, and stays NaN through every step but
/// `impute`, `one_hot` and `hash`; what is still missing at the end reaches the
/// model as NaN.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// A missing number becomes this one.
    Impute(f64),
    /// A missing text becomes this one.
    ImputeText(String),
    /// `(x - mean) / std`, as scikit-learn's `StandardScaler` (`scale_` is `std`).
    Standard {
        /// Mean of the training data.
        mean: f64,
        /// Its standard deviation, above 0 (1 for a constant column).
        std: f64,
    },
    /// `(x - min) / (max - min)`, as scikit-learn's `MinMaxScaler`.
    MinMax {
        /// Least value of the training data.
        min: f64,
        /// Greatest value, above `min`.
        max: f64,
    },
    /// `(x - center) / scale`, as scikit-learn's `RobustScaler`.
    Robust {
        /// Median of the training data.
        center: f64,
        /// Its interquartile range, above 0.
        scale: f64,
    },
    /// `ln(1 + x)`.
    Log1p {
        /// What happens to a value below 0.
        #[serde(default)]
        negative: Negative,
    },
    /// Into `min..=max`; one bound may be left out.
    Clip {
        /// Lower bound.
        #[serde(default)]
        min: Option<f64>,
        /// Upper bound.
        #[serde(default)]
        max: Option<f64>,
    },
    /// The number of edges at or below the value: 0 for less than the first, as
    /// numpy's `digitize`.
    Bucket {
        /// Ascending.
        edges: Vec<f64>,
    },
    /// Divides by the value of another column as it arrived.
    Ratio {
        /// Name of the other column, a numeric one.
        by: String,
        /// The result when the other value is 0; without one it is missing.
        #[serde(default)]
        zero: Option<f64>,
    },
    /// One output for each category: 1 where the value is it, else 0, as
    /// scikit-learn's `OneHotEncoder`. Last step.
    OneHot {
        /// Categories of a text column.
        #[serde(default)]
        categories: Vec<String>,
        /// Categories of a numeric column, compared exactly.
        #[serde(default)]
        values: Vec<f64>,
        /// What happens to any other value, a missing one included.
        #[serde(default)]
        unknown: Unknown,
    },
    /// One output for each bucket: 1 where the value's hash falls, else 0. A
    /// missing value falls nowhere. For text; last step.
    Hash {
        /// Number of buckets.
        buckets: u32,
        /// Another seed, another hash.
        #[serde(default)]
        seed: u64,
    },
    /// No output: the column is there for a `ratio` of another. Last step.
    Drop,
}

impl Step {
    /// Name as in the settings.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Impute(_) => "impute",
            Self::ImputeText(_) => "impute_text",
            Self::Standard { .. } => "standard",
            Self::MinMax { .. } => "min_max",
            Self::Robust { .. } => "robust",
            Self::Log1p { .. } => "log1p",
            Self::Clip { .. } => "clip",
            Self::Bucket { .. } => "bucket",
            Self::Ratio { .. } => "ratio",
            Self::OneHot { .. } => "one_hot",
            Self::Hash { .. } => "hash",
            Self::Drop => "drop",
        }
    }
}

/// A negative value where a logarithm is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Negative {
    /// The row is refused.
    #[default]
    Error,
    /// It counts as 0.
    Zero,
    /// It counts as missing.
    Missing,
}

/// A value that is none of the categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// All outputs are 0.
    #[default]
    Zeros,
    /// The row is refused.
    Error,
}

/// Reads and checks the settings. The error names column and step.
pub fn read(text: &str) -> Result<Settings, String> {
    let settings: Settings = serde_json::from_str(text).map_err(|error| locate(text, &error))?;
    check(&settings)?;
    Ok(settings)
}

/// Reading is fast and knows only line and column; once it failed, the slow way
/// finds out which step is to blame.
fn locate(text: &str, error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else {
        return format!("the settings are not JSON: {whole}");
    };
    let columns = value.get("columns").and_then(|columns| columns.as_array());
    for (index, column) in columns.into_iter().flatten().enumerate() {
        let name = column.get("name").and_then(|name| name.as_str());
        let place = place(index, name.unwrap_or("?"));
        let steps = column.get("steps").and_then(|steps| steps.as_array());
        for (number, step) in steps.into_iter().flatten().enumerate() {
            if let Err(error) = serde_json::from_value::<Step>(step.clone()) {
                return format!("{place}, step {}: {error}", number + 1);
            }
        }
        if let Err(error) = serde_json::from_value::<Column>(column.clone()) {
            return format!("{place}: {error}");
        }
    }
    format!("the settings are not valid: {whole}")
}

fn place(index: usize, name: &str) -> String {
    format!("column {} ({name:?})", index + 1)
}

fn check(settings: &Settings) -> Result<(), String> {
    if settings.columns.is_empty() {
        return Err("the settings name no columns".into());
    }
    let mut width = 0usize;
    for (index, column) in settings.columns.iter().enumerate() {
        let place = || place(index, &column.name);
        if settings.columns[..index]
            .iter()
            .any(|other| other.name == column.name)
        {
            return Err(format!(
                "{}: a column of that name stands before it",
                place()
            ));
        }
        let mut text = column.kind == Kind::Text;
        let mut outputs = 1;
        let last = column.steps.len();
        for (number, step) in column.steps.iter().enumerate() {
            let complain =
                |why: &str| format!("{}, step {} ({}): {why}", place(), number + 1, step.name());
            check_step(step, text, settings).map_err(|why| complain(&why))?;
            outputs = match step {
                Step::OneHot {
                    categories, values, ..
                } => categories.len() + values.len(),
                Step::Hash { buckets, .. } => *buckets as usize,
                Step::Drop => 0,
                _ => continue,
            };
            text = false;
            if number + 1 != last {
                return Err(complain("it must be the last step"));
            }
        }
        if text {
            return Err(format!(
                "{}: text must end in one_hot, hash or drop",
                place()
            ));
        }
        width += outputs;
    }
    if width == 0 || width > MAX_WIDTH {
        return Err(format!(
            "the steps give {width} outputs, allowed are 1 to {MAX_WIDTH}"
        ));
    }
    Ok(())
}

fn check_step(step: &Step, text: bool, settings: &Settings) -> Result<(), String> {
    let of_text = matches!(step, Step::ImputeText(_) | Step::Hash { .. });
    let of_both = matches!(step, Step::OneHot { .. } | Step::Drop);
    if !of_both && of_text != text {
        let kind = if text { "text" } else { "numbers" };
        return Err(format!("it does not work on {kind}"));
    }
    let positive = |what: &str, value: f64| {
        if value > 0.0 && value.is_finite() {
            Ok(())
        } else {
            Err(format!("{what} is {value}, and must be above 0"))
        }
    };
    match step {
        Step::Standard { std, .. } => positive("std", *std),
        Step::MinMax { min, max } => positive("max - min", max - min),
        Step::Robust { scale, .. } => positive("scale", *scale),
        Step::Clip {
            min: None,
            max: None,
        } => Err("min or max is needed".into()),
        Step::Clip {
            min: Some(min),
            max: Some(max),
        } if min > max => Err(format!("min {min} is above max {max}")),
        Step::Bucket { edges } => {
            if edges.is_empty() || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err("edges must ascend, and there must be one".into());
            }
            Ok(())
        }
        Step::Ratio { by, .. } => {
            let other = settings.columns.iter().find(|column| column.name == *by);
            match other {
                Some(column) if column.kind != Kind::Text => Ok(()),
                Some(_) => Err(format!("column {by:?} is text")),
                None => Err(format!("there is no column {by:?}")),
            }
        }
        Step::OneHot {
            categories, values, ..
        } => one_hot(categories, values, text),
        Step::Hash { buckets: 0, .. } => Err("buckets must be at least 1".into()),
        _ => Ok(()),
    }
}

fn one_hot(categories: &[String], values: &[f64], text: bool) -> Result<(), String> {
    match (text, categories.is_empty(), values.is_empty()) {
        (true, false, true) | (false, true, false) => {}
        (true, ..) => return Err("give categories (text), and no values".into()),
        (false, ..) => return Err("give values (numbers), and no categories".into()),
    }
    let twice = |index: usize| categories[..index].contains(&categories[index]);
    if let Some(index) = (0..categories.len()).find(|&index| twice(index)) {
        return Err(format!("category {:?} is named twice", categories[index]));
    }
    if let Some(index) = (0..values.len()).find(|&index| values[..index].contains(&values[index])) {
        return Err(format!("value {} is named twice", values[index]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(steps: &str) -> String {
        let text = format!(r#"{{"columns":[{{"name":"a","steps":{steps}}}]}}"#);
        read(&text).unwrap_err()
    }

    #[test]
    fn mistakes_name_column_and_step() {
        for (steps, expected) in [
            (
                r#"[{"impute":1},{"standard":{"mean":0,"std":0}}]"#,
                r#"column 1 ("a"), step 2 (standard): std is 0, and must be above 0"#,
            ),
            (
                r#"[{"impute":1},{"standart":{}}]"#,
                r#"column 1 ("a"), step 2: unknown variant `standart`"#,
            ),
            (
                r#"[{"standard":{"mean":0,"std":1,"x":2}}]"#,
                r#"column 1 ("a"), step 1: unknown field `x`"#,
            ),
            (
                r#"[{"hash":{"buckets":4}}]"#,
                r#"step 1 (hash): it does not work on numbers"#,
            ),
            (
                r#"["drop",{"impute":1}]"#,
                r#"step 1 (drop): it must be the last step"#,
            ),
            (r#"[{"bucket":{"edges":[2,1]}}]"#, "edges must ascend"),
            (r#"[{"ratio":{"by":"b"}}]"#, r#"there is no column "b""#),
            (r#"[{"clip":{}}]"#, "min or max is needed"),
            (
                r#"[{"one_hot":{"values":[1,1]}}]"#,
                "value 1 is named twice",
            ),
        ] {
            let message = refused(steps);
            assert!(message.contains(expected), "{steps}: {message}");
        }
    }

    #[test]
    fn what_is_no_settings_object_is_refused() {
        assert!(read("{").unwrap_err().contains("not JSON"));
        assert!(
            read(r#"{"columns":[]}"#)
                .unwrap_err()
                .contains("no columns")
        );
        assert!(
            read(r#"{"columns":[{"name":"a"}],"rows":1}"#)
                .unwrap_err()
                .contains("unknown field `rows`")
        );
        let text = r#"{"columns":[{"name":"a","type":"text"}]}"#;
        assert!(read(text).unwrap_err().contains("must end in one_hot"));
        let twice = r#"{"columns":[{"name":"a"},{"name":"a"}]}"#;
        assert!(read(twice).unwrap_err().contains("stands before it"));
    }
}
