//! An action that raises an alert in a Prometheus Alertmanager, by
//! `POST /api/v2/alerts`.
//!
//! An alert is known by its labels and its start, which are the same at every
//! try, so a second try changes nothing. The settings are described beside
//! [`Settings`].

#![forbid(unsafe_code)]

use acting::{
    peer::{self, Send},
    settings::{self, refused},
    time::rfc3339,
    words,
};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use tollgate_plugin::{Action, Event, Failure, Outcome, outbound};

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_action!(Alertmanager);

/// Labels and annotations that come from the event.
const LABELS: [&str; 4] = ["endpoint", "from", "to", "cause"];
const ANNOTATIONS: [&str; 3] = ["summary", "description", "event"];
/// Most labels or annotations of an operator's own.
const MAX_OWN: usize = 32;

/// The settings of the action.
///
/// ```json
/// { "target": "alertmanager", "labels": { "severity": "page", "team": "churn" },
///   "annotations": { "runbook_url": "https://wiki.example/rollback" } }
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the grant.
    pub target: String,
    /// Path below the grant's prefix.
    #[serde(default = "alerts")]
    pub path: String,
    /// The label `alertname`.
    #[serde(default = "alert_name")]
    pub alertname: String,
    /// More labels; `severity` is `warning` unless it stands here.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// More annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// How long the alert stands, in minutes.
    #[serde(default = "hour")]
    pub minutes: u32,
}

fn alerts() -> String {
    "/api/v2/alerts".into()
}

fn alert_name() -> String {
    "TollgateRollback".into()
}

fn hour() -> u32 {
    60
}

/// The configured action.
pub struct Alertmanager {
    settings: Settings,
}

impl Action for Alertmanager {
    fn configure(text: &str) -> Result<Self, Failure> {
        let settings: Settings = settings::read(text)?;
        settings::target(&settings.target)?;
        settings::path(&settings.path)?;
        if settings.alertname.is_empty() {
            return Err(refused("alertname is empty"));
        }
        if !(1..=10_080).contains(&settings.minutes) {
            return Err(refused(format!(
                "minutes is {}, allowed are 1 to 10080 (a week)",
                settings.minutes
            )));
        }
        own("label", &settings.labels, &LABELS)?;
        own("annotation", &settings.annotations, &ANNOTATIONS)?;
        if settings.labels.contains_key("alertname") {
            return Err(refused(
                "label \"alertname\": write it as alertname instead",
            ));
        }
        Ok(Self { settings })
    }

    fn run(&self, event: Event) -> Result<Outcome, Failure> {
        self.send(&event, &mut |request| outbound::send(&request))
    }
}

/// Refuses names of the operator's own that Alertmanager would not take, or that
/// the event has.
fn own(what: &str, given: &BTreeMap<String, String>, taken: &[&str]) -> Result<(), Failure> {
    if given.len() > MAX_OWN {
        return Err(refused(format!("{what}s: at most {MAX_OWN} are allowed")));
    }
    for (name, value) in given {
        let complain = |why: &str| Err(refused(format!("{what} {name:?}: {why}")));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || !name.bytes().all(plain) || name.as_bytes()[0].is_ascii_digit() {
            return complain("names are of letters, digits and _, and begin with no digit");
        }
        if taken.contains(&name.as_str()) {
            return complain("it comes from the event");
        }
        // An empty label is none to Alertmanager.
        if value.is_empty() || value.len() > 4096 {
            return complain("its value must have 1 to 4,096 bytes");
        }
    }
    Ok(())
}

impl Alertmanager {
    /// Acts on one event, sending through `send`.
    pub fn send(&self, event: &Event, send: Send<'_>) -> Result<Outcome, Failure> {
        let settings = &self.settings;
        let mut labels = settings.labels.clone();
        labels
            .entry("severity".into())
            .or_insert_with(|| "warning".into());
        labels.extend([
            ("alertname".to_owned(), settings.alertname.clone()),
            ("endpoint".to_owned(), event.endpoint.clone()),
            ("from".to_owned(), event.from.clone()),
            ("to".to_owned(), event.to.clone()),
            ("cause".to_owned(), words::cause(event.cause).to_owned()),
        ]);
        let mut annotations = settings.annotations.clone();
        annotations.extend([
            ("summary".to_owned(), words::summary(event)),
            ("description".to_owned(), words::line(&event.reason, 1000)),
            ("event".to_owned(), event.id.clone()),
        ]);
        let ends = event
            .at
            .saturating_add(i64::from(settings.minutes) * 60_000);
        let body = json!([{
            "labels": labels,
            "annotations": annotations,
            "startsAt": rfc3339(event.at),
            // Without an end it would stand for the few minutes after which
            // Alertmanager takes a silent source's alerts back.
            "endsAt": rfc3339(ends),
        }]);
        let method = outbound::Method::Post;
        let request = peer::json(&settings.target, method, &settings.path, &body);
        let response = peer::send(request, send)?;
        if peer::took(&response) {
            let done = format!(
                "raised {}, answered {}",
                settings.alertname, response.status
            );
            return Ok(Outcome::Done(done));
        }
        Err(peer::failed(&response))
    }
}
