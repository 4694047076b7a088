//! What came of golden cases.

use plugins::trial::{LogLine, Spent};
use std::fmt;

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, as in `tensor "input" [0, 2]`.
    pub place: String,
    /// What the file says.
    pub expected: String,
    /// What the plugin did.
    pub got: String,
}

impl Difference {
    pub(super) fn new(
        place: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self {
            place: place.into(),
            expected: expected.into(),
            got: got.into(),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected {}, got {}",
            self.place, self.expected, self.got
        )
    }
}

/// What a case cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cost {
    /// Fuel of the calls themselves.
    pub fuel: u64,
    /// Fuel of making and configuring the instance, which a gateway mostly pays
    /// once and not at every call.
    pub start_fuel: u64,
    /// Largest linear memory, in bytes.
    pub peak_memory: u64,
    /// Microseconds of the calls, in the metered engine.
    pub micros: u64,
}

impl Cost {
    pub(super) fn start(&mut self, spent: &Spent) {
        self.start_fuel += spent.fuel;
        self.peak_memory = self.peak_memory.max(spent.peak_memory);
    }

    pub(super) fn call(&mut self, spent: &Spent) {
        self.fuel += spent.fuel;
        self.peak_memory = self.peak_memory.max(spent.peak_memory);
        self.micros += u64::try_from(spent.time.as_micros()).unwrap_or(u64::MAX);
    }
}

/// One case, played.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// Everything that is not as expected; none if it passed.
    pub differences: Vec<Difference>,
    /// What it cost.
    pub cost: Cost,
    /// Lines that it logged.
    pub lines: Vec<LogLine>,
    /// What the plugin did, in the words of a golden file.
    pub(super) observed: Observed,
}

/// What to write into the golden file when it is updated.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Observed {
    pub(super) expect: Option<serde_json::Value>,
    pub(super) windows: Vec<serde_json::Value>,
    pub(super) requests: Vec<serde_json::Value>,
}

impl CaseReport {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    pub(super) fn differs(
        &mut self,
        place: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) {
        self.differences.push(Difference::new(place, expected, got));
    }
}

/// All cases of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// In the file's order.
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        self.cases.iter().all(CaseReport::passed)
    }

    /// The report as `JUnit` reads it.
    pub fn junit(&self, suite: &str) -> String {
        let failed = self.cases.iter().filter(|case| !case.passed()).count();
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">\n",
            escaped(suite),
            self.cases.len()
        );
        for case in &self.cases {
            out += &format!(
                "  <testcase name=\"{}\" classname=\"{}\" time=\"{:.6}\"",
                escaped(&case.name),
                escaped(suite),
                case.cost.micros as f64 / 1e6
            );
            if case.passed() {
                out += "/>\n";
                continue;
            }
            let text: Vec<String> = case.differences.iter().map(ToString::to_string).collect();
            out += &format!(
                "><failure message=\"{} difference(s)\">{}</failure></testcase>\n",
                case.differences.len(),
                escaped(&text.join("\n"))
            );
        }
        out + "</testsuite>\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
