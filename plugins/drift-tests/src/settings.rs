//! The settings: what they look like, and how mistakes in them are reported.

use detecting::{
    features::{self, Element, Feature},
    multiplicity::Correction,
    settings::{not_negative, read as parse, refused, share, within},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use tollgate_plugin::Failure;

/// The settings of the detector.
///
/// ```json
/// {
///   "features": [{ "name": "age" }, { "name": "fare" }, { "name": "city", "element": "utf8" }],
///   "numbers": { "ks": {} },
///   "tests": { "fare": { "wasserstein": { "effect": 0.2 } } },
///   "alpha": 0.05, "correction": "bh", "share": 0.5
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The columns; see [`Feature`].
    pub features: Vec<Feature>,
    /// The test of every column of numbers that `tests` does not name.
    #[serde(default = "psi")]
    pub numbers: Test,
    /// The test of every column of text that `tests` does not name.
    #[serde(default = "chi_square")]
    pub texts: Test,
    /// Tests of single columns, by name.
    #[serde(default)]
    pub tests: BTreeMap<String, Test>,
    /// The level of the tests that have a p-value.
    #[serde(default = "five_percent")]
    pub alpha: f64,
    /// How the window's p-values are corrected for their number.
    #[serde(default)]
    pub correction: Correction,
    /// Least rows of reference and windows.
    #[serde(default = "thirty")]
    pub min_rows: usize,
    /// When given: one more score, over all columns. Its statistic is the share
    /// of drifted columns, and it is drifted from this share on.
    #[serde(default)]
    pub share: Option<f64>,
}

fn psi() -> Test {
    Test::Psi {
        cells: None,
        effect: 0.1,
    }
}

fn chi_square() -> Test {
    Test::ChiSquare {
        cells: None,
        effect: 0.1,
    }
}

fn five_percent() -> f64 {
    0.05
}

fn thirty() -> usize {
    30
}

fn tenth() -> f64 {
    0.1
}

fn ten_thousand() -> usize {
    10_000
}

fn yes() -> bool {
    true
}

/// One test. A column is drifted when its effect is at least `effect` and, where
/// the test has a p-value, the corrected p-value is at most `alpha`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Test {
    /// Population stability index; the effect is the index itself.
    Psi {
        /// Into which cells values are counted.
        #[serde(default)]
        cells: Option<Cells>,
        /// Least effect.
        #[serde(default = "tenth")]
        effect: f64,
    },
    /// Jensen-Shannon distance; the effect is the distance. No p-value.
    JensenShannon {
        /// Into which cells values are counted.
        #[serde(default)]
        cells: Option<Cells>,
        /// Base of the logarithm.
        #[serde(default)]
        base: Base,
        /// Least effect.
        #[serde(default = "tenth")]
        effect: f64,
    },
    /// Pearson's chi-square test of homogeneity; the effect is Cramér's V.
    ChiSquare {
        /// Into which cells values are counted.
        #[serde(default)]
        cells: Option<Cells>,
        /// Least effect.
        #[serde(default = "tenth")]
        effect: f64,
    },
    /// Two-sample Kolmogorov-Smirnov test; the effect is the statistic.
    Ks {
        /// How the p-value is computed.
        #[serde(default)]
        p_value: Method,
        /// Most values kept of the reference.
        #[serde(default = "ten_thousand")]
        sample: usize,
        /// Least effect.
        #[serde(default = "tenth")]
        effect: f64,
    },
    /// First Wasserstein distance; the effect is the statistic. No p-value.
    Wasserstein {
        /// Whether it is divided by the reference's standard deviation.
        #[serde(default = "yes")]
        normed: bool,
        /// Most values kept of the reference.
        #[serde(default = "ten_thousand")]
        sample: usize,
        /// Least effect.
        #[serde(default = "tenth")]
        effect: f64,
    },
}

/// Into which cells values are counted. Missing values have a cell of their own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Cells {
    /// Cells between quantiles of the reference, about equally full: `10` gives
    /// deciles, the default for numbers. A reference with no more distinct
    /// values than that has one cell for each value.
    Quantiles(usize),
    /// Cells between these values, open at both ends; a value belongs to the
    /// cell it begins.
    Edges(Vec<f64>),
    /// One cell for each value of the reference, for the most frequent `most`,
    /// and one for all others; the default for text.
    Categories {
        /// Most cells, the one for all others left out.
        #[serde(default = "fifty")]
        most: usize,
        /// Values met less often than this in the reference count as others.
        #[serde(default = "five")]
        rare: u64,
    },
}

fn fifty() -> usize {
    50
}

fn five() -> u64 {
    5
}

/// Base of a logarithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Base {
    /// Natural, as in Evidently and scipy's default.
    #[default]
    #[serde(rename = "e")]
    E,
    /// 2, as in NannyML: the distance is at most 1.
    #[serde(rename = "2")]
    Two,
}

/// How the p-value of the Kolmogorov-Smirnov test is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Exact while the sizes' product is at most a million, else asymptotic.
    #[default]
    Auto,
    /// By counting paths; the cost grows with the product of the sizes.
    Exact,
    /// From the distribution of the one-sample statistic.
    Asymptotic,
}

/// Most cells of one column.
pub const MAX_CELLS: usize = 1000;
/// Most values kept of one column.
pub const MAX_SAMPLE: usize = 100_000;

/// Reads and checks the settings. The error names feature and test.
pub fn read(text: &str) -> Result<Settings, Failure> {
    let settings: Settings = parse(text)?;
    features::check(&settings.features)?;
    share("alpha", settings.alpha)?;
    within("min_rows", settings.min_rows, 2, 1_000_000)?;
    if let Some(least) = settings.share {
        if !(least > 0.0 && least <= 1.0) {
            return Err(refused(format!(
                "share is {least}, and must be above 0 and at most 1"
            )));
        }
    }
    features::check_names(&settings.features, "tests", &settings.tests)?;
    for feature in &settings.features {
        let test = settings.test(feature);
        check(test, feature.element).map_err(|failure| {
            let place = format!("feature {:?}, {}", feature.name, test.name());
            refused(format!("{place}: {}", failure.message)).at_field(&feature.name)
        })?;
    }
    Ok(settings)
}

impl Settings {
    /// The test of a column.
    #[must_use]
    pub fn test(&self, feature: &Feature) -> &Test {
        self.tests
            .get(&feature.name)
            .unwrap_or(if feature.element == Element::Utf8 {
                &self.texts
            } else {
                &self.numbers
            })
    }
}

impl Test {
    /// Name as in the settings.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Psi { .. } => "psi",
            Self::JensenShannon { .. } => "jensen_shannon",
            Self::ChiSquare { .. } => "chi_square",
            Self::Ks { .. } => "ks",
            Self::Wasserstein { .. } => "wasserstein",
        }
    }

    /// Least effect that counts.
    #[must_use]
    pub const fn effect(&self) -> f64 {
        match self {
            Self::Psi { effect, .. }
            | Self::JensenShannon { effect, .. }
            | Self::ChiSquare { effect, .. }
            | Self::Ks { effect, .. }
            | Self::Wasserstein { effect, .. } => *effect,
        }
    }
}

fn check(test: &Test, element: Element) -> Result<(), Failure> {
    not_negative("effect", test.effect())?;
    match test {
        Test::Psi { cells, .. }
        | Test::JensenShannon { cells, .. }
        | Test::ChiSquare { cells, .. } => check_cells(cells.as_ref(), element),
        Test::Ks { .. } | Test::Wasserstein { .. } if element == Element::Utf8 => Err(refused(
            "it does not work on text; take psi, jensen_shannon or chi_square",
        )),
        Test::Ks { sample, .. } | Test::Wasserstein { sample, .. } => {
            within("sample", *sample, 30, MAX_SAMPLE)
        }
    }
}

fn check_cells(cells: Option<&Cells>, element: Element) -> Result<(), Failure> {
    match cells {
        None => Ok(()),
        Some(Cells::Categories { most, .. }) => within("most", *most, 1, MAX_CELLS),
        Some(_) if element == Element::Utf8 => {
            Err(refused("text is counted by categories, not by edges"))
        }
        Some(Cells::Quantiles(count)) => within("quantiles", *count, 2, MAX_CELLS),
        Some(Cells::Edges(edges)) => {
            within("the number of edges", edges.len(), 1, MAX_CELLS)?;
            if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(refused("edges must ascend"));
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_settings_and_the_defaults() {
        let settings =
            read(r#"{"features":[{"name":"a"},{"name":"t","element":"utf8"}]}"#).unwrap();
        assert_eq!(settings.test(&settings.features[0]).name(), "psi");
        assert_eq!(settings.test(&settings.features[1]).name(), "chi_square");
        assert_eq!(settings.correction, Correction::Bh);
    }

    #[test]
    fn mistakes_name_their_place() {
        for (rest, expected) in [
            (r#""alpha":1"#, "alpha is 1, and must lie between"),
            (r#""share":0"#, "share is 0"),
            (r#""min_rows":1"#, "min_rows is 1, allowed are 2"),
            (r#""rows":1"#, "unknown field `rows`"),
            (r#""tests":{"b":{"ks":{}}}"#, r#"there is no feature "b""#),
            (r#""tests":{"a":{"kz":{}}}"#, "unknown variant `kz`"),
            (r#""tests":{"a":{"ks":{"x":1}}}"#, "unknown field `x`"),
            (
                r#""tests":{"a":{"ks":{"sample":5}}}"#,
                r#"feature "a", ks: sample is 5, allowed are 30"#,
            ),
            (
                r#""tests":{"a":{"psi":{"effect":-1}}}"#,
                r#"feature "a", psi: effect is -1"#,
            ),
            (
                r#""tests":{"a":{"psi":{"cells":{"edges":[2,1]}}}}"#,
                "edges must ascend",
            ),
            (
                r#""tests":{"a":{"psi":{"cells":{"quantiles":1}}}}"#,
                "quantiles is 1",
            ),
            (
                r#""tests":{"t":{"ks":{}}}"#,
                r#"feature "t", ks: it does not work on text"#,
            ),
            (
                r#""tests":{"t":{"psi":{"cells":{"quantiles":5}}}}"#,
                "text is counted by categories",
            ),
        ] {
            let text = format!(
                r#"{{"features":[{{"name":"a"}},{{"name":"t","element":"utf8"}}],{rest}}}"#
            );
            let failure = read(&text).unwrap_err();
            assert_eq!(failure.code, "invalid-settings");
            assert!(
                failure.message.contains(expected),
                "{rest}: {}",
                failure.message
            );
        }
    }
}
