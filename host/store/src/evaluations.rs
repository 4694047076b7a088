//! Sealed evaluations, and metrics logged from outside.

use crate::{
    connect::SqlStore,
    document::{decode, decode_all, encode, signed},
    failure::{failed, taken},
    models::require_version,
};
use async_trait::async_trait;
use domain::{
    error::PortResult,
    evidence::{Evaluation, ExternalMetric},
    id::EvaluationId,
    ledger::NewEntry,
    model::VersionRef,
    ports::store::Evaluations,
};
use std::collections::BTreeMap;

#[async_trait]
impl Evaluations for SqlStore {
    async fn insert_evaluation(&self, evaluation: &Evaluation, entry: NewEntry) -> PortResult<()> {
        let body = encode("the evaluation", evaluation)?;
        let mut write = self.write().await?;
        require_version(&mut write, &evaluation.version).await?;
        let seq = write.append(entry).await?;
        sqlx::query(
            "INSERT INTO evaluations (id, model, version, dataset, dataset_digest, body, seq)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(evaluation.id.as_str())
        .bind(evaluation.version.model.as_str())
        .bind(i64::from(evaluation.version.version.0))
        .bind(evaluation.dataset.as_str())
        .bind(evaluation.dataset_digest.to_string())
        .bind(body)
        .bind(seq)
        .execute(write.on())
        .await
        .map_err(taken(
            "record the evaluation",
            format!("evaluation {}", evaluation.id),
        ))?;
        write.answer(evaluation).await?;
        write.commit().await
    }

    async fn evaluation(&self, id: &EvaluationId) -> PortResult<Option<Evaluation>> {
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM evaluations WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("read the evaluation"))?;
        body.map(|body| decode("evaluation", &body)).transpose()
    }

    async fn evaluations(&self, version: &VersionRef) -> PortResult<Vec<Evaluation>> {
        let bodies: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM evaluations WHERE model = $1 AND version = $2 ORDER BY seq DESC",
        )
        .bind(version.model.as_str())
        .bind(i64::from(version.version.0))
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list evaluations"))?;
        decode_all("evaluation", &bodies)
    }

    async fn insert_external(&self, metrics: &[ExternalMetric], entry: NewEntry) -> PortResult<()> {
        let bodies = metrics
            .iter()
            .map(|metric| encode("the metric", metric))
            .collect::<PortResult<Vec<_>>>()?;
        let mut write = self.write().await?;
        let seq = write.append(entry).await?;
        for (position, (metric, body)) in (0u64..).zip(metrics.iter().zip(bodies)) {
            let version = VersionRef {
                model: metric.model.clone(),
                version: metric.version,
            };
            require_version(&mut write, &version).await?;
            sqlx::query(
                "INSERT INTO external_metrics (model, version, name, seq, position, body)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(metric.model.as_str())
            .bind(i64::from(metric.version.0))
            .bind(metric.name.as_str())
            .bind(seq)
            .bind(signed("position", position)?)
            .bind(body)
            .execute(write.on())
            .await
            .map_err(failed("log the metric (names have 1 to 256 characters)"))?;
        }
        write.answer(&BTreeMap::from([("items", metrics)])).await?;
        write.commit().await
    }

    async fn external(&self, version: &VersionRef) -> PortResult<Vec<ExternalMetric>> {
        let bodies: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM external_metrics AS one
             WHERE model = $1 AND version = $2 AND NOT EXISTS (
                SELECT 1 FROM external_metrics AS later
                WHERE later.model = one.model AND later.version = one.version
                  AND later.name = one.name
                  AND (later.seq > one.seq
                       OR (later.seq = one.seq AND later.position > one.position)))
             ORDER BY name",
        )
        .bind(version.model.as_str())
        .bind(i64::from(version.version.0))
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list logged metrics"))?;
        decode_all("logged metric", &bodies)
    }
}
