//! The settings: what they look like, and how mistakes in them are reported.

use detecting::{
    features::{self, Element, Feature},
    settings::{not_negative, read as parse, refused, share, within},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use tollgate_plugin::Failure;

/// The settings of the detector.
///
/// ```json
/// { "features": [{ "name": "error" }, { "name": "score" }],
///   "method": { "adwin": { "delta": 0.002 } },
///   "methods": { "score": { "page_hinkley": { "mode": "down" } } } }
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The columns; see [`Feature`].
    pub features: Vec<Feature>,
    /// The method of every column that `methods` does not name.
    #[serde(default = "adwin")]
    pub method: Method,
    /// Methods of single columns, by name.
    #[serde(default)]
    pub methods: BTreeMap<String, Method>,
}

fn adwin() -> Method {
    Method::Adwin(Adwin::default())
}

/// How a stream is watched.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// Adaptive windowing: keeps the longest stretch of the stream whose parts
    /// have one mean.
    Adwin(Adwin),
    /// Page-Hinkley: adds up how far values lie from the mean so far.
    PageHinkley(PageHinkley),
}

/// Settings of ADWIN; names and defaults are river's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adwin {
    /// Chance of a false alarm at a check, between 0 and 1.
    pub delta: f64,
    /// A check after every so many values.
    pub clock: u64,
    /// Most buckets of one size.
    pub max_buckets: usize,
    /// Least values of each part that are compared.
    pub min_window_length: u64,
    /// No check before the window has more values than this.
    pub grace_period: u64,
}

impl Default for Adwin {
    fn default() -> Self {
        Self {
            delta: 0.002,
            clock: 32,
            max_buckets: 5,
            min_window_length: 5,
            grace_period: 10,
        }
    }
}

/// Settings of the Page-Hinkley test; names and defaults are river's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageHinkley {
    /// No verdict before so many values.
    pub min_instances: u64,
    /// Changes of the mean below this are tolerated; in the values' own unit.
    pub delta: f64,
    /// The sum from which on the stream has changed; in the values' own unit.
    pub threshold: f64,
    /// What of the sum is kept at the next value.
    pub alpha: f64,
    /// Which changes count.
    pub mode: Mode,
}

impl Default for PageHinkley {
    fn default() -> Self {
        Self {
            min_instances: 30,
            delta: 0.005,
            threshold: 50.0,
            alpha: 0.9999,
            mode: Mode::Both,
        }
    }
}

/// Which changes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Growing values.
    Up,
    /// Falling values.
    Down,
    /// Both.
    Both,
}

/// Reads and checks the settings. The error names feature and method.
pub fn read(text: &str) -> Result<Settings, Failure> {
    let settings: Settings = parse(text)?;
    features::check(&settings.features)?;
    features::check_names(&settings.features, "methods", &settings.methods)?;
    for feature in &settings.features {
        let place = |why: &str| {
            refused(format!("feature {:?}: {why}", feature.name)).at_field(&feature.name)
        };
        if feature.element == Element::Utf8 {
            return Err(place("a stream is of numbers, not of text"));
        }
        check(settings.method_of(feature)).map_err(|failure| place(&failure.message))?;
    }
    Ok(settings)
}

impl Settings {
    /// The method of a column.
    #[must_use]
    pub fn method_of(&self, feature: &Feature) -> &Method {
        self.methods.get(&feature.name).unwrap_or(&self.method)
    }
}

fn check(method: &Method) -> Result<(), Failure> {
    match method {
        Method::Adwin(adwin) => {
            share("delta", adwin.delta)?;
            within("clock", adwin.clock as usize, 1, 1_000_000)?;
            within("max_buckets", adwin.max_buckets, 2, 1000)?;
            let least = adwin.min_window_length as usize;
            within("min_window_length", least, 1, 1_000_000)?;
            // Below 2 values there is no variance to compare with.
            within("grace_period", adwin.grace_period as usize, 2, 1_000_000)
        }
        Method::PageHinkley(test) => {
            within("min_instances", test.min_instances as usize, 1, 1_000_000)?;
            not_negative("delta", test.delta)?;
            not_negative("threshold", test.threshold)?;
            if !(test.alpha > 0.0 && test.alpha <= 1.0) {
                return Err(refused(format!(
                    "alpha is {}, and must be above 0 and at most 1",
                    test.alpha
                )));
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_their_place() {
        assert!(read(r#"{"features":[{"name":"a"}]}"#).is_ok());
        for (rest, expected) in [
            (
                r#""method":{"adwin":{"delta":2}}"#,
                r#"feature "a": delta is 2"#,
            ),
            (r#""method":{"adwin":{"x":2}}"#, "unknown field `x`"),
            (r#""method":{"kswin":{}}"#, "unknown variant `kswin`"),
            (
                r#""method":{"adwin":{"max_buckets":1}}"#,
                "max_buckets is 1",
            ),
            (
                r#""methods":{"a":{"page_hinkley":{"alpha":0}}}"#,
                r#"feature "a": alpha is 0"#,
            ),
            (
                r#""methods":{"b":{"page_hinkley":{}}}"#,
                r#"there is no feature "b""#,
            ),
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
        assert!(read(text).unwrap_err().message.contains("not of text"));
    }
}
