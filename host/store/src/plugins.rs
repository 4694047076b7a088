//! Plugin revisions.

use crate::{
    connect::SqlStore,
    document::{decode, decode_all, encode},
    failure::failed,
};
use async_trait::async_trait;
use domain::{
    digest::Digest,
    error::{ErrorKind, PortError, PortResult},
    ledger::NewEntry,
    name::PluginName,
    plugin::PluginRevision,
    ports::store::Plugins,
};

#[async_trait]
impl Plugins for SqlStore {
    async fn insert_revision(&self, revision: &PluginRevision, entry: NewEntry) -> PortResult<()> {
        let body = encode("the plugin revision", revision)?;
        let mut write = self.write().await?;
        let holder: Option<String> =
            sqlx::query_scalar("SELECT plugin FROM plugin_revisions WHERE digest = $1")
                .bind(revision.digest.to_string())
                .fetch_optional(write.on())
                .await
                .map_err(failed("read the plugin revision"))?;
        match holder {
            Some(holder) if holder == revision.plugin.as_str() => return Ok(()),
            Some(holder) => {
                return Err(PortError::new(
                    ErrorKind::Conflict,
                    format!(
                        "revision {} exists already, as a revision of plugin \"{holder}\"",
                        revision.digest
                    ),
                ));
            }
            None => {}
        }
        let seq = write.append(entry).await?;
        sqlx::query(
            "INSERT INTO plugin_revisions (digest, plugin, component, kind, body, seq)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(revision.digest.to_string())
        .bind(revision.plugin.as_str())
        .bind(revision.component.to_string())
        .bind(revision.kind.to_string())
        .bind(body)
        .bind(seq)
        .execute(write.on())
        .await
        .map_err(failed("register the plugin revision"))?;
        write.answer(revision).await?;
        write.commit().await
    }

    async fn revision(&self, digest: &Digest) -> PortResult<Option<PluginRevision>> {
        let body: Option<String> =
            sqlx::query_scalar("SELECT body FROM plugin_revisions WHERE digest = $1")
                .bind(digest.to_string())
                .fetch_optional(&self.pool)
                .await
                .map_err(failed("read the plugin revision"))?;
        body.map(|body| decode("plugin revision", &body))
            .transpose()
    }

    async fn revisions(&self, plugin: Option<&PluginName>) -> PortResult<Vec<PluginRevision>> {
        let query = match plugin {
            Some(plugin) => sqlx::query_scalar(
                "SELECT body FROM plugin_revisions WHERE plugin = $1 ORDER BY seq DESC",
            )
            .bind(plugin.as_str().to_owned()),
            None => sqlx::query_scalar("SELECT body FROM plugin_revisions ORDER BY seq DESC"),
        };
        let bodies: Vec<String> = query
            .fetch_all(&self.pool)
            .await
            .map_err(failed("list plugin revisions"))?;
        decode_all("plugin revision", &bodies)
    }
}
