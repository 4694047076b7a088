//! The transaction that every change runs in, and the ledger it appends to.
//!
//! A [`Write`] holds the one head of the chain from its first statement to its
//! commit. So changes happen one after the other in both databases, and what a
//! write has read (a generation, the next version number) is still true when it
//! commits.

use crate::{
    connect::{Dialect, PATIENCE, SqlStore},
    document::{corrupt, parse, signed, unsigned},
    failure::failed,
    records::insert_reply,
};
use domain::{
    digest::Digest,
    error::{ErrorKind, PortError, PortResult},
    ledger::{LedgerEntry, NewEntry, RequestKey},
    ports::store::KeptReply,
    time::Timestamp,
};
use serde::Serialize;
use sqlx::{Any, AnyConnection, Transaction};
use tokio::sync::OwnedMutexGuard;

/// A change in progress. Dropped without [`Write::commit`], it never happened.
pub(crate) struct Write {
    // Dropped before the turn is given up.
    tx: Transaction<'static, Any>,
    seq: u64,
    hash: Digest,
    asked: Option<Asked>,
    _turn: OwnedMutexGuard<()>,
}

/// The request that a change answers.
struct Asked {
    actor: String,
    key: RequestKey,
    at: Timestamp,
}

impl SqlStore {
    /// Waits for this process's turn to write.
    pub(crate) async fn turn(&self) -> PortResult<OwnedMutexGuard<()>> {
        tokio::time::timeout(PATIENCE, self.turn.clone().lock_owned())
            .await
            .map_err(|error| {
                PortError::new(
                    ErrorKind::Unavailable,
                    "too many changes are waiting for the database; try again later",
                )
                .caused_by(error)
            })
    }

    /// Waits for the turn and starts a change.
    pub(crate) async fn write(&self) -> PortResult<Write> {
        let turn = self.turn().await?;
        let mut tx = self
            .pool
            .begin_with(self.dialect.begin())
            .await
            .map_err(failed("start a change"))?;
        let lock = match self.dialect {
            Dialect::Sqlite => "SELECT seq, hash FROM ledger_head WHERE id = 1",
            Dialect::Postgres => "SELECT seq, hash FROM ledger_head WHERE id = 1 FOR UPDATE",
        };
        let (seq, hash): (i64, String) = sqlx::query_as(lock)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed("lock the ledger"))?;
        Ok(Write {
            tx,
            seq: unsigned("ledger head", seq)?,
            hash: parse("ledger head", &hash)?,
            asked: None,
            _turn: turn,
        })
    }

    /// Ledger entries from `from` on, in order.
    pub(crate) async fn entries(&self, from: u64, limit: u32) -> PortResult<Vec<LedgerEntry>> {
        let rows: Vec<EntryRow> = sqlx::query_as(
            "SELECT seq, previous, event, subject, actor, at, body, hash FROM ledger
             WHERE seq >= $1 ORDER BY seq LIMIT $2",
        )
        .bind(signed("ledger position", from)?)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(failed("read the ledger"))?;
        rows.into_iter().map(entry).collect()
    }
}

type EntryRow = (i64, String, String, String, String, i64, String, String);

fn entry(row: EntryRow) -> PortResult<LedgerEntry> {
    let (seq, previous, event, subject, actor, at, body, hash) = row;
    Ok(LedgerEntry {
        seq: unsigned("ledger entry", seq)?,
        previous: parse("ledger entry", &previous)?,
        event,
        subject,
        actor,
        at: Timestamp(at),
        body,
        hash: parse("ledger entry", &hash)?,
    })
}

impl Write {
    /// The connection inside the transaction.
    pub(crate) fn on(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }

    /// Appends an entry and gives its number, to stand in the rows it records.
    pub(crate) async fn append(&mut self, mut entry: NewEntry) -> PortResult<i64> {
        if let Some(key) = entry.actor.key.take() {
            let (actor, at) = (entry.actor.name.clone(), entry.at);
            self.asked = Some(Asked { actor, key, at });
        }
        let seq = self
            .seq
            .checked_add(1)
            .ok_or_else(|| corrupt("ledger head"))?;
        let entry = entry.chain(seq, self.hash);
        let number = signed("ledger position", seq)?;
        sqlx::query(
            "INSERT INTO ledger (seq, previous, event, subject, actor, at, body, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(number)
        .bind(entry.previous.to_string())
        .bind(entry.event)
        .bind(entry.subject)
        .bind(entry.actor)
        .bind(entry.at.0)
        .bind(entry.body)
        .bind(entry.hash.to_string())
        .execute(self.on())
        .await
        .map_err(failed("append to the ledger"))?;
        self.seq = seq;
        self.hash = entry.hash;
        Ok(number)
    }

    /// Keeps `made` as the answer to the request's idempotency key, if it has one.
    pub(crate) async fn answer<T: Serialize>(&mut self, made: &T) -> PortResult<()> {
        if self.asked.is_none() {
            return Ok(());
        }
        let body = serde_json::to_vec(made).map_err(|error| corrupt("reply").caused_by(error))?;
        self.answer_bytes(body).await
    }

    /// Like [`Write::answer`], with the body as it stands.
    pub(crate) async fn answer_bytes(&mut self, body: Vec<u8>) -> PortResult<()> {
        let Some(Asked { actor, key, at }) = self.asked.take() else {
            return Ok(());
        };
        let reply = KeptReply {
            request: key.request,
            status: key.status,
            body,
        };
        insert_reply(self.on(), &actor, &key.key, &reply, at).await
    }

    /// Makes the change durable.
    pub(crate) async fn commit(mut self) -> PortResult<()> {
        let (seq, hash) = (signed("ledger position", self.seq)?, self.hash.to_string());
        sqlx::query("UPDATE ledger_head SET seq = $1, hash = $2 WHERE id = 1")
            .bind(seq)
            .bind(hash)
            .execute(self.on())
            .await
            .map_err(failed("append to the ledger"))?;
        self.tx.commit().await.map_err(failed(
            "confirm the change (it may have happened: read before trying again)",
        ))
    }
}
