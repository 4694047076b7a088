//! What `tollgate doctor` asks of a database.

use crate::{
    connect::{Dialect, SqlStore},
    document::{parse, unsigned},
    failure::failed,
    migrate::SCHEMA_VERSION,
};
use domain::{
    digest::Digest, error::PortResult, ledger::first_break_after, ports::store::Endpoints as _,
};

/// Entries of the ledger that are read at a time.
const PAGE: u32 = 500;

/// State of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreReport {
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// Version of its schema.
    pub schema_version: usize,
    /// Entries in the ledger.
    pub ledger_entries: u64,
    /// Hash of the last one. Keep it elsewhere to prove later that nothing
    /// before it was rewritten.
    pub ledger_head: Digest,
    /// Everything that is wrong, in words; empty if all is well.
    pub problems: Vec<String>,
}

impl SqlStore {
    /// Checks the whole database: the file, references, the guards against
    /// change, the ledger from its first entry, and that every route stands on
    /// its promotion. Reads everything once; safe while the gateway runs.
    ///
    /// # Errors
    /// Only what keeps the check from running; findings are in the report.
    pub async fn check(&self) -> PortResult<StoreReport> {
        let mut problems = Vec::new();
        match self.dialect {
            Dialect::Sqlite => self.check_file(&mut problems).await?,
            Dialect::Postgres => self.check_constraints(&mut problems).await?,
        }
        self.check_guards(&mut problems).await?;
        self.check_routes(&mut problems).await?;
        let (ledger_entries, ledger_head) = self.check_ledger(&mut problems).await?;
        Ok(StoreReport {
            database: self.dialect.name(),
            schema_version: SCHEMA_VERSION,
            ledger_entries,
            ledger_head,
            problems,
        })
    }

    async fn check_file(&self, problems: &mut Vec<String>) -> PortResult<()> {
        let findings: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(10)")
            .fetch_all(&self.pool)
            .await
            .map_err(failed("check the database file"))?;
        let broken = findings.into_iter().filter(|finding| finding != "ok");
        problems.extend(broken.map(|finding| format!("database file: {finding}")));
        let orphans: Vec<String> =
            sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 10")
                .fetch_all(&self.pool)
                .await
                .map_err(failed("check references"))?;
        problems.extend(
            orphans
                .iter()
                .map(|table| format!("a row of {table} refers to something that does not exist")),
        );
        Ok(())
    }

    async fn check_constraints(&self, problems: &mut Vec<String>) -> PortResult<()> {
        let unproven: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_constraint
             WHERE NOT convalidated AND connamespace = current_schema()::regnamespace",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed("check references"))?;
        if unproven != 0 {
            problems.push(format!("{unproven} constraints are not validated"));
        }
        Ok(())
    }

    /// The triggers that keep records from being changed, all there and on.
    async fn check_guards(&self, problems: &mut Vec<String>) -> PortResult<()> {
        let (sql, expected) = match self.dialect {
            Dialect::Sqlite => (
                "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'
                 AND (name LIKE '%\\_no\\_%' ESCAPE '\\' OR name LIKE 'endpoints\\_door\\_%' ESCAPE '\\')",
                9 * 2 + 3,
            ),
            Dialect::Postgres => (
                "SELECT count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
                 WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')
                   AND relnamespace = current_schema()::regnamespace
                   AND (tgname LIKE '%\\_no\\_%' OR tgname LIKE 'endpoints\\_door\\_%')",
                9 * 3 + 2,
            ),
        };
        let found: i64 = sqlx::query_scalar(sql)
            .fetch_one(&self.pool)
            .await
            .map_err(failed("check the guards"))?;
        if found != expected {
            problems.push(format!(
                "{found} of {expected} triggers that keep records from being changed are in force"
            ));
        }
        Ok(())
    }

    async fn check_routes(&self, problems: &mut Vec<String>) -> PortResult<()> {
        let unfounded: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM endpoints WHERE generation <> (
                SELECT coalesce(max(generation), 0) FROM promotions
                WHERE endpoint = endpoints.name AND status = 'promoted')
             ORDER BY name LIMIT 10",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("check routes"))?;
        problems.extend(
            unfounded.iter().map(|name| {
                format!("the route of endpoint \"{name}\" is not its last promotion's")
            }),
        );
        if let Err(error) = self.endpoints().await {
            problems.push(error.message);
        }
        Ok(())
    }

    async fn check_ledger(&self, problems: &mut Vec<String>) -> PortResult<(u64, Digest)> {
        // The head first: entries appended meanwhile come after it.
        let (end, head): (i64, String) =
            sqlx::query_as("SELECT seq, hash FROM ledger_head WHERE id = 1")
                .fetch_one(&self.pool)
                .await
                .map_err(failed("read the ledger"))?;
        let (end, head): (u64, Digest) =
            (unsigned("ledger head", end)?, parse("ledger head", &head)?);
        let (mut seq, mut hash) = (0, Digest::from_bytes([0; 32]));
        let mut head_found = end == 0 && head == hash;
        loop {
            let entries = self.entries(seq + 1, PAGE).await?;
            if let Some(at) = first_break_after(seq, hash, &entries) {
                problems.push(format!("the ledger is broken at entry {at}"));
                break;
            }
            head_found |= entries
                .iter()
                .any(|entry| entry.seq == end && entry.hash == head);
            match entries.last() {
                Some(last) => (seq, hash) = (last.seq, last.hash),
                None => break,
            }
        }
        if !head_found {
            problems.push(format!(
                "the ledger's head (entry {end}) is not at the end of its chain"
            ));
        }
        Ok((seq, hash))
    }
}
