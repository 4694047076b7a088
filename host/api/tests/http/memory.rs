//! The database's ports kept in memory: endpoints and tokens, which is all that
//! predictions need. Everything else answers that it is not here.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by test files that each use a part"
)]

use async_trait::async_trait;
use domain::{
    decision::{Decision, Promotion},
    digest::Digest,
    error::{ErrorKind, PortError, PortResult},
    evidence::{Dataset, Evaluation, ExternalMetric},
    gate::GateRevision,
    id::{DecisionId, EvaluationId, PromotionId, TokenId},
    ledger::{LedgerEntry, NewEntry},
    model::{Model, ModelVersion, VersionRef},
    name::{DatasetName, EndpointName, GateName, ModelName, PluginName, TokenName},
    plugin::PluginRevision,
    ports::store::{
        Datasets, Endpoints, Evaluations, Gates, KeptReply, Models, Page, Plugins, PromotionCommit,
        Records,
    },
    route::{Endpoint, EndpointSettings},
    time::Timestamp,
    token::Token,
};
use std::sync::Mutex;

#[derive(Debug, Default)]
pub struct Memory {
    pub endpoints: Mutex<Vec<Endpoint>>,
    pub tokens: Mutex<Vec<Token>>,
}

fn absent<T>() -> PortResult<T> {
    Err(PortError::new(ErrorKind::Unavailable, "not kept in memory"))
}

#[async_trait]
impl Models for Memory {
    async fn insert_model(&self, _: &Model, _: NewEntry) -> PortResult<()> {
        absent()
    }
    async fn model(&self, _: &ModelName) -> PortResult<Option<Model>> {
        absent()
    }
    async fn models(&self, _: &Page) -> PortResult<Vec<Model>> {
        absent()
    }
    async fn insert_version(&self, _: &ModelVersion, _: NewEntry) -> PortResult<ModelVersion> {
        absent()
    }
    async fn version(&self, _: &VersionRef) -> PortResult<Option<ModelVersion>> {
        absent()
    }
    async fn versions(&self, _: &ModelName) -> PortResult<Vec<ModelVersion>> {
        absent()
    }
}

#[async_trait]
impl Plugins for Memory {
    async fn insert_revision(&self, _: &PluginRevision, _: NewEntry) -> PortResult<()> {
        absent()
    }
    async fn revision(&self, _: &Digest) -> PortResult<Option<PluginRevision>> {
        absent()
    }
    async fn revisions(&self, _: Option<&PluginName>) -> PortResult<Vec<PluginRevision>> {
        absent()
    }
}

#[async_trait]
impl Gates for Memory {
    async fn insert_gate(&self, _: &GateRevision, _: NewEntry) -> PortResult<()> {
        absent()
    }
    async fn gate(&self, _: &GateName) -> PortResult<Option<GateRevision>> {
        absent()
    }
    async fn gate_revision(&self, _: &Digest) -> PortResult<Option<GateRevision>> {
        absent()
    }
    async fn gates(&self) -> PortResult<Vec<GateRevision>> {
        absent()
    }
}

#[async_trait]
impl Datasets for Memory {
    async fn insert_dataset(&self, _: &Dataset, _: NewEntry) -> PortResult<()> {
        absent()
    }
    async fn dataset(&self, _: &DatasetName) -> PortResult<Option<Dataset>> {
        absent()
    }
    async fn datasets(&self) -> PortResult<Vec<Dataset>> {
        absent()
    }
}

#[async_trait]
impl Evaluations for Memory {
    async fn insert_evaluation(&self, _: &Evaluation, _: NewEntry) -> PortResult<()> {
        absent()
    }
    async fn evaluation(&self, _: &EvaluationId) -> PortResult<Option<Evaluation>> {
        absent()
    }
    async fn evaluations(&self, _: &VersionRef) -> PortResult<Vec<Evaluation>> {
        absent()
    }
    async fn insert_external(&self, _: &[ExternalMetric], _: NewEntry) -> PortResult<()> {
        absent()
    }
    async fn external(&self, _: &VersionRef) -> PortResult<Vec<ExternalMetric>> {
        absent()
    }
}

#[async_trait]
impl Endpoints for Memory {
    async fn insert_endpoint(&self, _: &Endpoint, _: NewEntry) -> PortResult<()> {
        absent()
    }
    async fn update_settings(
        &self,
        _: &EndpointName,
        _: &EndpointSettings,
        _: Timestamp,
        _: NewEntry,
    ) -> PortResult<Option<Endpoint>> {
        absent()
    }
    async fn endpoint(&self, name: &EndpointName) -> PortResult<Option<Endpoint>> {
        Ok(self
            .endpoints
            .lock()
            .unwrap()
            .iter()
            .find(|e| e.name == *name)
            .cloned())
    }
    async fn endpoints(&self) -> PortResult<Vec<Endpoint>> {
        Ok(self.endpoints.lock().unwrap().clone())
    }
    async fn commit_promotion(&self, _: PromotionCommit) -> PortResult<()> {
        absent()
    }
    async fn promotion(&self, _: &PromotionId) -> PortResult<Option<Promotion>> {
        absent()
    }
    async fn promotions(&self, _: Option<&EndpointName>, _: &Page) -> PortResult<Vec<Promotion>> {
        absent()
    }
    async fn decision(&self, _: &DecisionId) -> PortResult<Option<Decision>> {
        absent()
    }
    async fn decisions(&self, _: Option<&EndpointName>, _: &Page) -> PortResult<Vec<Decision>> {
        absent()
    }
}

#[async_trait]
impl Records for Memory {
    async fn insert_token(&self, _: &Token, _: NewEntry) -> PortResult<()> {
        absent()
    }
    async fn tokens(&self) -> PortResult<Vec<Token>> {
        Ok(self.tokens.lock().unwrap().clone())
    }
    async fn revoke_token(&self, _: &TokenName, _: NewEntry) -> PortResult<bool> {
        absent()
    }
    async fn token(&self, _: &TokenId) -> PortResult<Option<Token>> {
        absent()
    }
    async fn ledger(&self, _: u64, _: u32) -> PortResult<Vec<LedgerEntry>> {
        absent()
    }
    async fn kept_reply(&self, _: &str, _: &str, _: Timestamp) -> PortResult<Option<KeptReply>> {
        absent()
    }
    async fn keep_reply(&self, _: &str, _: &str, _: &KeptReply, _: Timestamp) -> PortResult<()> {
        absent()
    }
}
