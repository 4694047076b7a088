//! A model that doubles numbers, fast or slow, and held on demand.

use domain::{
    digest::Digest,
    error::ErrorKind,
    model::{Format, ModelVersion, VersionRef},
    name::VersionNumber,
    ports::engine::{InferError, LoadedVersion, Model},
    route::{Access, Batching, EndpointSettings, Route, Variant, VariantRole},
    signature::{Prepared, Signature, TensorSpec},
    tensor::{DataType, Tensor, TensorData},
    time::Timestamp,
};
use serving::{LiveEndpoint, LiveVariant, lane::Pool};
use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// A value that the model refuses.
pub(crate) const REFUSED: f32 = -1.0;

/// Gives back twice what it gets.
#[derive(Debug)]
pub(crate) struct Doubler {
    signature: Signature,
    /// Time that a call burns.
    cost: Duration,
    /// Calls so far.
    pub(crate) calls: AtomicUsize,
    held: Mutex<bool>,
    free: Condvar,
}

impl Doubler {
    fn new(cost: Duration) -> Self {
        Self {
            signature: Signature {
                inputs: vec![TensorSpec::new("x", DataType::Fp32, vec![-1, 1])],
                outputs: vec![TensorSpec::new("y", DataType::Fp32, vec![-1, 1])],
            },
            cost,
            calls: AtomicUsize::new(0),
            held: Mutex::new(false),
            free: Condvar::new(),
        }
    }

    pub(crate) fn fast() -> Self {
        Self::new(Duration::ZERO)
    }

    /// Too slow to run inline.
    pub(crate) fn slow() -> Self {
        Self::new(Duration::from_millis(1))
    }

    pub(crate) fn hold(&self) {
        *self.held.lock().unwrap() = true;
    }

    pub(crate) fn release(&self) {
        *self.held.lock().unwrap() = false;
        self.free.notify_all();
    }
}

impl Model for Doubler {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn format(&self) -> Format {
        Format::Onnx
    }

    fn infer(&self, inputs: &Prepared) -> Result<Vec<Tensor>, InferError> {
        self.calls.fetch_add(1, SeqCst);
        let start = Instant::now();
        while start.elapsed() < self.cost {
            std::hint::spin_loop();
        }
        let held = self.held.lock().unwrap();
        drop(self.free.wait_while(held, |held| *held).unwrap());
        let TensorData::Fp32(values) = &inputs.tensors()[0].data else {
            panic!("not floats")
        };
        if values.contains(&REFUSED) {
            return Err(InferError {
                kind: ErrorKind::Invalid,
                message: "refused".to_owned(),
            });
        }
        let doubled = values.iter().map(|value| value * 2.0).collect();
        let shape = inputs.tensors()[0].shape.clone();
        Ok(vec![Tensor {
            name: "y".into(),
            shape,
            data: TensorData::Fp32(doubled),
        }])
    }
}

/// A loaded variant of `model`.
pub(crate) fn variant(
    model: &Arc<Doubler>,
    version: u32,
    weight: u32,
    batching: Batching,
    pool: &Arc<Pool>,
) -> Arc<LiveVariant> {
    let name = VersionRef {
        model: "m".parse().unwrap(),
        version: VersionNumber(version),
    };
    let artifact = Digest::of(b"model");
    let record = ModelVersion {
        model: name.model.clone(),
        version: name.version,
        artifact,
        size: 5,
        format: Format::Onnx,
        signature: model.signature.clone(),
        architecture: None,
        transform: None,
        lineage: Default::default(),
        created_by: "test".to_owned(),
        created_at: Timestamp(0),
    };
    let loaded = LoadedVersion {
        version: record,
        model: Arc::clone(model) as _,
        transform: None,
    };
    let variant = Variant {
        name: format!("v{version}"),
        role: VariantRole::Champion,
        version: name,
        artifact,
        transform: None,
        weight,
    };
    Arc::new(LiveVariant::new(variant, Arc::new(loaded), batching, pool))
}

/// An endpoint over `variants`.
pub(crate) fn endpoint(variants: Vec<Arc<LiveVariant>>, timeout_ms: u32) -> LiveEndpoint {
    let settings = EndpointSettings {
        gates: vec![],
        dataset: None,
        access: Access::Open,
        sticky_header: None,
        timeout_ms,
        batching: Batching::default(),
    };
    let route = Route {
        generation: 1,
        variants: variants.iter().map(|v| v.variant.clone()).collect(),
    };
    LiveEndpoint::new("e".parse().unwrap(), settings, route, variants, 7)
}
