//! Brings the schema up to date, forward only.
//!
//! All migrations run in one transaction under one lock, so two gateways that
//! start together migrate once, and a kill in the middle leaves the old schema.

use crate::{connect::Dialect, failure::failed};
use domain::{
    digest::Digest,
    error::{ErrorKind, PortError, PortResult},
};
use sqlx::{Any, AnyPool, AssertSqlSafe, Transaction};

struct Migration {
    name: &'static str,
    shared: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Every migration there ever was; number 1 stands first. Released ones never
/// change: databases remember their digest.
const MIGRATIONS: &[Migration] = &[Migration {
    name: "initial",
    shared: include_str!("../migrations/0001_initial.sql"),
    sqlite: include_str!("../migrations/0001_initial.sqlite.sql"),
    postgres: include_str!("../migrations/0001_initial.postgres.sql"),
}];

/// Version of the schema that this binary writes.
pub(crate) const SCHEMA_VERSION: usize = MIGRATIONS.len();

/// Number of the advisory lock in PostgreSQL: the first eight digits of the
/// SHA-256 of "tollgate migrations".
const LOCK: &str = "SELECT 1 FROM pg_advisory_xact_lock(3609372223)";

impl Migration {
    fn sql(&self, dialect: Dialect) -> String {
        let (key, bytes, own) = match dialect {
            Dialect::Sqlite => ("TEXT COLLATE BINARY", "BLOB", self.sqlite),
            Dialect::Postgres => ("TEXT COLLATE \"C\"", "BYTEA", self.postgres),
        };
        let shared = self.shared.replace("@KEY", key).replace("@BYTES", bytes);
        format!("{shared}\n{own}")
    }
}

/// Runs what is missing.
pub(crate) async fn run(pool: &AnyPool, dialect: Dialect) -> PortResult<()> {
    let mut tx = pool
        .begin_with(dialect.begin())
        .await
        .map_err(failed("lock the database for migration"))?;
    if dialect == Dialect::Postgres {
        for statement in [
            "SET LOCAL lock_timeout = '120s'",
            "SET LOCAL statement_timeout = 0",
            LOCK,
        ] {
            sqlx::raw_sql(statement)
                .execute(&mut *tx)
                .await
                .map_err(failed("lock the database for migration"))?;
        }
    }
    let applied = applied(&mut tx).await?;
    for (index, migration) in MIGRATIONS.iter().enumerate() {
        let sql = migration.sql(dialect);
        let digest = Digest::of(sql.as_bytes()).to_string();
        match applied.get(index) {
            Some(recorded) if *recorded == digest => {}
            Some(_) => {
                return Err(PortError::new(
                    ErrorKind::Internal,
                    format!(
                        "the database was migrated with another text of migration {} ({}); use the release that wrote it, or a new database",
                        index + 1,
                        migration.name
                    ),
                ));
            }
            None => apply(&mut tx, index + 1, migration.name, sql, digest).await?,
        }
    }
    tx.commit().await.map_err(failed("migrate the database"))
}

/// Digests of the migrations that the database has had, in order.
async fn applied(tx: &mut Transaction<'static, Any>) -> PortResult<Vec<String>> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            version BIGINT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL)",
    )
    .execute(&mut **tx)
    .await
    .map_err(failed("read the schema version"))?;
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT version, digest FROM schema_migrations ORDER BY version")
            .fetch_all(&mut **tx)
            .await
            .map_err(failed("read the schema version"))?;
    if rows.len() > SCHEMA_VERSION {
        return Err(PortError::new(
            ErrorKind::Conflict,
            format!(
                "the database has schema version {}, this release knows up to {SCHEMA_VERSION}; start a newer release",
                rows.len()
            ),
        ));
    }
    Ok(rows.into_iter().map(|(_, digest)| digest).collect())
}

async fn apply(
    tx: &mut Transaction<'static, Any>,
    version: usize,
    name: &str,
    sql: String,
    digest: String,
) -> PortResult<()> {
    tracing::info!(version, name, "migrating the database");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut **tx)
        .await
        .map_err(failed("migrate the database"))?;
    sqlx::query("INSERT INTO schema_migrations (version, name, digest) VALUES ($1, $2, $3)")
        .bind(i64::try_from(version).unwrap_or(i64::MAX))
        .bind(name.to_owned())
        .bind(digest)
        .execute(&mut **tx)
        .await
        .map_err(failed("migrate the database"))?;
    Ok(())
}
