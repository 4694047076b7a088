//! An action on trial: its requests are answered by whoever tries it.

use super::{Session, Subject, Tried, World};
use crate::{
    bindings::action::{
        Action, exports::tollgate::plugin::rollback as wit, tollgate::plugin::outbound,
    },
    sandbox::clean,
};
use domain::plugin::{PluginKind, PluginLimits};
use std::fmt;

/// Largest body of a request, in bytes.
const MAX_BODY: usize = 1 << 20;
/// Most headers of a request.
const MAX_HEADERS: usize = 32;
/// Bytes kept of what an action says it did.
const MAX_WORDS: usize = 1024;

/// Method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        })
    }
}

/// A request as the guest made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Name of the grant.
    pub target: String,
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// What the guest is told came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// Why the guest is told that nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such target, method or path.
    NotGranted,
    /// The request breaks a rule.
    Malformed,
    /// No connection.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// Too many bytes.
    TooLarge,
    /// Too many requests.
    Exhausted,
}

impl Refusal {
    /// The refusal of that name, as in `timed-out`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "not-granted" => Self::NotGranted,
            "malformed" => Self::Malformed,
            "unreachable" => Self::Unreachable,
            "timed-out" => Self::TimedOut,
            "too-large" => Self::TooLarge,
            "exhausted" => Self::Exhausted,
            _ => return None,
        })
    }
}

/// Answers an action's requests.
pub trait Exchanges: Send {
    /// Answers one request that keeps the rules of the interface.
    fn answer(&mut self, request: Request) -> Result<Response, Refusal>;
}

/// A rollback, as an action is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique id.
    pub id: String,
    /// Endpoint concerned.
    pub endpoint: String,
    /// The version that was taken out.
    pub from: String,
    /// The version that serves again.
    pub to: String,
    /// `health`, `quality`, `drift` or `manual`; anything else is `manual`.
    pub cause: String,
    /// The signal in words.
    pub reason: String,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done, in words.
    Done(String),
    /// Nothing to do, in words.
    Skipped(String),
}

/// A configured instance.
#[derive(Debug)]
pub struct ActionSession {
    session: Session<Action>,
}

impl Subject<'_> {
    /// A new instance of an action, configured, whose requests `exchanges`
    /// answers. `settings` is canonical JSON.
    pub fn action(
        &self,
        settings: &str,
        limits: &PluginLimits,
        exchanges: Box<dyn Exchanges>,
    ) -> Tried<ActionSession> {
        let World::Action(pre) = &self.world else {
            return Tried::stopped(self.not(PluginKind::Action));
        };
        let started = Session::start(self, limits, Some(exchanges), |store| {
            let guest = pre.instantiate(&mut *store)?;
            let configured = guest
                .tollgate_plugin_rollback()
                .call_configure(store, settings)?;
            Ok(configured.map(|()| guest))
        });
        started.and_then(|session| Ok(ActionSession { session }))
    }
}

impl ActionSession {
    /// Acts on one event.
    pub fn run(&mut self, event: &Event) -> Tried<Outcome> {
        let event = wit::Event {
            id: event.id.clone(),
            endpoint: event.endpoint.clone(),
            from: event.from.clone(),
            to: event.to.clone(),
            cause: match event.cause.as_str() {
                "health" => wit::Cause::Health,
                "quality" => wit::Cause::Quality,
                "drift" => wit::Cause::Drift,
                _ => wit::Cause::Manual,
            },
            reason: event.reason.clone(),
            at: event.at,
            attempt: event.attempt,
        };
        let tried = self
            .session
            .call(|guest, store| guest.tollgate_plugin_rollback().call_run(store, &event));
        tried.and_then(|outcome| {
            Ok(match outcome {
                wit::Outcome::Done(text) => Outcome::Done(clean(&text, MAX_WORDS)),
                wit::Outcome::Skipped(text) => Outcome::Skipped(clean(&text, MAX_WORDS)),
            })
        })
    }
}

/// One request of a guest: refused if it breaks the interface's rules, else
/// answered.
pub(super) fn exchange(
    exchanges: &mut dyn Exchanges,
    request: outbound::Request,
) -> Result<outbound::Response, outbound::Refusal> {
    if request.body.len() > MAX_BODY {
        return Err(outbound::Refusal::TooLarge);
    }
    if request.headers.len() > MAX_HEADERS || !request.path.starts_with('/') {
        return Err(outbound::Refusal::Malformed);
    }
    let pair = |header: outbound::Header| (header.name, header.value);
    let request = Request {
        target: request.target,
        method: match request.method {
            outbound::Method::Get => Method::Get,
            outbound::Method::Post => Method::Post,
            outbound::Method::Put => Method::Put,
            outbound::Method::Patch => Method::Patch,
            outbound::Method::Delete => Method::Delete,
        },
        path: request.path,
        headers: request.headers.into_iter().map(pair).collect(),
        body: request.body,
    };
    match exchanges.answer(request) {
        Ok(response) => Ok(outbound::Response {
            status: response.status,
            headers: response
                .headers
                .into_iter()
                .map(|(name, value)| outbound::Header { name, value })
                .collect(),
            body: response.body,
        }),
        Err(refusal) => Err(match refusal {
            Refusal::NotGranted => outbound::Refusal::NotGranted,
            Refusal::Malformed => outbound::Refusal::Malformed,
            Refusal::Unreachable => outbound::Refusal::Unreachable,
            Refusal::TimedOut => outbound::Refusal::TimedOut,
            Refusal::TooLarge => outbound::Refusal::TooLarge,
            Refusal::Exhausted => outbound::Refusal::Exhausted,
        }),
    }
}
