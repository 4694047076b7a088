//! Gate revisions. The current one of a gate is the last one registered.

use crate::{
    connect::SqlStore,
    document::{decode, decode_all, encode},
    failure::failed,
};
use async_trait::async_trait;
use domain::{
    digest::Digest, error::PortResult, gate::GateRevision, ledger::NewEntry, name::GateName,
    ports::store::Gates,
};

#[async_trait]
impl Gates for SqlStore {
    async fn insert_gate(&self, revision: &GateRevision, entry: NewEntry) -> PortResult<()> {
        let body = encode("the gate", revision)?;
        let mut write = self.write().await?;
        let seq = write.append(entry).await?;
        sqlx::query("INSERT INTO gate_revisions (name, digest, body, seq) VALUES ($1, $2, $3, $4)")
            .bind(revision.name.as_str())
            .bind(revision.digest.to_string())
            .bind(body)
            .bind(seq)
            .execute(write.on())
            .await
            .map_err(failed("register the gate"))?;
        write.answer(revision).await?;
        write.commit().await
    }

    async fn gate(&self, name: &GateName) -> PortResult<Option<GateRevision>> {
        let body: Option<String> = sqlx::query_scalar(
            "SELECT body FROM gate_revisions WHERE name = $1 ORDER BY seq DESC LIMIT 1",
        )
        .bind(name.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("read the gate"))?;
        body.map(|body| decode("gate", &body)).transpose()
    }

    async fn gate_revision(&self, digest: &Digest) -> PortResult<Option<GateRevision>> {
        let body: Option<String> = sqlx::query_scalar(
            "SELECT body FROM gate_revisions WHERE digest = $1 ORDER BY seq DESC LIMIT 1",
        )
        .bind(digest.to_string())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("read the gate revision"))?;
        body.map(|body| decode("gate", &body)).transpose()
    }

    async fn gates(&self) -> PortResult<Vec<GateRevision>> {
        let bodies: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM gate_revisions AS one
             WHERE seq = (SELECT max(seq) FROM gate_revisions WHERE name = one.name)
             ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list gates"))?;
        decode_all("gate", &bodies)
    }
}
