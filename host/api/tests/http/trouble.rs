//! An endpoint whose version no longer loads: what callers hear, and how often
//! it is tried. The clock moves by hand.

use crate::{
    client::{get, post, send, server},
    parts::{Fixture, endpoint, variant},
};
use domain::{model::VersionRef, name::VersionNumber, route::Access, route::FULL_WEIGHT};
use reqwest::Method;
use std::sync::atomic::Ordering::Relaxed;

const ROW: &str =
    r#"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}"#;
const PATH: &str = "/v2/models/damaged/infer";

/// A server with the endpoint `damaged`, before anything was tried.
async fn damaged() -> Fixture {
    let fixture = server().await;
    let mut variant = variant("m", 1, FULL_WEIGHT);
    variant.version = VersionRef {
        model: "damaged".parse().unwrap(),
        version: VersionNumber(1),
    };
    let record = endpoint("damaged", vec![variant], Access::Open);
    fixture.memory.endpoints.lock().unwrap().push(record);
    fixture
}

/// Lets time pass and looks at the database; whether the version was tried.
async fn tried_after(fixture: &Fixture, milliseconds: i64) -> bool {
    fixture.clock.0.fetch_add(milliseconds, Relaxed);
    let before = fixture.damaged.tries.load(Relaxed);
    let failures = fixture.state.serving.sync().await.unwrap();
    let tries = fixture.damaged.tries.load(Relaxed) - before;
    assert_eq!(
        failures.len() as u64,
        tries,
        "a failure is told when it happens"
    );
    tries == 1
}

#[tokio::test]
async fn it_is_tried_less_and_less_often_until_it_loads() {
    let fixture = damaged().await;
    assert!(tried_after(&fixture, 0).await);
    for pause in [
        5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000,
    ] {
        assert!(!tried_after(&fixture, pause - 1).await, "{pause}");
        assert!(tried_after(&fixture, 1).await, "{pause}");
    }
    fixture.damaged.restored.store(true, Relaxed);
    fixture.clock.0.fetch_add(300_000, Relaxed);
    assert!(fixture.state.serving.sync().await.unwrap().is_empty());
    let ready = get(&fixture, "/v2/models/damaged/ready", &[]).await;
    assert_eq!(ready.0, 200, "{ready:?}");
}

#[tokio::test]
async fn another_record_is_tried_at_once() {
    let fixture = damaged().await;
    assert!(tried_after(&fixture, 0).await);
    assert!(!tried_after(&fixture, 1).await);
    for record in fixture.memory.endpoints.lock().unwrap().iter_mut() {
        record.settings.timeout_ms += 1;
    }
    assert!(tried_after(&fixture, 1).await);
    assert!(!tried_after(&fixture, 4_999).await);
}

#[tokio::test]
async fn its_callers_hear_why_and_when_to_come_back() {
    let fixture = damaged().await;
    assert!(tried_after(&fixture, 0).await);
    assert!(tried_after(&fixture, 5_000).await);
    let response = send(&fixture, Method::POST, PATH, &[], ROW).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "10");
    let text = response.text().await.unwrap();
    assert!(
        text.contains("its file or transform is missing, changed"),
        "{text}"
    );
    assert!(
        !text.contains("promote one") && !text.contains("sha256"),
        "{text}"
    );
    let ready = get(&fixture, "/v2/models/damaged/ready", &[]).await;
    assert_eq!(ready.0, 503, "{ready:?}");
    let (_, index) = post(&fixture, "/v2/repository/index", &[], "").await;
    let index = index.as_array().unwrap();
    let entry = index
        .iter()
        .find(|entry| entry["name"] == "damaged")
        .unwrap();
    assert!(
        entry["reason"].as_str().unwrap().contains("promoted"),
        "{entry}"
    );
    assert_eq!(entry["state"], "UNAVAILABLE");
}
