//! Golden cases: what goes in and what must come out, in one format for all
//! kinds and languages. `plugin test` plays them in the real engine.
//!
//! ```json
//! { "kind": "transform", "settings": {"columns": ["area"]}, "tolerance": 1e-6,
//!   "cases": [ { "name": "logarithm", "columns": {"area": [0, null]},
//!     "expect": { "tensors": [ {"name": "input", "shape": [2, 1], "values": [0, "NaN"]} ] } } ] }
//! ```
//!
//! Values are numbers, `null` for a missing one, text, and `"NaN"`, `"inf"`,
//! `"-inf"` where the element is a float. Of a `failure` only the keys that are
//! given are compared. Two floats are the same when they differ by at most
//! `tolerance * max(1, |expected|)`.

mod action;
mod compare;
mod detector;
mod play;
mod report;
mod transform;
mod update;
mod values;

pub use play::{PlayError, play};
pub use report::{CaseReport, Cost, Difference, Report};
pub use update::{UpdateError, update};
pub(crate) use {
    action::{Script, event},
    detector::features,
    values::{frame, from_tensor},
};

use domain::plugin::{PluginKind, PluginLimits};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A golden file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// The kind it is for.
    pub kind: PluginKind,
    /// Settings of every case that has none of its own.
    #[serde(default = "empty")]
    pub settings: Value,
    /// Budgets; a gateway's defaults if not given.
    #[serde(default)]
    pub limits: Option<PluginLimits>,
    /// How far a float may be off; 0 is exact.
    #[serde(default = "tolerance")]
    pub tolerance: f64,
    /// Most fuel of the calls of every case that has no bound of its own.
    #[serde(default)]
    pub max_fuel: Option<u64>,
    /// The cases.
    pub cases: Vec<Case>,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

const fn tolerance() -> f64 {
    1e-6
}

/// Named columns of one length.
pub(crate) type Columns = Map<String, Value>;

/// One case. Which fields it may have depends on the kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is about.
    pub name: String,
    #[serde(default)]
    pub(crate) settings: Option<Value>,
    #[serde(default)]
    pub(crate) max_fuel: Option<u64>,
    /// Transforms: the rows.
    #[serde(default)]
    pub(crate) columns: Option<Columns>,
    /// Detectors: the rows that `fit` learns.
    #[serde(default)]
    pub(crate) reference: Option<Columns>,
    /// Detectors: what `observe` gets, in order.
    #[serde(default)]
    pub(crate) windows: Option<Vec<Window>>,
    /// Actions: the rollback.
    #[serde(default)]
    pub(crate) event: Option<Map<String, Value>>,
    /// Actions: the requests it makes, in order, and what each is answered.
    #[serde(default)]
    pub(crate) exchanges: Option<Vec<Exchange>>,
    #[serde(default)]
    pub(crate) expect: Option<Value>,
}

/// One window of a detector.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    pub(crate) columns: Columns,
    #[serde(default)]
    pub(crate) expect: Option<Value>,
}

/// One request of an action.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    #[serde(default)]
    pub(crate) expect: Option<Map<String, Value>>,
    #[serde(default)]
    pub(crate) respond: Option<Respond>,
    #[serde(default)]
    pub(crate) refuse: Option<String>,
}

/// What a request is answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Respond {
    #[serde(default = "ok")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: Map<String, Value>,
    #[serde(default)]
    pub(crate) body: Value,
}

const fn ok() -> u16 {
    200
}

/// A golden file that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what a golden file is.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        why: String,
    },
}

impl Golden {
    /// Reads a golden file.
    ///
    /// # Errors
    /// When it cannot be read, is not of the format, or a case has a field that
    /// its kind does not have.
    pub fn read(path: &Path) -> Result<Self, GoldenError> {
        let text = std::fs::read_to_string(path).map_err(|source| GoldenError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|why| GoldenError::Malformed {
            path: path.to_owned(),
            why,
        })
    }

    /// Reads a golden file's text; the error says what is wrong and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let golden: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if !(golden.tolerance >= 0.0 && golden.tolerance.is_finite()) {
            return Err("tolerance must be 0 or more".to_owned());
        }
        if golden.cases.is_empty() {
            return Err("cases is empty: write at least one".to_owned());
        }
        for case in &golden.cases {
            golden.check(case)?;
        }
        Ok(golden)
    }

    fn check(&self, case: &Case) -> Result<(), String> {
        let given = [
            ("columns", case.columns.is_some(), PluginKind::Transform),
            ("reference", case.reference.is_some(), PluginKind::Detector),
            ("windows", case.windows.is_some(), PluginKind::Detector),
            ("event", case.event.is_some(), PluginKind::Action),
            ("exchanges", case.exchanges.is_some(), PluginKind::Action),
        ];
        for (field, there, kind) in given {
            if there && kind != self.kind {
                return Err(format!(
                    "case {:?} has {field}, which belongs to kind {kind}; the file is of kind {}",
                    case.name, self.kind
                ));
            }
        }
        for (at, exchange) in case.exchanges.iter().flatten().enumerate() {
            let answers = [exchange.respond.is_some(), exchange.refuse.is_some()];
            let known = exchange
                .refuse
                .as_deref()
                .is_none_or(|name| plugins::trial::Refusal::named(name).is_some());
            if answers == [true, true] || !known {
                return Err(format!(
                    "case {:?}, exchange {at}: write `respond`, or `refuse` with one of not-granted, \
                     malformed, unreachable, timed-out, too-large, exhausted",
                    case.name
                ));
            }
        }
        Ok(())
    }

    /// Budgets of every call.
    pub fn limits(&self) -> PluginLimits {
        self.limits
            .clone()
            .unwrap_or_else(|| default_limits(self.kind))
    }

    /// Settings of a case in canonical form.
    pub(crate) fn settings_of(&self, case: &Case) -> String {
        let settings = case.settings.as_ref().unwrap_or(&self.settings);
        // Any JSON value that was read has a canonical form.
        domain::json::canonical(settings).unwrap_or_default()
    }
}

/// Budgets that a plugin of a kind gets unless asked otherwise: detectors work
/// beside predictions, actions after them.
pub fn default_limits(kind: PluginKind) -> PluginLimits {
    let deadline_ms = match kind {
        PluginKind::Transform => PluginLimits::default().deadline_ms,
        PluginKind::Detector => 1_000,
        PluginKind::Action => 10_000,
    };
    PluginLimits {
        deadline_ms,
        ..PluginLimits::default()
    }
}
