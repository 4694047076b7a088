//! Models and their versions.

use crate::{
    connect::SqlStore,
    document::{corrupt, decode, decode_all, encode, limit},
    failure::{failed, missing, taken},
    ledger::Write,
};
use async_trait::async_trait;
use domain::{
    error::{ErrorKind, PortError, PortResult},
    ledger::NewEntry,
    model::{Model, ModelVersion, VersionRef},
    name::{ModelName, VersionNumber},
    ports::store::{Models, Page},
};

#[async_trait]
impl Models for SqlStore {
    async fn insert_model(&self, model: &Model, entry: NewEntry) -> PortResult<()> {
        let body = encode("the model", model)?;
        let mut write = self.write().await?;
        let seq = write.append(entry).await?;
        sqlx::query("INSERT INTO models (name, body, seq) VALUES ($1, $2, $3)")
            .bind(model.name.as_str())
            .bind(body)
            .bind(seq)
            .execute(write.on())
            .await
            .map_err(taken(
                "register the model",
                format!("model \"{}\"", model.name),
            ))?;
        write.answer(model).await?;
        write.commit().await
    }

    async fn model(&self, name: &ModelName) -> PortResult<Option<Model>> {
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM models WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("read the model"))?;
        body.map(|body| decode("model", &body)).transpose()
    }

    async fn models(&self, page: &Page) -> PortResult<Vec<Model>> {
        let bodies: Vec<String> =
            sqlx::query_scalar("SELECT body FROM models WHERE name > $1 ORDER BY name LIMIT $2")
                // No name is empty, so everything comes after "".
                .bind(page.after.clone().unwrap_or_default())
                .bind(limit(page))
                .fetch_all(&self.pool)
                .await
                .map_err(failed("list models"))?;
        decode_all("model", &bodies)
    }

    async fn insert_version(
        &self,
        version: &ModelVersion,
        entry: NewEntry,
    ) -> PortResult<ModelVersion> {
        let mut write = self.write().await?;
        let version = ModelVersion {
            version: next_number(&mut write, &version.model).await?,
            ..version.clone()
        };
        let body = encode("the version", &version)?;
        if let Some(transform) = version.transform {
            let found: Option<i64> =
                sqlx::query_scalar("SELECT seq FROM plugin_revisions WHERE digest = $1")
                    .bind(transform.to_string())
                    .fetch_optional(write.on())
                    .await
                    .map_err(failed("read the transform"))?;
            found.ok_or_else(|| missing(format!("transform revision {transform}")))?;
        }
        let seq = write.append(entry).await?;
        sqlx::query(
            "INSERT INTO versions (model, version, artifact, transform, body, seq)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(version.model.as_str())
        .bind(i64::from(version.version.0))
        .bind(version.artifact.to_string())
        .bind(version.transform.map(|digest| digest.to_string()))
        .bind(body)
        .bind(seq)
        .execute(write.on())
        .await
        .map_err(failed("register the version"))?;
        write.answer(&version).await?;
        write.commit().await?;
        Ok(version)
    }

    async fn version(&self, version: &VersionRef) -> PortResult<Option<ModelVersion>> {
        let body: Option<String> =
            sqlx::query_scalar("SELECT body FROM versions WHERE model = $1 AND version = $2")
                .bind(version.model.as_str())
                .bind(i64::from(version.version.0))
                .fetch_optional(&self.pool)
                .await
                .map_err(failed("read the version"))?;
        body.map(|body| decode("version", &body)).transpose()
    }

    async fn versions(&self, model: &ModelName) -> PortResult<Vec<ModelVersion>> {
        let bodies: Vec<String> =
            sqlx::query_scalar("SELECT body FROM versions WHERE model = $1 ORDER BY version DESC")
                .bind(model.as_str())
                .fetch_all(&self.pool)
                .await
                .map_err(failed("list versions"))?;
        decode_all("version", &bodies)
    }
}

/// Takes the next number from the model's counter, which never goes back.
async fn next_number(write: &mut Write, model: &ModelName) -> PortResult<VersionNumber> {
    let number: Option<i64> = sqlx::query_scalar(
        "UPDATE models SET next_version = next_version + 1 WHERE name = $1
         RETURNING next_version - 1",
    )
    .bind(model.as_str())
    .fetch_optional(write.on())
    .await
    .map_err(failed("number the version"))?;
    let number = number.ok_or_else(|| missing(format!("model \"{model}\"")))?;
    if number > i64::from(u32::MAX) {
        return Err(PortError::new(
            ErrorKind::Exhausted,
            format!("model \"{model}\" has no version number left"),
        ));
    }
    u32::try_from(number)
        .map(VersionNumber)
        .map_err(|error| corrupt("version counter").caused_by(error))
}

/// Missing, with its name, unless the version is registered.
pub(crate) async fn require_version(write: &mut Write, version: &VersionRef) -> PortResult<()> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT seq FROM versions WHERE model = $1 AND version = $2")
            .bind(version.model.as_str())
            .bind(i64::from(version.version.0))
            .fetch_optional(write.on())
            .await
            .map_err(failed("read the version"))?;
    found.ok_or_else(|| missing(format!("model version {version}")))?;
    Ok(())
}
