//! A database with a model of several versions, an endpoint, and gates that say
//! what their manifest tells them to.

use async_trait::async_trait;
use domain::{
    decision::{Outcome, Verdict},
    digest::Digest,
    error::PortResult,
    evidence::{Dataset, EvaluatedBaseline, Evaluation, Latency, Task},
    gate::{Enforcement, GateBundle, GateInput, GateManifest, GateRevision},
    id::EvaluationId,
    json::canonical_digest,
    ledger::NewEntry,
    model::{Format, Model, ModelVersion, VersionRef},
    name::{EndpointName, VersionNumber},
    ports::{
        Clock, Ids,
        engine::{GateAdmitError, GateEngine, GateTest, Publisher},
        store::{Datasets as _, Endpoints as _, Evaluations as _, Gates as _, Models as _, Store},
    },
    route::{Endpoint, EndpointSettings, Route},
    signature::Signature,
    time::Timestamp,
    token::Role,
};
use rollout::{PromoteRequest, Rollout};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    },
};
use store::SqlStore;

/// A clock and ids that count.
#[derive(Debug, Default)]
pub(crate) struct Counting(AtomicU64, AtomicI64);

impl Clock for Counting {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.1.fetch_add(1, SeqCst))
    }
}

impl Ids for Counting {
    fn ulid(&self) -> String {
        format!("{:026}", self.0.fetch_add(1, SeqCst))
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}

/// Says what the manifest's parameter `says` tells it to.
#[derive(Debug)]
pub(crate) struct Told;

impl GateEngine for Told {
    fn admit(&self, _: &GateBundle) -> Result<(), GateAdmitError> {
        Ok(())
    }

    fn test(&self, _: &GateBundle) -> Result<Vec<GateTest>, GateAdmitError> {
        Ok(Vec::new())
    }

    fn evaluate(&self, bundle: &GateBundle, _: &GateInput) -> Verdict {
        let outcome = bundle.manifest.parameters["says"].clone();
        Verdict {
            outcome: serde_json::from_value(outcome).unwrap(),
            ..Verdict::denied("told", "as told")
        }
    }

    fn engine(&self) -> String {
        "told 1".to_owned()
    }
}

/// Counts publications.
#[derive(Debug, Default)]
pub(crate) struct Counter(pub(crate) AtomicU64);

#[async_trait]
impl Publisher for Counter {
    async fn prepare(&self, _: &VersionRef) -> PortResult<()> {
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn publish(&self, _: &EndpointName) -> PortResult<u64> {
        Ok(self.0.fetch_add(1, SeqCst))
    }
}

pub(crate) struct World {
    pub(crate) store: Arc<SqlStore>,
    pub(crate) rollout: Rollout,
    pub(crate) published: Arc<Counter>,
    _folder: tempfile::TempDir,
}

pub(crate) const VERSIONS: u32 = 6;

pub(crate) fn version(number: u32) -> VersionRef {
    VersionRef {
        model: "m".parse().unwrap(),
        version: VersionNumber(number),
    }
}

pub(crate) fn artifact(number: u32) -> Digest {
    Digest::of(&number.to_le_bytes())
}

fn entry() -> NewEntry {
    NewEntry {
        event: "test",
        subject: "test".to_owned(),
        actor: "test".into(),
        at: Timestamp(0),
        body: "{}".to_owned(),
    }
}

impl World {
    /// A model with six versions, and an endpoint `e` behind `gates`.
    pub(crate) async fn new(gates: &[(Enforcement, Outcome)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("t.db").display());
        let store = Arc::new(SqlStore::open(&url).await.unwrap());
        let published = Arc::new(Counter::default());
        let counting = Arc::new(Counting::default());
        let rollout = Rollout {
            store: Arc::clone(&store) as Arc<dyn Store>,
            gates: Arc::new(Told),
            publisher: Arc::clone(&published) as _,
            clock: Arc::clone(&counting) as _,
            ids: counting,
        };
        let world = Self {
            store,
            rollout,
            published,
            _folder: folder,
        };
        world.register(gates).await;
        world
    }

    async fn register(&self, gates: &[(Enforcement, Outcome)]) {
        let model = Model {
            name: "m".parse().unwrap(),
            description: String::new(),
            created_at: Timestamp(0),
        };
        self.store.insert_model(&model, entry()).await.unwrap();
        for number in 1..=VERSIONS {
            let version = ModelVersion {
                model: "m".parse().unwrap(),
                version: VersionNumber(0),
                artifact: artifact(number),
                size: 4,
                format: Format::Onnx,
                signature: Signature {
                    inputs: vec![],
                    outputs: vec![],
                },
                architecture: None,
                transform: None,
                lineage: BTreeMap::new(),
                created_by: "test".to_owned(),
                created_at: Timestamp(0),
            };
            self.store.insert_version(&version, entry()).await.unwrap();
        }
        let mut names = Vec::new();
        for (at, (enforcement, says)) in gates.iter().enumerate() {
            names.push(self.gate(&format!("g{at}"), *enforcement, *says).await);
        }
        self.dataset(b"rows").await;
        let endpoint = Endpoint {
            name: "e".parse().unwrap(),
            settings: EndpointSettings {
                gates: names,
                dataset: Some("d".parse().unwrap()),
                access: Default::default(),
                sticky_header: None,
                timeout_ms: 1000,
                batching: Default::default(),
            },
            route: Route::default(),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        self.store
            .insert_endpoint(&endpoint, entry())
            .await
            .unwrap();
    }

    async fn gate(
        &self,
        name: &str,
        enforcement: Enforcement,
        says: Outcome,
    ) -> domain::name::GateName {
        let says = serde_json::to_value(says).unwrap();
        let bundle = GateBundle {
            manifest: GateManifest {
                package: name.to_owned(),
                required_checks: vec!["told".to_owned()],
                enforcement,
                parameters: [("says".to_owned(), says)].into_iter().collect(),
                max_evidence_age_s: 1000,
                owners: vec![],
            },
            modules: BTreeMap::new(),
        };
        let revision = GateRevision {
            name: name.parse().unwrap(),
            digest: canonical_digest(&bundle).unwrap(),
            bundle,
            created_by: "test".to_owned(),
            created_at: Timestamp(0),
        };
        self.store.insert_gate(&revision, entry()).await.unwrap();
        revision.name
    }

    /// The data set `d` with this content as its current one.
    pub(crate) async fn dataset(&self, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let dataset = Dataset {
            name: "d".parse().unwrap(),
            digest,
            size: 4,
            format: "csv".to_owned(),
            rows: 1,
            columns: vec!["y".to_owned()],
            label: "y".to_owned(),
            task: Task::Binary,
            created_by: "test".to_owned(),
            created_at: Timestamp(0),
        };
        self.store.insert_dataset(&dataset, entry()).await.unwrap();
        digest
    }

    /// Keeps an evaluation of version `number`, changed by `change` before it is
    /// sealed and by `spoil` after.
    pub(crate) async fn evaluated(
        &self,
        number: u32,
        change: impl FnOnce(&mut Evaluation),
        spoil: impl FnOnce(&mut Evaluation),
    ) -> EvaluationId {
        let mut evaluation = Evaluation {
            id: EvaluationId::from_ulid(&self.rollout.ids.ulid()),
            version: version(number),
            artifact: artifact(number),
            transform: None,
            dataset: "d".parse().unwrap(),
            dataset_digest: Digest::of(b"rows"),
            task: Task::Binary,
            rows: 1,
            engine: "e".to_owned(),
            seed: 0,
            metrics: BTreeMap::new(),
            slices: vec![],
            latency: Latency {
                p50_ms: 1.0,
                p95_ms: 1.0,
                p99_ms: 1.0,
                n: 1,
            },
            baseline: None,
            created_by: "test".to_owned(),
            started_at: Timestamp(0),
            finished_at: Timestamp(0),
            seal: None,
        };
        change(&mut evaluation);
        let mut evaluation = evaluation.sealed().unwrap();
        spoil(&mut evaluation);
        self.store
            .insert_evaluation(&evaluation, entry())
            .await
            .unwrap();
        evaluation.id
    }

    pub(crate) async fn endpoint(&self) -> Endpoint {
        let endpoint = self.store.endpoint(&"e".parse().unwrap()).await;
        endpoint.unwrap().unwrap()
    }
}

pub(crate) fn baseline(number: u32) -> EvaluatedBaseline {
    EvaluatedBaseline {
        version: version(number),
        artifact: artifact(number),
        transform: None,
        metrics: BTreeMap::new(),
        differences: BTreeMap::new(),
    }
}

pub(crate) fn request(number: u32, overriding: Option<&str>) -> PromoteRequest {
    PromoteRequest {
        endpoint: "e".parse().unwrap(),
        candidate: version(number),
        reason: "test".to_owned(),
        requester: "tester".into(),
        role: Role::Admin,
        override_reason: overriding.map(str::to_owned),
    }
}
