//! The settings: what they look like, and how mistakes in them are reported.

use detecting::{
    features::{self, Element, Feature},
    settings::{not_negative, read as parse, refused, share, within},
};
use serde::Deserialize;
use tollgate_plugin::Failure;

/// Fewest blocks of the reference.
pub const LEAST_REFERENCE: usize = 8;
/// Fewest blocks of a window: with 12 blocks in all there are 495 ways to deal
/// them out, so a p-value of 1 % can be reached.
pub const LEAST_WINDOW: usize = 4;

/// The settings of the detector.
///
/// ```json
/// { "features": [{ "name": "age" }, { "name": "income" }], "alpha": 0.01, "seed": 7 }
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The columns; see [`Feature`].
    pub features: Vec<Feature>,
    /// The level: drifted when the p-value is at most this and the statistic at
    /// least `effect`.
    #[serde(default = "one_percent")]
    pub alpha: f64,
    /// Least statistic that counts.
    #[serde(default)]
    pub effect: f64,
    /// Random frequencies that stand for the kernel: more are closer to it, and
    /// cost more.
    #[serde(default = "frequencies")]
    pub frequencies: usize,
    /// Rows of a block. Blocks, not rows, are kept and dealt out anew.
    #[serde(default = "block")]
    pub block: usize,
    /// Most blocks of the reference, and of a window; rows beyond are left out.
    #[serde(default = "blocks")]
    pub blocks: usize,
    /// How often blocks are dealt out anew.
    #[serde(default = "permutations")]
    pub permutations: usize,
    /// Width of the kernel, in standard deviations; without one it is the median
    /// distance of the reference's rows.
    #[serde(default)]
    pub bandwidth: Option<f64>,
    /// Another seed, other frequencies and other deals.
    #[serde(default)]
    pub seed: u64,
}

fn one_percent() -> f64 {
    0.01
}

fn frequencies() -> usize {
    64
}

fn block() -> usize {
    25
}

fn blocks() -> usize {
    200
}

fn permutations() -> usize {
    999
}

/// Reads and checks the settings.
pub fn read(text: &str) -> Result<Settings, Failure> {
    let settings: Settings = parse(text)?;
    features::check(&settings.features)?;
    for feature in &settings.features {
        if feature.element == Element::Utf8 {
            let why = format!(
                "feature {:?}: text has no distance; leave it out, or watch it with drift-tests",
                feature.name
            );
            return Err(refused(why).at_field(&feature.name));
        }
    }
    share("alpha", settings.alpha)?;
    not_negative("effect", settings.effect)?;
    within("frequencies", settings.frequencies, 4, 512)?;
    // A mean over fewer rows says too much about each.
    within("block", settings.block, 10, 10_000)?;
    within("blocks", settings.blocks, LEAST_REFERENCE, 1000)?;
    within("permutations", settings.permutations, 99, 100_000)?;
    if let Some(bandwidth) = settings.bandwidth {
        if !(bandwidth > 0.0 && bandwidth.is_finite()) {
            return Err(refused(format!(
                "bandwidth is {bandwidth}, and must be above 0"
            )));
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        assert!(read(r#"{"features":[{"name":"a"}]}"#).is_ok());
        for (rest, expected) in [
            (r#""block":9"#, "block is 9, allowed are 10"),
            (r#""blocks":7"#, "blocks is 7, allowed are 8"),
            (r#""alpha":0"#, "alpha is 0"),
            (r#""bandwidth":0"#, "bandwidth is 0"),
            (r#""frequencies":1000"#, "frequencies is 1000"),
            (r#""permutations":5"#, "permutations is 5"),
            (r#""rows":5"#, "unknown field `rows`"),
        ] {
            let text = format!(r#"{{"features":[{{"name":"a"}}],{rest}}}"#);
            let failure = read(&text).unwrap_err();
            assert_eq!(failure.code, "invalid-settings");
            assert!(
                failure.message.contains(expected),
                "{rest}: {}",
                failure.message
            );
        }
        let text = r#"{"features":[{"name":"t","element":"utf8"}]}"#;
        assert!(
            read(text)
                .unwrap_err()
                .message
                .contains("text has no distance")
        );
    }
}
