//! Tokens, the ledger, and who is calling.

use crate::{
    admin::{
        Admin,
        error::AdminError,
        openapi,
        operation::Operation,
        wire::{Answer, Asked, By, Created, List, MAX_LIMIT, Made, One, Wire},
    },
    edge::auth::{Identity, mint},
};
use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use domain::{
    ledger::{Actor, LedgerEntry, NewEntry},
    name::TokenName,
    time::Timestamp,
    token::{Role, Token},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) fn operations() -> Vec<Operation> {
    let only = Some(Role::Admin);
    vec![
        Operation::new(
            (Method::GET, "/whoami"),
            ("whoami", "Name and role of the token that calls"),
            Some(Role::Client),
            whoami,
        )
        .gives::<WhoamiResponse>(200),
        Operation::new(
            (Method::POST, "/tokens"),
            ("create_token", "Makes a token; its secret is shown once"),
            only,
            create_token,
        )
        .takes::<CreateTokenRequest>()
        .gives::<TokenResponse>(201)
        .gives_secret(),
        Operation::new(
            (Method::GET, "/tokens"),
            ("list_tokens", "All tokens"),
            only,
            list_tokens,
        )
        .gives::<List<Token>>(200),
        Operation::new(
            (Method::DELETE, "/tokens/{token}"),
            ("revoke_token", "Revokes a token"),
            only,
            revoke_token,
        )
        .gives_nothing(),
        Operation::read(
            "/ledger",
            "list_ledger",
            "Ledger entries in order",
            list_ledger,
        )
        .query(&[
            ("from", "first sequence number"),
            ("limit", "most entries, 1 to 1000"),
        ])
        .gives::<List<LedgerEntry>>(200),
        Operation::new(
            (Method::GET, "/openapi.json"),
            ("get_openapi", "This description"),
            None,
            get_openapi,
        )
        .gives::<serde_json::Value>(200),
    ]
}

/// Who is calling.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WhoamiResponse {
    /// Name of the token.
    pub name: String,
    /// Its role.
    pub role: Role,
}

async fn whoami(who: Identity) -> Json<WhoamiResponse> {
    Json(WhoamiResponse {
        name: who.name.to_string(),
        role: who.role,
    })
}

/// A token to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTokenRequest {
    /// What it is for.
    pub name: TokenName,
    /// What it may do.
    pub role: Role,
    /// When it stops working, in milliseconds since the epoch.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// A token that was made. The secret is not kept and not shown again.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenResponse {
    /// The token.
    pub token: Token,
    /// What the holder sends.
    pub secret: String,
}

async fn create_token(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    Wire(request): Wire<CreateTokenRequest>,
) -> Made<TokenResponse> {
    let now = admin.state.clock.now();
    if request.expires_at.is_some_and(|at| at <= now) {
        let detail = format!(
            "expires_at: has passed; use milliseconds since the epoch, now {}",
            now.0
        );
        return Err(AdminError::invalid("field_invalid", detail));
    }
    let (token, secret) = new_token(&admin, request, now);
    let body = format!(r#"{{"role":"{}"}}"#, token.role.as_str());
    let entry = entry(&admin, "token.created", &token.name, actor, body);
    admin.state.store.insert_token(&token, entry).await?;
    admin.state.refresh_tokens().await?;
    Ok(Created(TokenResponse { token, secret }))
}

fn new_token(admin: &Admin, request: CreateTokenRequest, now: Timestamp) -> (Token, String) {
    let secret = admin.state.ids.secret();
    let (text, id, digest) = mint(&admin.state.ids.ulid(), &secret);
    let token = Token {
        id,
        name: request.name,
        role: request.role,
        secret: digest,
        created_at: now,
        expires_at: request.expires_at,
    };
    (token, text)
}

fn entry(
    admin: &Admin,
    event: &'static str,
    name: &TokenName,
    actor: Actor,
    body: String,
) -> NewEntry {
    NewEntry {
        event,
        subject: format!("token/{name}"),
        actor,
        at: admin.state.clock.now(),
        body,
    }
}

async fn list_tokens(State(admin): State<Arc<Admin>>) -> Answer<List<Token>> {
    Ok(Json(List::whole(admin.state.store.tokens().await?)))
}

async fn revoke_token(
    State(admin): State<Arc<Admin>>,
    By(actor): By,
    One(name): One<TokenName>,
) -> Result<StatusCode, AdminError> {
    let entry = entry(&admin, "token.revoked", &name, actor, "{}".to_owned());
    if !admin.state.store.revoke_token(&name, entry).await? {
        return Err(AdminError::missing("token", &name));
    }
    admin.state.refresh_tokens().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerQuery {
    from: Option<u64>,
    limit: Option<u32>,
}

async fn list_ledger(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<LedgerQuery>,
) -> Answer<List<LedgerEntry>> {
    let limit = query.limit.unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT);
    let entries = admin
        .state
        .store
        .ledger(query.from.unwrap_or(1), limit)
        .await?;
    let full = entries.len() == limit as usize;
    let next = entries
        .last()
        .filter(|_| full)
        .map(|entry| (entry.seq + 1).to_string());
    Ok(Json(List {
        items: entries,
        next,
    }))
}

async fn get_openapi() -> Json<serde_json::Value> {
    Json(openapi::document(&super::operations()))
}
