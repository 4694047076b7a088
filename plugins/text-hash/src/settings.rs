//! The settings: what they look like, and how mistakes in them are reported.

use serde::Deserialize;
use std::collections::BTreeSet;
use tollgate_plugin::Failure;

/// Most buckets of all columns together.
pub const MAX_WIDTH: usize = 65_536;
/// Most columns, by the contract.
pub const MAX_COLUMNS: usize = 4096;
/// Longest n-gram.
pub const MAX_N: usize = 16;

/// The settings of the transform.
///
/// ```json
/// {
///   "output": "input",
///   "columns": [
///     { "name": "title", "buckets": 1024, "tokens": { "words": { "max": 2 } },
///       "stop_words": ["the", "a"] },
///     { "name": "tags", "buckets": 64, "tokens": { "split": { "by": "," } }, "norm": "none" }
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

/// One column of text; its buckets stand beside those of the others.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name of the column.
    pub name: String,
    /// Number of outputs (scikit-learn: `n_features`).
    pub buckets: u32,
    /// What is hashed (scikit-learn: `analyzer` and `ngram_range`).
    #[serde(default)]
    pub tokens: Tokens,
    /// Whether text is made lower-case first.
    #[serde(default = "yes")]
    pub lowercase: bool,
    /// Words that are left out, as they stand after lowering. For `words`.
    #[serde(default)]
    pub stop_words: Vec<String>,
    /// Another seed, another hash; scikit-learn has 0.
    #[serde(default)]
    pub seed: u32,
    /// Whether the hash's sign is the token's (scikit-learn: `alternate_sign`):
    /// tokens that share a bucket then cancel out instead of adding up.
    #[serde(default = "yes")]
    pub signed: bool,
    /// Whether a bucket is 1 as soon as a token falls into it, instead of the
    /// sum of its tokens.
    #[serde(default)]
    pub binary: bool,
    /// What a row is divided by.
    #[serde(default)]
    pub norm: Norm,
}

fn yes() -> bool {
    true
}

/// What of a text is hashed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tokens {
    /// Runs of `min` to `max` words, joined by a space. A word is a run of
    /// letters, digits and underscores (scikit-learn: `word`).
    Words {
        /// Least words of a run.
        #[serde(default = "one")]
        min: usize,
        /// Most.
        #[serde(default = "one")]
        max: usize,
        /// Shorter words, in characters, are left out.
        #[serde(default = "two")]
        least_length: usize,
    },
    /// Runs of `min` to `max` characters (scikit-learn: `char`).
    Chars {
        /// Least characters.
        min: usize,
        /// Most.
        max: usize,
    },
    /// Runs of `min` to `max` characters of one word with a space at each end
    /// (scikit-learn: `char_wb`).
    WordChars {
        /// Least characters.
        min: usize,
        /// Most.
        max: usize,
    },
    /// The parts between separators, without white space around them; for lists
    /// of tags (scikit-learn: `FeatureHasher` on strings).
    Split {
        /// The separator.
        by: String,
    },
    /// The whole text as one token; for categories.
    Whole,
}

impl Default for Tokens {
    fn default() -> Self {
        Self::Words {
            min: 1,
            max: 1,
            least_length: 2,
        }
    }
}

fn one() -> usize {
    1
}

fn two() -> usize {
    2
}

/// What a row of one column is divided by; a row without tokens stays 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// The root of the sum of its squares.
    #[default]
    L2,
    /// The sum of its absolute values.
    L1,
    /// Nothing.
    None,
}

/// Reads and checks the settings. The error names the column.
pub fn read(text: &str) -> Result<Settings, Failure> {
    let settings: Settings = serde_json::from_str(text)
        .map_err(|error| refused(format!("the settings are not valid: {error}")))?;
    let count = settings.columns.len();
    if count == 0 || count > MAX_COLUMNS {
        return Err(refused(format!(
            "the settings name {count} columns, allowed are 1 to {MAX_COLUMNS}"
        )));
    }
    let mut width = 0;
    let mut before = BTreeSet::new();
    for (index, column) in settings.columns.iter().enumerate() {
        let place = |why: String| {
            let place = format!("column {} ({:?})", index + 1, column.name);
            refused(format!("{place}: {why}")).at_field(&column.name)
        };
        if !before.insert(&column.name) {
            return Err(place("a column of that name stands before it".into()));
        }
        check(column).map_err(place)?;
        width += column.buckets as usize;
    }
    if width > MAX_WIDTH {
        return Err(refused(format!(
            "the columns have {width} buckets, allowed are {MAX_WIDTH}"
        )));
    }
    Ok(settings)
}

fn check(column: &Column) -> Result<(), String> {
    if column.buckets == 0 {
        return Err("buckets must be at least 1".into());
    }
    if !column.stop_words.is_empty() && !matches!(column.tokens, Tokens::Words { .. }) {
        return Err("stop_words go with words only".into());
    }
    match &column.tokens {
        Tokens::Words { min, max, .. }
        | Tokens::Chars { min, max }
        | Tokens::WordChars { min, max } => {
            if *min < 1 || min > max || *max > MAX_N {
                return Err(format!(
                    "tokens run from {min} to {max}; allowed is 1 to {MAX_N}, the least first"
                ));
            }
            Ok(())
        }
        Tokens::Split { by } if by.is_empty() => Err("by must not be empty".into()),
        Tokens::Split { .. } | Tokens::Whole => Ok(()),
    }
}

fn refused(why: String) -> Failure {
    Failure::invalid_settings("invalid-settings", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_the_column() {
        for (rest, expected) in [
            (
                r#""buckets":0"#,
                r#"column 1 ("t"): buckets must be at least 1"#,
            ),
            (r#""buckets":70000"#, "70000 buckets, allowed are 65536"),
            (r#""buckets":8,"x":1"#, "unknown field `x`"),
            (r#""buckets":8,"norm":"l3""#, "unknown variant `l3`"),
            (
                r#""buckets":8,"tokens":{"words":{"min":3,"max":2}}"#,
                "tokens run from 3 to 2",
            ),
            (
                r#""buckets":8,"tokens":{"chars":{"min":1,"max":17}}"#,
                "tokens run from 1 to 17",
            ),
            (
                r#""buckets":8,"tokens":{"split":{"by":""}}"#,
                "by must not be empty",
            ),
            (
                r#""buckets":8,"tokens":"whole","stop_words":["a"]"#,
                "stop_words go with words only",
            ),
        ] {
            let text = format!(r#"{{"columns":[{{"name":"t",{rest}}}]}}"#);
            let failure = read(&text).unwrap_err();
            assert_eq!(failure.code, "invalid-settings");
            assert!(
                failure.message.contains(expected),
                "{rest}: {}",
                failure.message
            );
        }
        let twice = r#"{"columns":[{"name":"t","buckets":1},{"name":"t","buckets":1}]}"#;
        assert!(
            read(twice)
                .unwrap_err()
                .message
                .contains("stands before it")
        );
        assert!(
            read(r#"{"columns":[]}"#)
                .unwrap_err()
                .message
                .contains("0 columns")
        );
        assert!(read("{").unwrap_err().message.contains("not valid"));
    }
}
