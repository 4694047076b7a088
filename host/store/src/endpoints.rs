//! Endpoints. Their routes change in `promotions` and nowhere else; a trigger
//! in the schema holds every other statement to that.

use crate::{
    connect::SqlStore,
    document::{corrupt, decode, encode, signed, unsigned},
    failure::{failed, missing, taken},
    promotions,
};
use async_trait::async_trait;
use domain::{
    decision::{Decision, Promotion},
    error::{ErrorKind, PortError, PortResult},
    id::{DecisionId, PromotionId},
    ledger::NewEntry,
    name::EndpointName,
    ports::store::{Endpoints, Page, PromotionCommit},
    route::{Endpoint, EndpointSettings, Route},
    time::Timestamp,
};

#[async_trait]
impl Endpoints for SqlStore {
    async fn insert_endpoint(&self, endpoint: &Endpoint, entry: NewEntry) -> PortResult<()> {
        if endpoint.route != Route::default() {
            return Err(PortError::new(
                ErrorKind::Invalid,
                format!(
                    "endpoint \"{}\" must be made with an empty route; promote a version to fill it",
                    endpoint.name
                ),
            ));
        }
        let settings = encode("the settings", &endpoint.settings)?;
        let route = encode("the route", &endpoint.route)?;
        let mut write = self.write().await?;
        let seq = write.append(entry).await?;
        sqlx::query(
            "INSERT INTO endpoints (name, settings, route, generation, created_at, updated_at, seq)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(endpoint.name.as_str())
        .bind(settings)
        .bind(route)
        .bind(signed("generation", endpoint.route.generation)?)
        .bind(endpoint.created_at.0)
        .bind(endpoint.updated_at.0)
        .bind(seq)
        .execute(write.on())
        .await
        .map_err(taken(
            "make the endpoint",
            format!("endpoint \"{}\"", endpoint.name),
        ))?;
        write.answer(endpoint).await?;
        write.commit().await
    }

    async fn update_settings(
        &self,
        name: &EndpointName,
        settings: &EndpointSettings,
        at: Timestamp,
        entry: NewEntry,
    ) -> PortResult<Option<Endpoint>> {
        let settings = encode("the settings", settings)?;
        let mut write = self.write().await?;
        let changed: Option<EndpointRow> = sqlx::query_as(
            "UPDATE endpoints SET settings = $1, updated_at = $2 WHERE name = $3
             RETURNING name, settings, route, generation, created_at, updated_at",
        )
        .bind(settings)
        .bind(at.0)
        .bind(name.as_str())
        .fetch_optional(write.on())
        .await
        .map_err(failed("change the settings"))?;
        let Some(changed) = changed.map(endpoint).transpose()? else {
            return Ok(None);
        };
        write.append(entry).await?;
        write.answer(&changed).await?;
        write.commit().await?;
        Ok(Some(changed))
    }

    async fn endpoint(&self, name: &EndpointName) -> PortResult<Option<Endpoint>> {
        let row: Option<EndpointRow> = sqlx::query_as(
            "SELECT name, settings, route, generation, created_at, updated_at
             FROM endpoints WHERE name = $1",
        )
        .bind(name.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("read the endpoint"))?;
        row.map(endpoint).transpose()
    }

    async fn endpoints(&self) -> PortResult<Vec<Endpoint>> {
        let rows: Vec<EndpointRow> = sqlx::query_as(
            "SELECT name, settings, route, generation, created_at, updated_at
             FROM endpoints ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list endpoints"))?;
        rows.into_iter().map(endpoint).collect()
    }

    async fn commit_promotion(&self, commit: PromotionCommit) -> PortResult<()> {
        promotions::commit(self, commit).await
    }

    async fn promotion(&self, id: &PromotionId) -> PortResult<Option<Promotion>> {
        promotions::promotion(self, id).await
    }

    async fn promotions(
        &self,
        endpoint: Option<&EndpointName>,
        page: &Page,
    ) -> PortResult<Vec<Promotion>> {
        promotions::promotions(self, endpoint, page).await
    }

    async fn decision(&self, id: &DecisionId) -> PortResult<Option<Decision>> {
        promotions::decision(self, id).await
    }

    async fn decisions(
        &self,
        endpoint: Option<&EndpointName>,
        page: &Page,
    ) -> PortResult<Vec<Decision>> {
        promotions::decisions(self, endpoint, page).await
    }
}

type EndpointRow = (String, String, String, i64, i64, i64);

fn endpoint(row: EndpointRow) -> PortResult<Endpoint> {
    let (name, settings, route, generation, created_at, updated_at) = row;
    let route: Route = decode("route", &route)?;
    // Two places say the generation; a row in which they differ was tampered with.
    if route.generation != unsigned("generation", generation)? {
        return Err(corrupt("route"));
    }
    Ok(Endpoint {
        name: name
            .parse()
            .map_err(|error| corrupt("endpoint").caused_by(error))?,
        settings: decode("endpoint settings", &settings)?,
        route,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
    })
}

/// Missing, with its name.
pub(crate) fn no_endpoint(name: &EndpointName) -> PortError {
    missing(format!("endpoint \"{name}\""))
}
