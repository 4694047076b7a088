//! Measures how many promotions a database takes in a second, one after the
//! other and from eight tasks at once:
//! `cargo run --release -p store --example promotions -- sqlite:///tmp/p.db 500`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people; samples are of the tests"
)]
#![allow(dead_code, reason = "samples are shared with the tests")]

#[path = "../tests/conformance/samples.rs"]
mod samples;

use domain::{
    decision::Outcome,
    error::PortError,
    ports::store::{Endpoints as _, Models as _},
    route::Route,
};
use samples::{commit, endpoint, entry, model, version};
use std::time::Instant;
use store::SqlStore;

#[tokio::main]
async fn main() -> Result<(), PortError> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_default();
    let count: u32 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(500);
    let store = SqlStore::open(&url).await?;
    store.insert_model(&model("churn"), entry("x", "x")).await?;
    store
        .insert_version(&version("churn", None), entry("x", "x"))
        .await?;

    store
        .insert_endpoint(&endpoint("one"), entry("x", "x"))
        .await?;
    let start = Instant::now();
    let mut route = Route::default();
    for number in 0..count {
        let next = commit(number, "one", Outcome::Allow, &route);
        store.commit_promotion(next.clone()).await?;
        route = next.route.unwrap_or_default();
    }
    report("one after the other", count, start);

    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 1..=8 {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 0..count / 8 {
                let denied = commit(
                    task * 1_000_000 + number,
                    "one",
                    Outcome::Deny,
                    &Route::default(),
                );
                store.commit_promotion(denied).await?;
            }
            Ok::<_, PortError>(())
        });
    }
    tasks
        .join_all()
        .await
        .into_iter()
        .collect::<Result<(), _>>()?;
    report("eight tasks, refused ones", count / 8 * 8, start);

    let start = Instant::now();
    let checked = store.check().await?;
    println!(
        "check of {} ledger entries: {:.0} ms, {} problems",
        checked.ledger_entries,
        start.elapsed().as_secs_f64() * 1e3,
        checked.problems.len()
    );
    Ok(())
}

fn report(what: &str, count: u32, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what}: {:.0} promotions/s, {:.2} ms each",
        f64::from(count) / seconds,
        seconds * 1e3 / f64::from(count)
    );
}
