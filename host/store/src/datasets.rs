//! Data sets. The current content of a name is the last one registered.

use crate::{
    connect::SqlStore,
    document::{decode, decode_all, encode},
    failure::failed,
};
use async_trait::async_trait;
use domain::{
    error::PortResult, evidence::Dataset, ledger::NewEntry, name::DatasetName,
    ports::store::Datasets,
};

#[async_trait]
impl Datasets for SqlStore {
    async fn insert_dataset(&self, dataset: &Dataset, entry: NewEntry) -> PortResult<()> {
        let body = encode("the data set", dataset)?;
        let mut write = self.write().await?;
        let seq = write.append(entry).await?;
        sqlx::query("INSERT INTO datasets (name, digest, body, seq) VALUES ($1, $2, $3, $4)")
            .bind(dataset.name.as_str())
            .bind(dataset.digest.to_string())
            .bind(body)
            .bind(seq)
            .execute(write.on())
            .await
            .map_err(failed("register the data set"))?;
        write.answer(dataset).await?;
        write.commit().await
    }

    async fn dataset(&self, name: &DatasetName) -> PortResult<Option<Dataset>> {
        let body: Option<String> = sqlx::query_scalar(
            "SELECT body FROM datasets WHERE name = $1 ORDER BY seq DESC LIMIT 1",
        )
        .bind(name.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("read the data set"))?;
        body.map(|body| decode("data set", &body)).transpose()
    }

    async fn datasets(&self) -> PortResult<Vec<Dataset>> {
        let bodies: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM datasets AS one
             WHERE seq = (SELECT max(seq) FROM datasets WHERE name = one.name)
             ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list data sets"))?;
        decode_all("data set", &bodies)
    }
}
