//! Moments to kill the gateway at, found by looking rather than by waiting, and
//! changes that are asked for again after it.

use crate::world::World;
use reqwest::Method;
use serde_json::Value;
use std::{
    thread::{JoinHandle, sleep},
    time::Duration,
};
use xtask::admin::{Client, Reply};

/// How far a change has come when the gateway is killed, as far as one can see
/// from outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Moment {
    /// Its request is on its way.
    Sent,
    /// The gateway works on it.
    Begun,
    /// Others can read what it wrote; its caller may not have the answer yet.
    Written,
}

pub(crate) const MOMENTS: [Moment; 3] = [Moment::Sent, Moment::Begun, Moment::Written];

impl Moment {
    /// Waits for it, in a change made by `caller`, and kills the gateway then.
    /// What the caller was told; nothing if it was cut off.
    pub(crate) fn kill(
        self,
        world: &mut World,
        caller: JoinHandle<Option<Reply>>,
        written: impl Fn(&World) -> bool,
    ) -> Option<Reply> {
        match self {
            Self::Sent => {}
            Self::Begun => wait_until(|| caller.is_finished() || in_flight(world) > 1),
            Self::Written => wait_until(|| written(world)),
        }
        world.gateway.kill().unwrap();
        caller.join().unwrap()
    }
}

/// Requests that the gateway answers now, this one included.
fn in_flight(world: &World) -> u64 {
    let reply = world.admin.send(Method::GET, "/metrics", None).unwrap();
    let text = String::from_utf8(reply.body).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("tollgate_requests_in_flight "));
    line.unwrap().trim().parse().unwrap()
}

/// Sends a change under an idempotency key, from a thread of its own.
pub(crate) fn send(
    admin: &Client,
    path: &str,
    key: &str,
    body: &Value,
) -> JoinHandle<Option<Reply>> {
    let (admin, path) = (admin.clone(), format!("/admin/v1{path}"));
    let (key, body) = (key.to_owned(), body.to_string().into_bytes());
    std::thread::spawn(move || {
        let headers = [("idempotency-key", key.as_str())];
        let body = Some((body, "application/json"));
        admin.send_with(Method::POST, &path, body, &headers).ok()
    })
}

/// Sends the change again after the restart. It is done now, and only once: the
/// same answer as before if it was done then.
pub(crate) fn again(
    world: &World,
    first: Option<&Reply>,
    done: bool,
    path: &str,
    key: &str,
    body: &Value,
) -> Value {
    let second = send(&world.admin, path, key, body).join().unwrap().unwrap();
    assert_eq!(second.status, 201, "{:?}", second.json());
    let replayed = second.header("idempotency-replayed").is_some();
    assert_eq!(replayed, done, "{key}: kept with the change, or not at all");
    if let Some(first) = first {
        assert_eq!(first.status, 201, "{:?}", first.json());
        assert_eq!(first.body, second.body, "an acknowledged answer is lost");
    }
    second.json().unwrap()
}

/// Looks until it holds; a minute at most.
pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(5));
    }
    panic!("it did not happen within a minute");
}
