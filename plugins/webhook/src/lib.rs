//! An action that sends the rollback as JSON to an address that the operator
//! granted.
//!
//! The grant signs (`sign`), since no secret reaches a plugin; the body is the
//! same at every try of one event. The settings are described beside [`Settings`].

#![forbid(unsafe_code)]

use acting::{
    payload::{self, Part},
    peer::{self, Send},
    settings::{self, refused},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use tollgate_plugin::{Action, Event, Failure, Outcome, outbound};

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_action!(Webhook);

/// The settings of the action.
///
/// ```json
/// { "target": "hook", "path": "/rollbacks", "headers": { "x-team": "churn" },
///   "payload": { "what": { "field": "summary" }, "source": { "value": "tollgate" } } }
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the grant.
    pub target: String,
    /// Method.
    #[serde(default)]
    pub method: Method,
    /// Path and query below the grant's prefix.
    #[serde(default = "root")]
    pub path: String,
    /// More headers, none of them secret. A `content-type` replaces
    /// `application/json`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, an object; the whole event unless told otherwise.
    #[serde(default = "payload::whole")]
    pub payload: BTreeMap<String, Part>,
    /// Statuses by which the peer says that it has this event already.
    #[serde(default = "conflict")]
    pub duplicate: Vec<u16>,
}

fn root() -> String {
    "/".into()
}

fn conflict() -> Vec<u16> {
    vec![409]
}

/// Method of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Method {
    #[default]
    Post,
    Put,
    Patch,
}

/// The configured action.
pub struct Webhook {
    settings: Settings,
}

impl Action for Webhook {
    fn configure(text: &str) -> Result<Self, Failure> {
        let settings: Settings = settings::read(text)?;
        settings::target(&settings.target)?;
        settings::path(&settings.path)?;
        // One of the 32 that a request may have is the content type.
        if settings.headers.len() > 31 {
            return Err(refused("headers: at most 31 are allowed"));
        }
        for (name, value) in &settings.headers {
            settings::header(name, value)?;
        }
        payload::check(&settings.payload)?;
        if let Some(status) = settings.duplicate.iter().find(|s| !(400..500).contains(*s)) {
            let why = format!("duplicate: {status} is no status of the 400s");
            return Err(refused(why));
        }
        Ok(Self { settings })
    }

    fn run(&self, event: Event) -> Result<Outcome, Failure> {
        self.send(&event, &mut |request| outbound::send(&request))
    }
}

impl Webhook {
    /// Acts on one event, sending through `send`.
    pub fn send(&self, event: &Event, send: Send<'_>) -> Result<Outcome, Failure> {
        let settings = &self.settings;
        let method = match settings.method {
            Method::Post => outbound::Method::Post,
            Method::Put => outbound::Method::Put,
            Method::Patch => outbound::Method::Patch,
        };
        let body = payload::object(&settings.payload, event);
        let mut request = peer::json(&settings.target, method, &settings.path, &body);
        if settings.headers.contains_key("content-type") {
            request.headers.clear();
        }
        let headers = settings.headers.iter();
        request
            .headers
            .extend(headers.map(|(name, value)| peer::header(name, value)));
        let response = peer::send(request, send)?;
        if peer::took(&response) {
            return Ok(Outcome::Done(format!("answered {}", response.status)));
        }
        if settings.duplicate.contains(&response.status) {
            let why = format!("answered {}: it has this event already", response.status);
            return Ok(Outcome::Skipped(why));
        }
        Err(peer::failed(&response))
    }
}
