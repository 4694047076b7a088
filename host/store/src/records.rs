//! Tokens, the ledger as it is read, and replies kept for idempotency keys.

use crate::{
    connect::SqlStore,
    document::{corrupt, parse},
    failure::{failed, taken},
};
use async_trait::async_trait;
use domain::{
    error::PortResult,
    id::TokenId,
    ledger::{LedgerEntry, NewEntry},
    name::TokenName,
    ports::store::{KeptReply, Records},
    time::Timestamp,
    token::{Role, Token},
};
use sqlx::AnyConnection;

#[async_trait]
impl Records for SqlStore {
    async fn insert_token(&self, token: &Token, entry: NewEntry) -> PortResult<()> {
        let mut write = self.write().await?;
        let seq = write.append(entry).await?;
        sqlx::query(
            "INSERT INTO tokens (id, name, role, secret, created_at, expires_at, seq)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token.id.as_str())
        .bind(token.name.as_str())
        .bind(token.role.as_str())
        .bind(token.secret.to_string())
        .bind(token.created_at.0)
        .bind(token.expires_at.map(|at| at.0))
        .bind(seq)
        .execute(write.on())
        .await
        .map_err(taken("make the token", format!("token \"{}\"", token.name)))?;
        write.commit().await
    }

    async fn tokens(&self) -> PortResult<Vec<Token>> {
        let rows: Vec<TokenRow> = sqlx::query_as(
            "SELECT id, name, role, secret, created_at, expires_at FROM tokens
             WHERE revoked_at IS NULL ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list tokens"))?;
        rows.into_iter().map(token).collect()
    }

    async fn revoke_token(&self, name: &TokenName, entry: NewEntry) -> PortResult<bool> {
        let mut write = self.write().await?;
        let revoked =
            sqlx::query("UPDATE tokens SET revoked_at = $1 WHERE name = $2 AND revoked_at IS NULL")
                .bind(entry.at.0)
                .bind(name.as_str())
                .execute(write.on())
                .await
                .map_err(failed("revoke the token"))?
                .rows_affected();
        if revoked == 0 {
            return Ok(false);
        }
        write.append(entry).await?;
        write.answer_bytes(Vec::new()).await?;
        write.commit().await?;
        Ok(true)
    }

    /// A revoked token is not found.
    async fn token(&self, id: &TokenId) -> PortResult<Option<Token>> {
        let row: Option<TokenRow> = sqlx::query_as(
            "SELECT id, name, role, secret, created_at, expires_at FROM tokens
             WHERE id = $1 AND revoked_at IS NULL",
        )
        .bind(id.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("read the token"))?;
        row.map(token).transpose()
    }

    async fn ledger(&self, from: u64, limit: u32) -> PortResult<Vec<LedgerEntry>> {
        self.entries(from, limit).await
    }

    /// Forgets replies older than `since` on the way, so that their keys can be
    /// used again and the table does not grow for ever.
    async fn kept_reply(
        &self,
        actor: &str,
        key: &str,
        since: Timestamp,
    ) -> PortResult<Option<KeptReply>> {
        let old: Option<i64> =
            sqlx::query_scalar("SELECT kept_at FROM kept_replies WHERE kept_at < $1 LIMIT 1")
                .bind(since.0)
                .fetch_optional(&self.pool)
                .await
                .map_err(failed("read the kept reply"))?;
        if old.is_some() {
            let _turn = self.turn().await?;
            sqlx::query("DELETE FROM kept_replies WHERE kept_at < $1")
                .bind(since.0)
                .execute(&self.pool)
                .await
                .map_err(failed("forget old replies"))?;
        }
        let row: Option<(String, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT request, status, body FROM kept_replies WHERE actor = $1 AND key = $2",
        )
        .bind(actor)
        .bind(key)
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("read the kept reply"))?;
        row.map(|(request, status, body)| {
            Ok(KeptReply {
                request: parse("kept reply", &request)?,
                status: u16::try_from(status)
                    .map_err(|error| corrupt("kept reply").caused_by(error))?,
                body,
            })
        })
        .transpose()
    }

    async fn keep_reply(
        &self,
        actor: &str,
        key: &str,
        reply: &KeptReply,
        at: Timestamp,
    ) -> PortResult<()> {
        let _turn = self.turn().await?;
        let mut connection = self
            .pool
            .acquire()
            .await
            .map_err(failed("keep the reply"))?;
        insert_reply(&mut connection, actor, key, reply, at).await
    }
}

/// Keeps a reply: by itself, or within the change that it answers. Conflict if
/// the key has one: another gateway answered the same request meanwhile.
pub(crate) async fn insert_reply(
    connection: &mut AnyConnection,
    actor: &str,
    key: &str,
    reply: &KeptReply,
    at: Timestamp,
) -> PortResult<()> {
    sqlx::query(
        "INSERT INTO kept_replies (actor, key, request, status, body, kept_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(actor.to_owned())
    .bind(key.to_owned())
    .bind(reply.request.to_string())
    .bind(i64::from(reply.status))
    .bind(reply.body.clone())
    .bind(at.0)
    .execute(connection)
    .await
    .map_err(taken("keep the reply", "a reply to this idempotency key"))?;
    Ok(())
}

type TokenRow = (String, String, String, String, i64, Option<i64>);

fn token(row: TokenRow) -> PortResult<Token> {
    let (id, name, role, secret, created_at, expires_at) = row;
    Ok(Token {
        id: parse("token", &id)?,
        name: parse("token", &name)?,
        role: [
            Role::Client,
            Role::Viewer,
            Role::Developer,
            Role::Approver,
            Role::Admin,
        ]
        .into_iter()
        .find(|known| known.as_str() == role)
        .ok_or_else(|| corrupt("token"))?,
        secret: parse("token", &secret)?,
        created_at: Timestamp(created_at),
        expires_at: expires_at.map(Timestamp),
    })
}
