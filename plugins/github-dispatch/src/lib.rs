//! An action that starts GitHub workflows: a `repository_dispatch` event, by
//! `POST /repos/{owner}/{repo}/dispatches`.
//!
//! GitHub has no idempotency key: a try whose answer was lost may start a
//! workflow twice, with the same `id` in its payload. The settings are described
//! beside [`Settings`].

#![forbid(unsafe_code)]

use acting::{
    payload::{self, Part},
    peer::{self, Send},
    settings::{self, refused},
};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use tollgate_plugin::{
    Action, Event, Failure, Outcome,
    outbound::{self, Response},
};

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_action!(GithubDispatch);

/// Most members of `client_payload`, by GitHub's rule.
const MAX_MEMBERS: usize = 10;

/// The settings of the action.
///
/// ```json
/// { "target": "github", "owner": "acme", "repo": "churn", "event_type": "retrain" }
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the grant.
    pub target: String,
    /// Owner of the repository.
    pub owner: String,
    /// The repository.
    pub repo: String,
    /// What workflows listen for (`on: repository_dispatch: types:`).
    #[serde(default = "rollback")]
    pub event_type: String,
    /// `client_payload`; the whole event unless told otherwise.
    #[serde(default = "payload::whole")]
    pub payload: BTreeMap<String, Part>,
    /// Where the API begins: nothing for github.com, `/api/v3` for GitHub
    /// Enterprise Server.
    #[serde(default)]
    pub base: String,
}

fn rollback() -> String {
    "tollgate-rollback".into()
}

/// The configured action.
pub struct GithubDispatch {
    settings: Settings,
    path: String,
}

impl Action for GithubDispatch {
    fn configure(text: &str) -> Result<Self, Failure> {
        let settings: Settings = settings::read(text)?;
        settings::target(&settings.target)?;
        for (name, value) in [("owner", &settings.owner), ("repo", &settings.repo)] {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            let fits = (1..=100).contains(&value.len()) && value.bytes().all(plain);
            if !fits || value.bytes().all(|b| b == b'.') {
                return Err(refused(format!("{name} {value:?} is no name of GitHub's")));
            }
        }
        let length = settings.event_type.chars().count();
        if !(1..=100).contains(&length) {
            return Err(refused(format!(
                "event_type has {length} characters, allowed are 1 to 100"
            )));
        }
        payload::check(&settings.payload)?;
        if settings.payload.len() > MAX_MEMBERS {
            return Err(refused(format!(
                "payload has {} members, GitHub allows {MAX_MEMBERS}; put some into an object",
                settings.payload.len()
            )));
        }
        if !settings.base.is_empty() {
            settings::path(&settings.base)?;
            if settings.base.ends_with('/') || settings.base.contains('?') {
                return Err(refused("base must be a path without / at its end"));
            }
        }
        let Settings {
            base, owner, repo, ..
        } = &settings;
        Ok(Self {
            path: format!("{base}/repos/{owner}/{repo}/dispatches"),
            settings,
        })
    }

    fn run(&self, event: Event) -> Result<Outcome, Failure> {
        self.send(&event, &mut |request| outbound::send(&request))
    }
}

impl GithubDispatch {
    /// Acts on one event, sending through `send`.
    pub fn send(&self, event: &Event, send: Send<'_>) -> Result<Outcome, Failure> {
        let settings = &self.settings;
        let body = json!({
            "event_type": settings.event_type,
            "client_payload": payload::object(&settings.payload, event),
        });
        let method = outbound::Method::Post;
        let mut request = peer::json(&settings.target, method, &self.path, &body);
        request.headers.extend([
            peer::header("accept", "application/vnd.github+json"),
            peer::header("x-github-api-version", "2022-11-28"),
            // GitHub refuses requests without one.
            peer::header("user-agent", "tollgate"),
        ]);
        let response = peer::send(request, send)?;
        if peer::took(&response) {
            let Settings {
                owner,
                repo,
                event_type,
                ..
            } = settings;
            return Ok(Outcome::Done(format!(
                "sent {event_type} to {owner}/{repo}"
            )));
        }
        let failure = peer::failed(&response);
        Err(if is_limit(&response) {
            failure.retry_later()
        } else {
            failure
        })
    }
}

/// GitHub's rate limits come as 403, too, and then say when they end.
fn is_limit(response: &Response) -> bool {
    response.status == 403
        && (peer::value(response, "retry-after").is_some()
            || peer::value(response, "x-ratelimit-remaining") == Some("0"))
}
