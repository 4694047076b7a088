//! Plays a golden file.

use super::{Golden, action, detector, report::Report, transform};
use domain::{plugin::PluginKind, ports::engine::AdmitError};
use plugins::trial::{Subject, Trial};

/// A component that golden cases cannot be played on.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// A gateway would not take it.
    #[error(transparent)]
    Admit(#[from] AdmitError),
    /// The file is for another kind.
    #[error("the golden file is for a {wanted}, the component is a {given}")]
    Kind {
        /// The file's.
        wanted: PluginKind,
        /// The component's.
        given: PluginKind,
    },
}

/// Plays every case, each in an instance of its own.
///
/// # Errors
/// When the component is not admitted, or the file is for another kind.
pub fn play(trial: &Trial, component: &[u8], golden: &Golden) -> Result<Report, PlayError> {
    let subject = trial.open(component)?;
    if subject.kind != golden.kind {
        return Err(PlayError::Kind {
            wanted: golden.kind,
            given: subject.kind,
        });
    }
    let limits = golden.limits();
    for case in &golden.cases {
        subject.check_limits(&golden.settings_of(case), &limits)?;
    }
    Ok(cases(&subject, golden))
}

fn cases(subject: &Subject<'_>, golden: &Golden) -> Report {
    let played = golden.cases.iter().map(|case| {
        let mut report = match golden.kind {
            PluginKind::Transform => transform::play(subject, golden, case),
            PluginKind::Detector => detector::play(subject, golden, case),
            PluginKind::Action => action::play(subject, golden, case),
        };
        report.name.clone_from(&case.name);
        if let Some(most) = case.max_fuel.or(golden.max_fuel)
            && report.cost.fuel > most
        {
            let got = report.cost.fuel.to_string();
            report.differs("fuel", format!("at most {most}"), got);
        }
        report
    });
    Report {
        cases: played.collect(),
    }
}
