//! A server on a loopback port over the real `serving`, with models and a
//! transform small enough to read, and a database kept in memory.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by test files that each use a part"
)]

use super::memory::Memory;
use api::{ApiState, EdgeConfig, edge::serve::Drained};
use async_trait::async_trait;
use domain::{
    batch::{Batch, Buffer, Contract, Element, FieldSpec, OutputSpec},
    digest::Digest,
    error::{ErrorKind, PortError, PortResult},
    model::{Format, ModelVersion, VersionRef},
    name::VersionNumber,
    ports::{
        Clock, Ids,
        engine::{InferError, LoadedVersion, Model, PluginError, Transform, Versions},
    },
    route::{Access, Endpoint, EndpointSettings, FULL_WEIGHT, Route, Variant, VariantRole},
    signature::{Prepared, Signature, TensorSpec},
    tensor::{DATA_TYPES, DataType, Tensor, TensorData},
    time::Timestamp,
    token::{Role, Token},
};
use serving::{Serving, lane::Pool};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};
use tokio_util::sync::CancellationToken;

/// What a test model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Gives back its inputs, named `OUT` or `<name>_out`.
    Echo,
    /// The sum of each row of its first input, as `sum`, FP32 `[-1]`.
    Sum,
    /// Like an ONNX classifier: `label` INT64 `[-1]` (1 where the first column
    /// is larger than 1, else 0), `probabilities` FP32 `[-1, 2]`.
    Classify,
    /// NaN and infinities.
    Strange,
    /// Fails with an internal error when a value is negative, panics when it is
    /// beyond 1000, waits for [`Fixture::gate`] when it is 500.
    Touchy,
}

#[derive(Debug)]
struct TestModel {
    signature: Signature,
    behaviour: Behaviour,
    gate: Arc<std::sync::Barrier>,
}

fn specs(behaviour: Behaviour, inputs: &[TensorSpec]) -> Vec<TensorSpec> {
    match behaviour {
        Behaviour::Echo => {
            let outputs = inputs.iter().map(|spec| TensorSpec {
                name: echo_name(&spec.name).into(),
                ..spec.clone()
            });
            outputs.collect()
        }
        Behaviour::Sum | Behaviour::Touchy => {
            vec![TensorSpec::new("sum", DataType::Fp32, vec![-1])]
        }
        Behaviour::Strange => vec![TensorSpec::new("strange", DataType::Fp64, vec![-1, 3])],
        Behaviour::Classify => vec![
            TensorSpec::new("label", DataType::Int64, vec![-1]),
            TensorSpec::new("probabilities", DataType::Fp32, vec![-1, 2]),
        ],
    }
}

fn echo_name(input: &str) -> String {
    if matches!(input, "IN" | "S") {
        "OUT".to_owned()
    } else {
        format!("{input}_out")
    }
}

impl Model for TestModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn format(&self) -> Format {
        Format::Onnx
    }

    fn infer(&self, inputs: &Prepared) -> Result<Vec<Tensor>, InferError> {
        let rows = inputs.rows();
        let first = &inputs.tensors()[0];
        let name = |at: usize| Arc::clone(&self.signature.outputs[at].name);
        let table = || {
            let values = first.data.to_f64().unwrap_or_default();
            let width = (values.len() / rows.max(1)).max(1);
            values
                .chunks(width)
                .map(<[f64]>::to_vec)
                .collect::<Vec<_>>()
        };
        Ok(match self.behaviour {
            Behaviour::Echo => {
                let outputs = inputs.tensors().iter().map(|tensor| Tensor {
                    name: echo_name(&tensor.name).into(),
                    ..tensor.clone()
                });
                outputs.collect()
            }
            Behaviour::Sum => vec![Tensor {
                name: name(0),
                shape: vec![rows],
                data: TensorData::Fp32(
                    table()
                        .iter()
                        .map(|row| row.iter().sum::<f64>() as f32)
                        .collect(),
                ),
            }],
            Behaviour::Classify => {
                let label = |row: &Vec<f64>| i64::from(row[0] > 1.0);
                let labels: Vec<i64> = table().iter().map(label).collect();
                let sure = labels.iter().flat_map(|&l| [1.0 - l as f32, l as f32]);
                vec![
                    Tensor {
                        name: name(1),
                        shape: vec![rows, 2],
                        data: TensorData::Fp32(sure.collect()),
                    },
                    Tensor {
                        name: name(0),
                        shape: vec![rows],
                        data: TensorData::Int64(labels),
                    },
                ]
                .into_iter()
                .rev()
                .collect()
            }
            Behaviour::Strange => vec![Tensor {
                name: name(0),
                shape: vec![rows, 3],
                data: TensorData::Fp64([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].repeat(rows)),
            }],
            Behaviour::Touchy => {
                let values: Vec<f64> = table().into_iter().flatten().collect();
                if values.iter().any(|&x| x < 0.0) {
                    return Err(InferError {
                        kind: ErrorKind::Internal,
                        message: "the model broke".to_owned(),
                    });
                }
                assert!(values.iter().all(|&x| x <= 1000.0), "touched");
                if values.contains(&500.0) {
                    // Once to say it runs, once to be let go.
                    self.gate.wait();
                    self.gate.wait();
                }
                vec![Tensor {
                    name: name(0),
                    shape: vec![rows],
                    data: TensorData::Fp32(vec![0.0; rows]),
                }]
            }
        })
    }
}

/// Doubles two columns, `a` and `b`, into one tensor `x` of two columns.
#[derive(Debug)]
struct Doubling(Contract);

impl Transform for Doubling {
    fn contract(&self) -> &Contract {
        &self.0
    }

    fn apply(&self, batch: &Batch) -> Result<Vec<Tensor>, PluginError> {
        let Buffer::F32(values) = &batch.blocks[0].values else {
            return Err(PluginError::Contract("floats expected".to_owned()));
        };
        if values.contains(&13.0) {
            return Err(PluginError::Failure {
                kind: ErrorKind::Invalid,
                code: "unlucky".to_owned(),
                message: "13 is not accepted".to_owned(),
                field: Some("a".to_owned()),
                row: Some(0),
            });
        }
        let (a, b) = values.split_at(batch.rows);
        let doubled = a.iter().zip(b).flat_map(|(a, b)| [2.0 * a, 2.0 * b]);
        Ok(vec![Tensor {
            name: "x".into(),
            shape: vec![batch.rows, 2],
            data: TensorData::Fp32(doubled.collect()),
        }])
    }
}

fn doubling() -> Doubling {
    let field = |name: &str| FieldSpec {
        name: name.into(),
        element: Element::F32,
        nullable: true,
    };
    Doubling(Contract {
        inputs: vec![field("a"), field("b")],
        outputs: vec![OutputSpec {
            name: "x".into(),
            element: Element::F32,
            shape: vec![-1, 2],
        }],
    })
}

/// The model of every endpoint below, by model name.
fn models() -> HashMap<&'static str, (Behaviour, Vec<TensorSpec>, bool)> {
    use Behaviour::{Classify, Echo, Strange, Sum, Touchy};
    let table = |name: &str, width: i64| TensorSpec::new(name, DataType::Fp32, vec![-1, width]);
    let named = TensorSpec {
        fields: vec!["a".to_owned(), "b".to_owned()],
        ..table("x", 2)
    };
    let everything = DATA_TYPES
        .map(|datatype| TensorSpec::new(datatype.as_str().to_lowercase(), datatype, vec![-1, -1]));
    HashMap::from([
        ("m", (Echo, vec![table("IN", 2)], false)),
        (
            "s",
            (
                Echo,
                vec![TensorSpec::new("S", DataType::Bytes, vec![-1])],
                false,
            ),
        ),
        ("all", (Echo, everything.to_vec(), false)),
        ("sum30", (Sum, vec![table("x", 30)], false)),
        ("sum2", (Sum, vec![table("x", 2)], true)),
        ("clf", (Classify, vec![named], false)),
        ("strange", (Strange, vec![table("x", 2)], false)),
        ("touchy", (Touchy, vec![table("x", 1)], false)),
    ])
}

/// The version whose file is damaged until someone restores it.
#[derive(Debug, Default)]
pub struct Damaged {
    pub tries: AtomicU64,
    pub restored: AtomicBool,
}

#[derive(Debug)]
struct TestVersions(Arc<std::sync::Barrier>, Arc<Damaged>);

#[async_trait]
impl Versions for TestVersions {
    async fn load(&self, version: &VersionRef) -> PortResult<Arc<LoadedVersion>> {
        let mut name = version.model.as_str();
        if name == "damaged" {
            self.1.tries.fetch_add(1, Relaxed);
            if !self.1.restored.load(Relaxed) {
                let message = "model file sha256:00 was changed on disk";
                return Err(PortError::new(ErrorKind::Internal, message));
            }
            name = "m";
        }
        let (behaviour, inputs, transform) = models()
            .remove(name)
            .ok_or_else(|| PortError::new(ErrorKind::Missing, format!("no version {version}")))?;
        let signature = Signature {
            outputs: specs(behaviour, &inputs),
            inputs,
        };
        let transform = transform.then(|| Digest::of(b"doubling"));
        Ok(Arc::new(LoadedVersion {
            version: ModelVersion {
                model: version.model.clone(),
                version: version.version,
                artifact: Digest::of(b""),
                size: 0,
                format: Format::Onnx,
                signature: signature.clone(),
                architecture: None,
                transform,
                lineage: Default::default(),
                created_by: "test".to_owned(),
                created_at: Timestamp(0),
            },
            model: Arc::new(TestModel {
                signature,
                behaviour,
                gate: Arc::clone(&self.0),
            }),
            transform: transform.map(|_| Arc::new(doubling()) as Arc<dyn Transform>),
        }))
    }
}

/// A clock moved by hand.
#[derive(Debug)]
pub struct HandClock(pub AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Relaxed))
    }
}

/// Predictable ids.
#[derive(Debug, Default)]
pub struct CountedIds(AtomicU64);

impl Ids for CountedIds {
    fn ulid(&self) -> String {
        format!("{:026}", self.0.fetch_add(1, Relaxed))
    }

    fn secret(&self) -> [u8; 32] {
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&self.0.fetch_add(1, Relaxed).to_le_bytes());
        secret
    }
}

/// A variant of `model` with `weight`.
pub fn variant(model: &str, version: u32, weight: u32) -> Variant {
    let champion = version == 1;
    Variant {
        name: if champion { "champion" } else { "challenger" }.to_owned(),
        role: if champion {
            VariantRole::Champion
        } else {
            VariantRole::Challenger
        },
        version: VersionRef {
            model: model.parse().unwrap(),
            version: VersionNumber(version),
        },
        artifact: Digest::of(b""),
        transform: models()[model].2.then(|| Digest::of(b"doubling")),
        weight,
    }
}

/// An endpoint called like its model, open, with one variant.
pub fn endpoint(name: &str, variants: Vec<Variant>, access: Access) -> Endpoint {
    Endpoint {
        name: name.parse().unwrap(),
        settings: EndpointSettings {
            gates: vec![],
            dataset: None,
            access,
            sticky_header: Some("x-user".to_owned()),
            timeout_ms: 2_000,
            batching: domain::route::Batching {
                max_rows: 1,
                max_delay_us: 0,
            },
        },
        route: Route {
            generation: 1,
            variants,
        },
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

fn endpoints() -> Vec<Endpoint> {
    let mut all: Vec<Endpoint> = models()
        .keys()
        .map(|name| endpoint(name, vec![variant(name, 1, FULL_WEIGHT)], Access::Open))
        .collect();
    let two = vec![variant("m", 1, 5_000), variant("m", 2, 5_000)];
    all.push(endpoint("two", two, Access::Open));
    all.push(endpoint("empty", vec![], Access::Open));
    all.push(endpoint(
        "closed",
        vec![variant("m", 1, FULL_WEIGHT)],
        Access::Token,
    ));
    all.push(endpoint(
        "sum30-closed",
        vec![variant("sum30", 1, FULL_WEIGHT)],
        Access::Token,
    ));
    if let Some(touchy) = all.iter_mut().find(|e| e.name.as_str() == "touchy") {
        touchy.settings.timeout_ms = 100;
    }
    all
}

/// A running server.
pub struct Fixture {
    pub address: SocketAddr,
    pub state: Arc<ApiState>,
    pub memory: Arc<Memory>,
    pub clock: Arc<HandClock>,
    /// Where [`Behaviour::Touchy`] waits.
    pub gate: Arc<std::sync::Barrier>,
    /// Its version is `damaged/1`.
    pub damaged: Arc<Damaged>,
    pub stop: CancellationToken,
    pub server: tokio::task::JoinHandle<Drained>,
}

impl Fixture {
    /// A server with these limits and every endpoint above.
    pub async fn start(config: EdgeConfig) -> Self {
        Self::start_on(config, "127.0.0.1:0").await
    }

    pub async fn start_on(config: EdgeConfig, address: &str) -> Self {
        Self::with(config, endpoints(), address).await
    }

    pub async fn with(config: EdgeConfig, endpoints: Vec<Endpoint>, address: &str) -> Self {
        let memory = Arc::new(Memory::default());
        *memory.endpoints.lock().unwrap() = endpoints;
        let gate = Arc::new(std::sync::Barrier::new(2));
        let clock = Arc::new(HandClock(AtomicI64::new(1_000_000)));
        let damaged = Arc::new(Damaged::default());
        let serving = Arc::new(Serving::new(
            memory.clone(),
            Arc::new(TestVersions(Arc::clone(&gate), Arc::clone(&damaged))),
            Arc::new(Pool::new(4, 64)),
            clock.clone(),
            1,
        ));
        assert!(serving.sync().await.unwrap().is_empty());
        let state = Arc::new(ApiState::new(
            serving,
            memory.clone(),
            clock.clone(),
            Arc::new(CountedIds::default()),
            config.clone(),
        ));
        state.set_ready(true);
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = api::router(Arc::clone(&state), None);
        let stopped = stop.clone();
        let server = tokio::spawn(async move {
            api::serve(listener, router, &config, stopped.cancelled()).await
        });
        Self {
            address,
            state,
            memory,
            clock,
            gate,
            damaged,
            stop,
            server,
        }
    }

    /// A new token's text.
    pub async fn token(&self, name: &str, role: Role, expires_at: Option<i64>) -> String {
        let ids = &self.state.ids;
        let (text, id, secret) = api::edge::auth::mint(&ids.ulid(), &ids.secret());
        self.memory.tokens.lock().unwrap().push(Token {
            id,
            name: name.parse().unwrap(),
            role,
            secret,
            created_at: Timestamp(0),
            expires_at: expires_at.map(Timestamp),
        });
        self.state.refresh_tokens().await.unwrap();
        text
    }
}
