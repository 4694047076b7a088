//! Restarts, failures in the middle, newer schemas, servers that go away.

use crate::{World, postgres::Postgres, refused, samples::*};
use domain::{
    decision::Outcome,
    error::ErrorKind,
    ports::store::{Endpoints as _, Models as _, Page, Records as _},
};
use sqlx::{AnyConnection, Connection as _};
use std::{os::unix::fs::PermissionsExt as _, path::Path, task::Poll};
use store::SqlStore;

/// A connection of somebody who is not a gateway.
pub(crate) async fn intruder(url: &str) -> AnyConnection {
    AnyConnection::connect(&url.replace(' ', "%20").replace("100%", "100%25"))
        .await
        .unwrap()
}

pub(crate) async fn a_restart_keeps_everything(world: &World) {
    let before = world.store.ledger(1, 10_000).await.unwrap();
    let again = SqlStore::open(&world.url).await.unwrap();
    assert_eq!(again.ledger(1, 10_000).await.unwrap(), before);
    assert_eq!(
        again.endpoints().await.unwrap(),
        world.store.endpoints().await.unwrap()
    );
    again.close().await;
    let closed = again.model(&"churn".parse().unwrap()).await;
    assert_eq!(refused(closed).0, ErrorKind::Unavailable);
}

/// The last statement of a promotion fails; what came before it is undone.
pub(crate) async fn one_statement_fails_and_nothing_is_written(world: &World) {
    let store = &world.store;
    let before = store.ledger(1, 10_000).await.unwrap();
    let name = "a".parse().unwrap();
    let route = store.endpoint(&name).await.unwrap().unwrap().route;
    let mut connection = intruder(&world.url).await;
    let (block, unblock) = if world.url.starts_with("sqlite") {
        (
            "CREATE TRIGGER trouble BEFORE UPDATE ON endpoints
             BEGIN SELECT RAISE(ABORT, 'trouble'); END",
            "DROP TRIGGER trouble",
        )
    } else {
        (
            "CREATE TRIGGER trouble BEFORE UPDATE ON endpoints
             FOR EACH ROW EXECUTE FUNCTION refuse_change()",
            "DROP TRIGGER trouble ON endpoints",
        )
    };
    sqlx::raw_sql(block).execute(&mut connection).await.unwrap();
    let attempt = commit(50, "a", Outcome::Allow, &route);
    let (kind, _) = refused(store.commit_promotion(attempt.clone()).await);
    assert_eq!(kind, ErrorKind::Internal);
    sqlx::raw_sql(unblock)
        .execute(&mut connection)
        .await
        .unwrap();

    assert_eq!(store.ledger(1, 10_000).await.unwrap(), before);
    assert_eq!(store.promotion(&attempt.promotion.id).await.unwrap(), None);
    assert_eq!(store.decision(&attempt.decision.id).await.unwrap(), None);
    connection.close().await.unwrap();
}

/// A caller gives up after the first, second, third… step of a promotion. What
/// it leaves is all or nothing, and it blocks nobody.
pub(crate) async fn a_caller_gives_up_at_any_step(world: &World) {
    let store = &world.store;
    let name = "a".parse().unwrap();
    for steps in 0.. {
        assert!(steps < 200, "the promotion never ends");
        let route = store.endpoint(&name).await.unwrap().unwrap().route;
        let attempt = commit(500 + steps, "a", Outcome::Allow, &route);
        let finished = abandoned_after(steps, store.commit_promotion(attempt.clone())).await;
        // A commit under way is decided before the next change gets its turn.
        let changed = entry("endpoint.changed", "a");
        let other = &world.other;
        assert!(
            other
                .update_settings(&name, &settings(1), NOW, changed)
                .await
                .unwrap()
                .is_some()
        );
        let promotion = store.promotion(&attempt.promotion.id).await.unwrap();
        let decision = store.decision(&attempt.decision.id).await.unwrap();
        let after = store.endpoint(&name).await.unwrap().unwrap().route;
        assert_eq!(promotion.is_some(), decision.is_some());
        assert_eq!(
            promotion.is_some(),
            after.generation == route.generation + 1
        );
        if let Some(result) = finished {
            result.unwrap();
            assert!(promotion.is_some());
            break;
        }
    }
    let report = store.check().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
}

/// Drops the work when it waits for the `steps + 1`st time; nothing then.
async fn abandoned_after<T>(steps: u32, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut left) = (Box::pin(work), steps);
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

pub(crate) async fn a_newer_schema_is_refused(world: &World) {
    let mut connection = intruder(&world.url).await;
    sqlx::raw_sql(
        "INSERT INTO schema_migrations (version, name, digest) VALUES (2, 'future', 'x')",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let (kind, message) = refused(SqlStore::open(&world.url).await);
    assert_eq!(kind, ErrorKind::Conflict);
    assert!(message.contains("schema version 2"), "{message}");
    sqlx::raw_sql(
        "DELETE FROM schema_migrations WHERE version = 2;
         UPDATE schema_migrations SET digest = 'another' WHERE version = 1",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let (kind, message) = refused(SqlStore::open(&world.url).await);
    assert_eq!(kind, ErrorKind::Internal);
    assert!(message.contains("migration 1"), "{message}");
    connection.close().await.unwrap();
}

pub(crate) fn a_sqlite_file_is_private(path: &Path) {
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

pub(crate) async fn a_lost_server_is_unavailable(server: &Postgres) {
    let url = server.database("lost");
    let store = SqlStore::open(&url).await.unwrap();
    store
        .insert_model(&model("m"), entry("model.registered", "m"))
        .await
        .unwrap();
    server.stop();
    let page = Page {
        after: None,
        limit: 1,
    };
    assert_eq!(refused(store.models(&page).await).0, ErrorKind::Unavailable);
    let write = store
        .insert_model(&model("n"), entry("model.registered", "n"))
        .await;
    assert_eq!(refused(write).0, ErrorKind::Unavailable);
    assert_eq!(
        refused(SqlStore::open(&url).await).0,
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn other_urls_are_refused() {
    for url in [
        "",
        "mysql://root@localhost/x",
        "sqlite::memory:",
        "sqlite://relative.db",
        "sqlite:///a?mode=memory",
        "postgres://user:not-needed@[broken/x",
    ] {
        assert_eq!(
            refused(SqlStore::open(url).await).0,
            ErrorKind::Invalid,
            "{url}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-database");
    std::fs::write(
        &path,
        "this is a text file, longer than a header\n".repeat(50),
    )
    .unwrap();
    let opened = SqlStore::open(&format!("sqlite://{}", path.display())).await;
    assert_eq!(refused(opened).0, ErrorKind::Internal);
}
