//! One story, told to SQLite and to PostgreSQL: everything the ports promise,
//! with two gateways on one database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::tests_outside_test_module,
    reason = "a test that cannot go on fails; all of this is a test module"
)]

#[path = "support/postgres.rs"]
mod postgres;
#[path = "conformance/samples.rs"]
mod samples;

#[path = "conformance/evidence.rs"]
mod evidence;
#[path = "conformance/failures.rs"]
mod failures;
#[path = "conformance/promotions.rs"]
mod promotions;
#[path = "conformance/records.rs"]
mod records;
#[path = "conformance/registry.rs"]
mod registry;
#[path = "conformance/tampering.rs"]
mod tampering;

use domain::error::{ErrorKind, PortResult};
use postgres::Postgres;
use store::SqlStore;

/// The database under test, as two gateways see it.
struct World {
    url: String,
    store: SqlStore,
    other: SqlStore,
}

impl World {
    /// Both gateways start at once on an empty database.
    async fn open(url: String) -> Self {
        let (store, other) = tokio::join!(SqlStore::open(&url), SqlStore::open(&url));
        let (store, other) = (
            store.expect("first gateway"),
            other.expect("second gateway"),
        );
        Self { url, store, other }
    }

    async fn close(self) {
        self.store.close().await;
        self.other.close().await;
    }
}

/// The error's kind, with a message that gives nothing away.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: PortResult<T>) -> (ErrorKind, String) {
    let error = result.expect_err("should have been refused");
    let shown = error.message.to_lowercase();
    for secret in ["not-needed", "select", "insert", "values", "/tmp"] {
        assert!(!shown.contains(secret), "{shown:?} gives {secret:?} away");
    }
    (error.kind, error.message)
}

async fn tell(url: String) {
    let world = World::open(url).await;
    registry::models_and_versions(&world).await;
    registry::plugins(&world).await;
    registry::gates_and_datasets(&world).await;
    evidence::evaluations(&world).await;
    evidence::external_metrics(&world).await;
    promotions::endpoints(&world).await;
    promotions::promoting(&world).await;
    promotions::contradictions_are_refused(&world).await;
    promotions::one_of_many_wins(&world).await;
    promotions::pages(&world).await;
    records::tokens(&world).await;
    records::replies(&world).await;
    records::answers(&world).await;
    records::ledger(&world).await;
    failures::a_restart_keeps_everything(&world).await;
    failures::one_statement_fails_and_nothing_is_written(&world).await;
    failures::a_caller_gives_up_at_any_step(&world).await;
    tampering::records_cannot_be_changed(&world).await;
    tampering::the_doctor_finds_what_was_changed(&world).await;
    failures::a_newer_schema_is_refused(&world).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_promises() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/with space/100%.db");
    tell(format!("sqlite://{}", path.display())).await;
    failures::a_sqlite_file_is_private(&path);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_promises() {
    let server = Postgres::start();
    tell(server.database("story")).await;
    failures::a_lost_server_is_unavailable(&server).await;
}
