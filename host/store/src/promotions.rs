//! Promotions and decisions: the one door through which routes change.

use crate::{
    connect::SqlStore,
    document::{decode, decode_all, encode, limit, signed, unsigned},
    endpoints::no_endpoint,
    failure::{failed, taken},
    ledger::Write,
    models::require_version,
};
use domain::{
    decision::{Decision, Outcome, Promoted, Promotion, PromotionStatus},
    error::{ErrorKind, PortError, PortResult},
    id::{DecisionId, PromotionId},
    name::EndpointName,
    ports::store::{Page, PromotionCommit},
    route::Route,
};

/// Writes promotion, decision, route and ledger, or nothing.
pub(crate) async fn commit(store: &SqlStore, commit: PromotionCommit) -> PortResult<()> {
    if let Some(flaw) = flaw(&commit) {
        return Err(PortError::new(
            ErrorKind::Internal,
            format!("promotion {} is not recorded: {flaw}", commit.promotion.id),
        ));
    }
    let mut write = store.write().await?;
    let generation = generation(&mut write, &commit.promotion.endpoint).await?;
    if let Some(route) = &commit.route
        && Some(route.generation) != generation.checked_add(1)
    {
        return Err(PortError::new(
            ErrorKind::Conflict,
            format!(
                "the route of endpoint \"{}\" has changed meanwhile: it is at generation {generation}; ask again",
                commit.promotion.endpoint
            ),
        ));
    }
    require_version(&mut write, &commit.promotion.candidate).await?;
    let mut seq = 0;
    for entry in commit.entries {
        seq = write.append(entry).await?;
    }
    insert_decision(&mut write, &commit.decision, seq).await?;
    insert_promotion(&mut write, &commit.promotion, seq).await?;
    if let Some(route) = &commit.route {
        change_route(&mut write, &commit.promotion, route).await?;
    }
    let answer = Promoted {
        promotion: commit.promotion,
        decision: commit.decision,
    };
    write.answer(&answer).await?;
    write.commit().await
}

/// What contradicts itself in a commit. Such a commit is a defect of ours, and
/// refusing it here keeps the door shut even then.
fn flaw(commit: &PromotionCommit) -> Option<&'static str> {
    let (promotion, decision) = (&commit.promotion, &commit.decision);
    let promoted = promotion.status == PromotionStatus::Promoted;
    if promotion.decision != decision.id || decision.promotion != promotion.id {
        Some("promotion and decision do not name each other")
    } else if promotion.endpoint != decision.endpoint || promotion.candidate != decision.candidate {
        Some("promotion and decision are about different things")
    } else if promoted != commit.route.is_some() {
        Some("a route is written when, and only when, a promotion is cleared")
    } else if promotion.generation != commit.route.as_ref().map(|route| route.generation) {
        Some("promotion and route differ in their generation")
    } else if promoted != (decision.effective == Outcome::Allow) {
        Some("its status is not what the decision says")
    } else if commit.entries.is_empty() {
        Some("it has no ledger entry")
    } else {
        None
    }
}

async fn generation(write: &mut Write, endpoint: &EndpointName) -> PortResult<u64> {
    let generation: Option<i64> =
        sqlx::query_scalar("SELECT generation FROM endpoints WHERE name = $1")
            .bind(endpoint.as_str())
            .fetch_optional(write.on())
            .await
            .map_err(failed("read the route"))?;
    unsigned(
        "generation",
        generation.ok_or_else(|| no_endpoint(endpoint))?,
    )
}

async fn insert_decision(write: &mut Write, decision: &Decision, seq: i64) -> PortResult<()> {
    let effective = match decision.effective {
        Outcome::Allow => "allow",
        Outcome::Deny => "deny",
        Outcome::Inconclusive => "inconclusive",
    };
    sqlx::query(
        "INSERT INTO decisions (id, promotion, endpoint, effective, body, seq)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(decision.id.as_str())
    .bind(decision.promotion.as_str())
    .bind(decision.endpoint.as_str())
    .bind(effective)
    .bind(encode("the decision", decision)?)
    .bind(seq)
    .execute(write.on())
    .await
    .map_err(taken(
        "record the decision",
        format!("decision {}", decision.id),
    ))?;
    Ok(())
}

async fn insert_promotion(write: &mut Write, promotion: &Promotion, seq: i64) -> PortResult<()> {
    let status = match promotion.status {
        PromotionStatus::Promoted => "promoted",
        PromotionStatus::Denied => "denied",
        PromotionStatus::Inconclusive => "inconclusive",
    };
    let generation = promotion
        .generation
        .map(|generation| signed("generation", generation))
        .transpose()?;
    sqlx::query(
        "INSERT INTO promotions
            (id, endpoint, decision, model, version, status, generation, body, seq)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(promotion.id.as_str())
    .bind(promotion.endpoint.as_str())
    .bind(promotion.decision.as_str())
    .bind(promotion.candidate.model.as_str())
    .bind(i64::from(promotion.candidate.version.0))
    .bind(status)
    .bind(generation)
    .bind(encode("the promotion", promotion)?)
    .bind(seq)
    .execute(write.on())
    .await
    .map_err(taken(
        "record the promotion",
        format!("promotion {}", promotion.id),
    ))?;
    Ok(())
}

async fn change_route(write: &mut Write, promotion: &Promotion, route: &Route) -> PortResult<()> {
    sqlx::query(
        "UPDATE endpoints SET route = $1, generation = $2, updated_at = $3 WHERE name = $4",
    )
    .bind(encode("the route", route)?)
    .bind(signed("generation", route.generation)?)
    .bind(promotion.at.0)
    .bind(promotion.endpoint.as_str())
    .execute(write.on())
    .await
    .map_err(failed("change the route"))?;
    Ok(())
}

/// One promotion.
pub(crate) async fn promotion(store: &SqlStore, id: &PromotionId) -> PortResult<Option<Promotion>> {
    let body: Option<String> = sqlx::query_scalar("SELECT body FROM promotions WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(&store.pool)
        .await
        .map_err(failed("read the promotion"))?;
    body.map(|body| decode("promotion", &body)).transpose()
}

/// One decision.
pub(crate) async fn decision(store: &SqlStore, id: &DecisionId) -> PortResult<Option<Decision>> {
    let body: Option<String> = sqlx::query_scalar("SELECT body FROM decisions WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(&store.pool)
        .await
        .map_err(failed("read the decision"))?;
    body.map(|body| decode("decision", &body)).transpose()
}

/// Promotions of an endpoint or of all, newest first.
pub(crate) async fn promotions(
    store: &SqlStore,
    endpoint: Option<&EndpointName>,
    page: &Page,
) -> PortResult<Vec<Promotion>> {
    let before = position(store, "SELECT seq FROM promotions WHERE id = $1", page).await?;
    let query = match endpoint {
        Some(endpoint) => sqlx::query_scalar(
            "SELECT body FROM promotions WHERE seq < $1 AND endpoint = $3
             ORDER BY seq DESC LIMIT $2",
        )
        .bind(before)
        .bind(limit(page))
        .bind(endpoint.as_str().to_owned()),
        None => sqlx::query_scalar(
            "SELECT body FROM promotions WHERE seq < $1 ORDER BY seq DESC LIMIT $2",
        )
        .bind(before)
        .bind(limit(page)),
    };
    let bodies: Vec<String> = query
        .fetch_all(&store.pool)
        .await
        .map_err(failed("list promotions"))?;
    decode_all("promotion", &bodies)
}

/// Decisions about an endpoint or about all, newest first.
pub(crate) async fn decisions(
    store: &SqlStore,
    endpoint: Option<&EndpointName>,
    page: &Page,
) -> PortResult<Vec<Decision>> {
    let before = position(store, "SELECT seq FROM decisions WHERE id = $1", page).await?;
    let query = match endpoint {
        Some(endpoint) => sqlx::query_scalar(
            "SELECT body FROM decisions WHERE seq < $1 AND endpoint = $3
             ORDER BY seq DESC LIMIT $2",
        )
        .bind(before)
        .bind(limit(page))
        .bind(endpoint.as_str().to_owned()),
        None => sqlx::query_scalar(
            "SELECT body FROM decisions WHERE seq < $1 ORDER BY seq DESC LIMIT $2",
        )
        .bind(before)
        .bind(limit(page)),
    };
    let bodies: Vec<String> = query
        .fetch_all(&store.pool)
        .await
        .map_err(failed("list decisions"))?;
    decode_all("decision", &bodies)
}

/// Ledger number before which a page starts. `lookup` finds that of an id.
async fn position(store: &SqlStore, lookup: &'static str, page: &Page) -> PortResult<i64> {
    let Some(after) = &page.after else {
        return Ok(i64::MAX);
    };
    let seq: Option<i64> = sqlx::query_scalar(lookup)
        .bind(after.as_str())
        .fetch_optional(&store.pool)
        .await
        .map_err(failed("find the start of the page"))?;
    seq.ok_or_else(|| {
        PortError::new(
            ErrorKind::Invalid,
            "the page starts after an id that does not exist; use the last id of the page before",
        )
    })
}
