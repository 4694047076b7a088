//! A detector's case: a reference, then windows. It is played twice, once
//! straight and once with `snapshot` and `restore` before every window, and both
//! must give the same scores: a gateway restarts.

use super::{
    Case, Columns, Golden,
    compare::{from_stop, same, shown, stop, summary},
    report::CaseReport,
    values::{frame, from_number, number},
};
use domain::batch::{Batch, Contract, Element, FieldSpec};
use plugins::trial::{DetectorSession, Score, Stop, Subject};
use serde::Deserialize;
use serde_json::{Value, json};

/// The columns of a detector, as the key `features` of its settings has them.
pub(crate) fn features(settings: &Value) -> Result<Contract, String> {
    #[derive(Deserialize)]
    struct Feature {
        name: String,
        #[serde(default = "f64s")]
        element: Element,
        #[serde(default = "yes")]
        nullable: bool,
    }
    const fn f64s() -> Element {
        Element::F64
    }
    const fn yes() -> bool {
        true
    }
    let given = settings.get("features").cloned().unwrap_or_default();
    let features: Vec<Feature> = serde_json::from_value(given).map_err(|error| {
        format!(
            "the settings need a key `features`, a list of {{\"name\": …, \"element\": \"f64\"}}: {error}"
        )
    })?;
    let field = |feature: Feature| FieldSpec {
        name: feature.name.into(),
        element: feature.element,
        nullable: feature.nullable,
    };
    Ok(Contract {
        inputs: features.into_iter().map(field).collect(),
        outputs: Vec::new(),
    })
}

pub(super) fn play(subject: &Subject<'_>, golden: &Golden, case: &Case) -> CaseReport {
    let mut report = CaseReport::default();
    let settings = case.settings.as_ref().unwrap_or(&golden.settings);
    let given = || -> Result<(Batch, Vec<Batch>), String> {
        let contract = features(settings)?;
        let batch = |what: &str, columns: &Columns| {
            let frame = frame(columns, &contract).map_err(|why| format!("{what}: {why}"))?;
            contract
                .batch_from_frame(&frame)
                .map_err(|why| format!("{what}: {why}"))
        };
        let reference = batch("reference", &case.reference.clone().unwrap_or_default())?;
        let windows = case.windows.iter().flatten().enumerate();
        let windows = windows.map(|(at, window)| batch(&format!("window {at}"), &window.columns));
        Ok((reference, windows.collect::<Result<_, _>>()?))
    };
    let (reference, windows) = match given() {
        Ok(given) => given,
        Err(why) => {
            report.differs("columns", "rows that fit the settings' features", why);
            return report;
        }
    };
    let player = Player {
        subject,
        golden,
        settings: golden.settings_of(case),
    };
    let straight = player.scores(&mut report, &reference, &windows, false);
    match straight {
        Err(stopped) => {
            report.observed.expect = Some(from_stop(&stopped));
            let none = Value::Null;
            let expected = case.expect.as_ref().unwrap_or(&none);
            stop(&mut report, "fit", expected, &stopped);
        }
        Ok(straight) => {
            if let Some(expected) = &case.expect {
                report.differs("fit", summary(expected), "it fitted");
            }
            for (at, (window, got)) in case.windows.iter().flatten().zip(&straight).enumerate() {
                compare(
                    &mut report,
                    at,
                    window.expect.as_ref(),
                    got,
                    golden.tolerance,
                );
            }
            let restored = player.scores(&mut CaseReport::default(), &reference, &windows, true);
            continuity(&mut report, &straight, restored);
        }
    }
    report
}

struct Player<'a> {
    subject: &'a Subject<'a>,
    golden: &'a Golden,
    settings: String,
}

/// What `observe` said of each window.
type Scores = Vec<Result<Vec<Score>, Stop>>;

impl Player<'_> {
    /// Scores of all windows; an error if `fit` stopped.
    fn scores(
        &self,
        report: &mut CaseReport,
        reference: &Batch,
        windows: &[Batch],
        restore: bool,
    ) -> Result<Scores, Stop> {
        let limits = self.golden.limits();
        let started = self.subject.detector(&self.settings, &limits);
        report.cost.start(&started.spent);
        report.lines.extend(started.spent.lines);
        let mut session = started.outcome?;
        let fitted = session.fit(reference);
        report.cost.start(&fitted.spent);
        report.lines.extend(fitted.spent.lines);
        fitted.outcome?;
        let mut scores = Vec::new();
        for window in windows {
            if restore {
                session = match self.moved(&mut session) {
                    Ok(session) => session,
                    Err(stopped) => {
                        scores.push(Err(stopped));
                        break;
                    }
                };
            }
            let observed = session.observe(window);
            report.cost.call(&observed.spent);
            report.lines.extend(observed.spent.lines);
            let broken = matches!(observed.outcome, Err(Stop::Broken(_)));
            scores.push(observed.outcome);
            if broken {
                break;
            }
        }
        Ok(scores)
    }

    /// The detector in another instance, by its snapshot.
    fn moved(&self, session: &mut DetectorSession) -> Result<DetectorSession, Stop> {
        let state = session.snapshot().outcome?;
        self.subject
            .restored(&self.settings, &self.golden.limits(), &state)
            .outcome
    }
}

fn from_scores(got: &Result<Vec<Score>, Stop>) -> Value {
    match got {
        Err(stopped) => from_stop(stopped),
        Ok(scores) => {
            let score = |score: &Score| {
                let mut given = json!({
                    "feature": score.feature,
                    "statistic": from_number(score.statistic),
                    "drifted": score.drifted,
                });
                if let Some(p) = score.p_value {
                    given["p_value"] = from_number(p);
                }
                given
            };
            json!({ "scores": scores.iter().map(score).collect::<Vec<_>>() })
        }
    }
}

fn compare(
    report: &mut CaseReport,
    at: usize,
    expected: Option<&Value>,
    got: &Result<Vec<Score>, Stop>,
    tolerance: f64,
) {
    report.observed.windows.push(from_scores(got));
    let none = Value::Null;
    let expected = expected.unwrap_or(&none);
    let place = format!("window {at}");
    let got = match got {
        Ok(got) => got,
        Err(stopped) => return stop(report, &place, expected, stopped),
    };
    let Some(wanted) = expected.get("scores").and_then(Value::as_array) else {
        return report.differs(place, summary(expected), format!("{} scores", got.len()));
    };
    if wanted.len() != got.len() {
        return report.differs(
            place,
            format!("{} scores", wanted.len()),
            format!("{} scores", got.len()),
        );
    }
    for (wanted, got) in wanted.iter().zip(got) {
        score(report, &place, wanted, got, tolerance);
    }
}

fn score(report: &mut CaseReport, place: &str, wanted: &Value, got: &Score, tolerance: f64) {
    let place = format!("{place}, score of {:?}", got.feature);
    for (key, wanted) in wanted.as_object().into_iter().flatten() {
        let float = |report: &mut CaseReport, got: Option<f64>| {
            let wanted = if wanted.is_null() {
                None
            } else {
                number(wanted)
            };
            let alike = match (wanted, got) {
                (Some(wanted), Some(got)) => same(wanted, got, tolerance),
                (None, None) => true,
                _ => false,
            };
            if !alike {
                let text = |x: Option<f64>| x.map_or_else(|| "none".to_owned(), shown);
                report.differs(format!("{place}, {key}"), text(wanted), text(got));
            }
        };
        match key.as_str() {
            "statistic" => float(report, Some(got.statistic)),
            "p_value" => float(report, got.p_value),
            "drifted" if *wanted != got.drifted => report.differs(
                format!("{place}, drifted"),
                wanted.to_string(),
                got.drifted.to_string(),
            ),
            "feature" if *wanted != got.feature => report.differs(
                format!("{place}, feature"),
                wanted.to_string(),
                format!("{:?}", got.feature),
            ),
            "drifted" | "feature" => {}
            _ => report.differs(
                format!("{place}, {key}"),
                wanted.to_string(),
                "no such key: a score has feature, statistic, p_value, drifted",
            ),
        }
    }
}

/// Both ways of playing must agree, bit for bit.
fn continuity(report: &mut CaseReport, straight: &Scores, restored: Result<Scores, Stop>) {
    let restored = match restored {
        Ok(restored) => restored,
        Err(stopped) => {
            return report.differs("played again", "the same as before", stopped.to_string());
        }
    };
    for (at, straight) in straight.iter().enumerate() {
        let place = format!("window {at}, after snapshot and restore");
        match (straight, restored.get(at)) {
            (Ok(a), Some(Ok(b))) if a == b => {}
            (Err(a), Some(Err(b))) if a == b => {}
            (_, Some(Err(stopped))) => {
                return report.differs(place, "the same scores", stopped.to_string());
            }
            (_, Some(Ok(b))) => {
                let got = from_scores(&Ok(b.clone())).to_string();
                return report.differs(place, from_scores(straight).to_string(), got);
            }
            (_, None) => return report.differs(place, "the same scores", "none"),
        }
    }
}
