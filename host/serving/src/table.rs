//! The routes in memory: loaded beside the ones in service, swapped whole.

use crate::{
    lane::Pool,
    live::{LiveEndpoint, LiveVariant},
    predict::{Answer, PredictError, PredictRequest, predict},
    trouble::{NotLoaded, Troubles},
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use domain::{
    error::{ErrorKind, PortError, PortResult},
    model::VersionRef,
    name::EndpointName,
    ports::{
        Clock,
        engine::{LoadedVersion, Publisher, Versions},
        store::Endpoints,
    },
    route::{Endpoint, Variant},
};
use std::{collections::HashMap, sync::Arc};

type Table = HashMap<String, Arc<LiveEndpoint>>;

/// All endpoints in service.
#[derive(Debug)]
pub struct Serving {
    table: ArcSwap<Table>,
    store: Arc<dyn Endpoints>,
    versions: Arc<dyn Versions>,
    pool: Arc<Pool>,
    clock: Arc<dyn Clock>,
    troubles: Troubles,
    /// One change of the table at a time; readers never wait.
    changing: tokio::sync::Mutex<()>,
    seed: u64,
}

impl Serving {
    /// Serves nothing until [`Serving::sync`] or a publication.
    pub fn new(
        store: Arc<dyn Endpoints>,
        versions: Arc<dyn Versions>,
        pool: Arc<Pool>,
        clock: Arc<dyn Clock>,
        seed: u64,
    ) -> Self {
        Self {
            table: ArcSwap::from_pointee(Table::new()),
            store,
            versions,
            pool,
            clock,
            troubles: Troubles::default(),
            changing: tokio::sync::Mutex::new(()),
            seed,
        }
    }

    /// The endpoint called `name`, as it is served now.
    pub fn endpoint(&self, name: &str) -> Option<Arc<LiveEndpoint>> {
        self.table.load().get(name).cloned()
    }

    /// All endpoints, by name.
    pub fn endpoints(&self) -> Vec<Arc<LiveEndpoint>> {
        let mut all: Vec<_> = self.table.load().values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Answers one request.
    pub async fn predict(
        &self,
        endpoint: &LiveEndpoint,
        request: PredictRequest,
    ) -> Result<Answer, PredictError> {
        predict(&self.pool, endpoint, request).await
    }

    /// Brings the table up to the database: what is new or changed is loaded
    /// and swapped in, what is unchanged stays. An endpoint that fails to load
    /// keeps serving what it served and is tried again after a pause that grows;
    /// all failures of this call are given back.
    pub async fn sync(&self) -> PortResult<Vec<(EndpointName, PortError)>> {
        let mut failures = Vec::new();
        for endpoint in self.store.endpoints().await? {
            let name = endpoint.name.clone();
            let current = self.endpoint(name.as_str());
            let same = current.is_some_and(|live| {
                live.route == endpoint.route && live.settings == endpoint.settings
            });
            let due = self.troubles.is_due(&endpoint, self.clock.now());
            if !same
                && due
                && let Err(error) = self.publish(&name).await
            {
                failures.push((name, error));
            }
        }
        Ok(failures)
    }

    /// Loads what the record asks for and swaps it in. Only with `changing` held
    /// since before the record was read: settings have no generation, and an
    /// earlier record published later would bring back, say, open access.
    async fn publish_record(&self, endpoint: Endpoint) -> PortResult<u64> {
        let current = self.endpoint(endpoint.name.as_str());
        if let Some(live) = &current
            && live.route.generation > endpoint.route.generation
        {
            // A later route got here first; never go back.
            return Ok(live.route.generation);
        }
        let mut variants = Vec::with_capacity(endpoint.route.variants.len());
        for variant in &endpoint.route.variants {
            variants.push(
                self.live_variant(variant, &endpoint, current.as_deref())
                    .await?,
            );
        }
        let generation = endpoint.route.generation;
        let live = LiveEndpoint::new(
            endpoint.name,
            endpoint.settings,
            endpoint.route,
            variants,
            self.seed,
        );
        self.put(live);
        Ok(generation)
    }

    /// Puts off the next try. Where nothing is served, callers hear why, and that
    /// the endpoint exists.
    fn not_loaded(&self, record: Endpoint, kind: ErrorKind) {
        let pause_ms = self.troubles.failed(&record, self.clock.now());
        let current = self.endpoint(record.name.as_str());
        if current.is_none_or(|live| live.variants.is_empty()) {
            // No route of the database has generation 0 with variants, so this is
            // never taken for the record itself.
            let why = NotLoaded::new(kind, pause_ms);
            self.put(LiveEndpoint::not_loaded(record.name, record.settings, why));
        }
    }

    fn put(&self, live: LiveEndpoint) {
        let mut table = Table::clone(&self.table.load());
        table.insert(live.name.to_string(), Arc::new(live));
        self.table.store(Arc::new(table));
    }

    /// The variant as it runs already, or loaded now.
    async fn live_variant(
        &self,
        variant: &Variant,
        endpoint: &Endpoint,
        current: Option<&LiveEndpoint>,
    ) -> PortResult<Arc<LiveVariant>> {
        let kept = current
            .filter(|live| live.settings.batching == endpoint.settings.batching)
            .and_then(|live| live.variants.iter().find(|live| live.variant == *variant));
        if let Some(kept) = kept {
            return Ok(Arc::clone(kept));
        }
        let loaded = self.versions.load(&variant.version).await?;
        if loaded.version.artifact != variant.artifact
            || loaded.version.transform != variant.transform
        {
            return Err(PortError::new(
                ErrorKind::Internal,
                format!(
                    "version {} is not what the route was cleared for",
                    variant.version
                ),
            ));
        }
        let (variant, batching) = (variant.clone(), endpoint.settings.batching);
        let pool = Arc::clone(&self.pool);
        let runtime = tokio::runtime::Handle::current();
        let live = tokio::task::spawn_blocking(move || {
            // Batchers start on the runtime that is current.
            let _entered = runtime.enter();
            LiveVariant::new(variant, loaded, batching, &pool)
        });
        live.await.map(Arc::new).map_err(|error| {
            PortError::new(ErrorKind::Internal, "a model failed while it was measured")
                .caused_by(error)
        })
    }
}

#[async_trait]
impl Publisher for Serving {
    async fn prepare(&self, version: &VersionRef) -> PortResult<()> {
        let _loaded: Arc<LoadedVersion> = self.versions.load(version).await?;
        Ok(())
    }

    async fn publish(&self, endpoint: &EndpointName) -> PortResult<u64> {
        let _one = self.changing.lock().await;
        let record = self.store.endpoint(endpoint).await?.ok_or_else(|| {
            PortError::new(
                ErrorKind::Missing,
                format!("endpoint {endpoint} does not exist"),
            )
        })?;
        let published = self.publish_record(record.clone()).await;
        match &published {
            Ok(_) => self.troubles.over(endpoint),
            Err(error) => self.not_loaded(record, error.kind),
        }
        published
    }
}
