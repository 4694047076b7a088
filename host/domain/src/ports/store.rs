//! The database and the artifact folder.
//!
//! Every method that changes something takes the ledger entry that records it
//! and writes both in one transaction. A miss is `None`; a name taken is
//! [`crate::error::ErrorKind::Conflict`].

use crate::{
    decision::{Decision, Promotion},
    digest::Digest,
    error::PortResult,
    evidence::{Dataset, Evaluation, ExternalMetric},
    gate::GateRevision,
    id::{DecisionId, EvaluationId, PromotionId, TokenId},
    ledger::{LedgerEntry, NewEntry},
    model::{Model, ModelVersion, VersionRef},
    name::{DatasetName, EndpointName, GateName, ModelName, PluginName, TokenName},
    plugin::PluginRevision,
    route::{Endpoint, EndpointSettings, Route},
    time::Timestamp,
    token::Token,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{fmt::Debug, path::PathBuf};

/// Where a page of a list starts and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Key after which to go on; `None` is the beginning.
    pub after: Option<String>,
    /// Most entries to give back.
    pub limit: u32,
}

/// Models and versions.
#[async_trait]
pub trait Models: Send + Sync + Debug {
    /// Registers a model. Conflict if the name is taken.
    async fn insert_model(&self, model: &Model, entry: NewEntry) -> PortResult<()>;
    /// One model.
    async fn model(&self, name: &ModelName) -> PortResult<Option<Model>>;
    /// Models by name.
    async fn models(&self, page: &Page) -> PortResult<Vec<Model>>;
    /// Registers a version under the next free number and gives it back;
    /// `version.version` is ignored. Missing if there is no such model.
    async fn insert_version(
        &self,
        version: &ModelVersion,
        entry: NewEntry,
    ) -> PortResult<ModelVersion>;
    /// One version.
    async fn version(&self, version: &VersionRef) -> PortResult<Option<ModelVersion>>;
    /// Versions of a model, newest first.
    async fn versions(&self, model: &ModelName) -> PortResult<Vec<ModelVersion>>;
}

/// Plugins and their revisions.
#[async_trait]
pub trait Plugins: Send + Sync + Debug {
    /// Registers a revision; the same digest again is the same revision and
    /// changes nothing.
    async fn insert_revision(&self, revision: &PluginRevision, entry: NewEntry) -> PortResult<()>;
    /// One revision by digest.
    async fn revision(&self, digest: &Digest) -> PortResult<Option<PluginRevision>>;
    /// Revisions, newest first; of one plugin or of all.
    async fn revisions(&self, plugin: Option<&PluginName>) -> PortResult<Vec<PluginRevision>>;
}

/// Gates and their revisions.
#[async_trait]
pub trait Gates: Send + Sync + Debug {
    /// Registers a revision and makes it the gate's current one.
    async fn insert_gate(&self, revision: &GateRevision, entry: NewEntry) -> PortResult<()>;
    /// Current revision of a gate.
    async fn gate(&self, name: &GateName) -> PortResult<Option<GateRevision>>;
    /// A revision by digest, current or not.
    async fn gate_revision(&self, digest: &Digest) -> PortResult<Option<GateRevision>>;
    /// Current revisions of all gates, by name.
    async fn gates(&self) -> PortResult<Vec<GateRevision>>;
}

/// Data sets.
#[async_trait]
pub trait Datasets: Send + Sync + Debug {
    /// Registers content under a name; the newest is the current one.
    async fn insert_dataset(&self, dataset: &Dataset, entry: NewEntry) -> PortResult<()>;
    /// Current content of a data set.
    async fn dataset(&self, name: &DatasetName) -> PortResult<Option<Dataset>>;
    /// Current contents of all data sets, by name.
    async fn datasets(&self) -> PortResult<Vec<Dataset>>;
}

/// Evaluations and external metrics.
#[async_trait]
pub trait Evaluations: Send + Sync + Debug {
    /// Writes a sealed evaluation.
    async fn insert_evaluation(&self, evaluation: &Evaluation, entry: NewEntry) -> PortResult<()>;
    /// One evaluation.
    async fn evaluation(&self, id: &EvaluationId) -> PortResult<Option<Evaluation>>;
    /// Evaluations of a version, newest first.
    async fn evaluations(&self, version: &VersionRef) -> PortResult<Vec<Evaluation>>;
    /// Logs metrics from outside.
    async fn insert_external(&self, metrics: &[ExternalMetric], entry: NewEntry) -> PortResult<()>;
    /// The latest external metric of each name.
    async fn external(&self, version: &VersionRef) -> PortResult<Vec<ExternalMetric>>;
}

/// What one promotion writes, all or nothing.
#[derive(Debug, Clone)]
pub struct PromotionCommit {
    /// The request and how it ended.
    pub promotion: Promotion,
    /// The decision.
    pub decision: Decision,
    /// The new route, for a cleared promotion. Its generation must be the
    /// stored one plus one, or the commit is a conflict and writes nothing.
    pub route: Option<Route>,
    /// Ledger entries, in order.
    pub entries: Vec<NewEntry>,
}

/// Endpoints, and the one door through which their routes change.
#[async_trait]
pub trait Endpoints: Send + Sync + Debug {
    /// Makes an endpoint with an empty route. Conflict if the name is taken.
    async fn insert_endpoint(&self, endpoint: &Endpoint, entry: NewEntry) -> PortResult<()>;
    /// Changes settings and gives the endpoint as it is then; none if there is
    /// no such endpoint.
    async fn update_settings(
        &self,
        name: &EndpointName,
        settings: &EndpointSettings,
        at: Timestamp,
        entry: NewEntry,
    ) -> PortResult<Option<Endpoint>>;
    /// One endpoint.
    async fn endpoint(&self, name: &EndpointName) -> PortResult<Option<Endpoint>>;
    /// All endpoints, by name.
    async fn endpoints(&self) -> PortResult<Vec<Endpoint>>;
    /// Writes promotion, decision, route and ledger in one transaction.
    async fn commit_promotion(&self, commit: PromotionCommit) -> PortResult<()>;
    /// One promotion.
    async fn promotion(&self, id: &PromotionId) -> PortResult<Option<Promotion>>;
    /// Promotions of an endpoint, or of all, newest first.
    async fn promotions(
        &self,
        endpoint: Option<&EndpointName>,
        page: &Page,
    ) -> PortResult<Vec<Promotion>>;
    /// One decision.
    async fn decision(&self, id: &DecisionId) -> PortResult<Option<Decision>>;
    /// Decisions, newest first.
    async fn decisions(
        &self,
        endpoint: Option<&EndpointName>,
        page: &Page,
    ) -> PortResult<Vec<Decision>>;
}

/// A reply that was given to an idempotency key. A change whose [`NewEntry`]
/// carries a key keeps its reply itself, in its own transaction: what the method
/// wrote, as the admin API answers it. So a retry after a crash finds either the
/// reply or nothing done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReply {
    /// Digest of method, path and body of the request that got it.
    pub request: Digest,
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// Tokens, the ledger, and replies kept for idempotency keys.
#[async_trait]
pub trait Records: Send + Sync + Debug {
    /// Makes a token. Conflict if the name is taken.
    async fn insert_token(&self, token: &Token, entry: NewEntry) -> PortResult<()>;
    /// All tokens, revoked ones left out.
    async fn tokens(&self) -> PortResult<Vec<Token>>;
    /// Revokes a token; false if there is none.
    async fn revoke_token(&self, name: &TokenName, entry: NewEntry) -> PortResult<bool>;
    /// One token by its public id.
    async fn token(&self, id: &TokenId) -> PortResult<Option<Token>>;
    /// Ledger entries from `from` on, in order.
    async fn ledger(&self, from: u64, limit: u32) -> PortResult<Vec<LedgerEntry>>;
    /// The reply kept for a token's key, if it is younger than `since`.
    async fn kept_reply(
        &self,
        actor: &str,
        key: &str,
        since: Timestamp,
    ) -> PortResult<Option<KeptReply>>;
    /// Keeps the reply of a success that changed nothing. Conflict if the key
    /// has one.
    async fn keep_reply(
        &self,
        actor: &str,
        key: &str,
        reply: &KeptReply,
        at: Timestamp,
    ) -> PortResult<()>;
}

/// All of the database.
pub trait Store: Models + Plugins + Gates + Datasets + Evaluations + Endpoints + Records {}

impl<T> Store for T where T: Models + Plugins + Gates + Datasets + Evaluations + Endpoints + Records {}

/// Takes in one artifact, piece by piece. Dropped without
/// [`ArtifactWriter::finish`], nothing remains.
#[async_trait]
pub trait ArtifactWriter: Send + Debug {
    /// Writes the next piece. Exhausted when the size limit is passed.
    async fn write(&mut self, piece: Bytes) -> PortResult<()>;
    /// Makes the bytes durable under their digest and gives digest and size.
    /// Invalid, and nothing kept, if `expected` is another digest.
    async fn finish(self: Box<Self>, expected: Option<Digest>) -> PortResult<(Digest, u64)>;
}

/// Content-addressed files.
#[async_trait]
pub trait Artifacts: Send + Sync + Debug {
    /// Starts an upload of at most `max_bytes`.
    async fn writer(&self, max_bytes: u64) -> PortResult<Box<dyn ArtifactWriter>>;
    /// Path of an artifact, if it is here.
    async fn path(&self, digest: &Digest) -> PortResult<Option<PathBuf>>;
    /// All bytes of an artifact.
    async fn read(&self, digest: &Digest) -> PortResult<Option<Vec<u8>>>;
}
