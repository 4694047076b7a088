//! A route with its models and transforms loaded.

use crate::{
    batcher::Batcher,
    lane::{Guard, Pool},
    predict::PredictError,
    stats::VariantStats,
    trouble::NotLoaded,
};
use domain::{
    name::EndpointName,
    ports::engine::{LoadedVersion, Model, Transform},
    route::{Batching, EndpointSettings, Route, Variant},
    signature::{Prepared, Signature, TensorSpec},
    tensor::{Tensor, TensorData},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// One variant, loaded.
#[derive(Debug)]
pub struct LiveVariant {
    /// As the route has it.
    pub variant: Variant,
    /// Digest of the transform as text, for responses.
    pub transform_digest: Option<String>,
    /// Version number as text, for responses.
    pub version_text: String,
    /// What callers send and get: the transform's fields if there is one, else
    /// the model's own inputs.
    pub signature: Signature,
    /// The model and its record.
    pub loaded: Arc<LoadedVersion>,
    /// Cost of the model by itself.
    pub model_guard: Arc<Guard>,
    /// Cost of the transform.
    pub transform_guard: Arc<Guard>,
    /// Cost of one more row of the model, in nanoseconds.
    pub row_ns: u64,
    /// Puts requests together, for models slow enough to gain.
    pub batcher: Option<Batcher>,
    /// Counters.
    pub stats: Arc<VariantStats>,
}

/// One endpoint, loaded.
#[derive(Debug)]
pub struct LiveEndpoint {
    /// Its name.
    pub name: EndpointName,
    /// Its settings.
    pub settings: EndpointSettings,
    /// Its route.
    pub route: Route,
    /// Its variants, in route order.
    pub variants: Vec<Arc<LiveVariant>>,
    /// Why there are none, if the database has a route for it.
    pub not_loaded: Option<NotLoaded>,
    draws: AtomicU64,
}

impl LiveEndpoint {
    /// An endpoint over loaded variants, in the order of `route.variants`.
    pub fn new(
        name: EndpointName,
        settings: EndpointSettings,
        route: Route,
        variants: Vec<Arc<LiveVariant>>,
        seed: u64,
    ) -> Self {
        Self {
            name,
            settings,
            route,
            variants,
            not_loaded: None,
            draws: AtomicU64::new(seed),
        }
    }

    /// An endpoint that exists and whose route does not load.
    pub fn not_loaded(name: EndpointName, settings: EndpointSettings, why: NotLoaded) -> Self {
        Self {
            not_loaded: Some(why),
            ..Self::new(name, settings, Route::default(), vec![], 0)
        }
    }

    /// Why nothing here can answer.
    pub fn absence(&self) -> PredictError {
        let endpoint = self.name.to_string();
        match self.not_loaded {
            Some(why) => PredictError::NotLoaded { endpoint, why },
            None => PredictError::NoRoute(endpoint),
        }
    }

    /// The variant that answers a request with this stickiness key.
    pub fn pick(&self, key: Option<&[u8]>) -> Option<&Arc<LiveVariant>> {
        self.variants.get(self.route.pick(key, self.draw())?)
    }

    /// SplitMix64 over a counter: even draws without shared state beyond it.
    fn draw(&self) -> u64 {
        if self.variants.len() < 2 {
            return 0;
        }
        let mut z = self.draws.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Signature that callers see.
pub fn client_signature(model: &Signature, transform: Option<&dyn Transform>) -> Signature {
    let Some(transform) = transform else {
        return model.clone();
    };
    let fields = &transform.contract().inputs;
    let inputs = fields
        .iter()
        .map(|field| TensorSpec::new(Arc::clone(&field.name), field.element.datatype(), vec![-1]))
        .collect();
    Signature {
        inputs,
        outputs: model.outputs.clone(),
    }
}

impl LiveVariant {
    /// Puts a loaded version to work: measures it, and gives it a batcher when
    /// its call is slower than the longest wait for company. CPU work.
    pub fn new(
        variant: Variant,
        loaded: Arc<LoadedVersion>,
        batching: Batching,
        pool: &Arc<Pool>,
    ) -> Self {
        let model = &loaded.model;
        let (one_ns, row_ns, splits) = measure(model.as_ref());
        let model_guard = Arc::new(Guard::measured(one_ns));
        let stats = Arc::new(VariantStats::default());
        let wanted = batching.max_rows > 1 && splits;
        let slow = one_ns > u64::from(batching.max_delay_us).saturating_mul(1000);
        let batcher = (wanted && slow).then(|| {
            Batcher::start(
                Arc::clone(model),
                batching,
                Arc::clone(pool),
                Arc::clone(&model_guard),
                Arc::clone(&stats),
            )
        });
        Self {
            signature: client_signature(model.signature(), loaded.transform.as_deref()),
            transform_digest: variant.transform.map(|digest| digest.to_string()),
            version_text: variant.version.version.to_string(),
            variant,
            loaded,
            model_guard,
            transform_guard: Arc::default(),
            row_ns,
            batcher,
            stats,
        }
    }
}

/// Cost of one row and of one more row in nanoseconds, and whether outputs can
/// be split by row. A model that refuses zeros counts as slow.
fn measure(model: &dyn Model) -> (u64, u64, bool) {
    const MANY: usize = 64;
    let time = |rows: usize| -> Option<(u64, bool)> {
        let inputs = zeros(model.signature(), rows)?;
        let mut best = u64::MAX;
        let mut splits = true;
        for _ in 0..5 {
            let start = Instant::now();
            let outputs = model.infer(&inputs).ok()?;
            best = best.min(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
            splits &= outputs
                .iter()
                .all(|output| output.shape.first() == Some(&rows));
            // A model that takes this long is slow; more runs only delay the load.
            if best > 50_000_000 {
                break;
            }
        }
        Some((best, splits))
    };
    match (time(1), time(MANY)) {
        (Some((one, a)), Some((many, b))) => {
            (one, many.saturating_sub(one) / (MANY as u64 - 1), a && b)
        }
        (Some((one, _)), None) => (one, one, false),
        (None, _) => (u64::MAX, u64::MAX, false),
    }
}

/// A batch of zeros that fits `signature`; free dimensions are 1.
fn zeros(signature: &Signature, rows: usize) -> Option<Prepared> {
    let tensor = |spec: &TensorSpec| {
        let mut shape: Vec<usize> = spec
            .shape
            .iter()
            .map(|&dim| usize::try_from(dim).unwrap_or(1))
            .collect();
        if let (Some(first), Some(&want)) = (shape.first_mut(), spec.shape.first())
            && want < 0
        {
            *first = rows;
        }
        let n = domain::tensor::volume(&shape)?;
        use domain::tensor::DataType as D;
        let data = match spec.datatype {
            D::Bool => TensorData::Bool(vec![false; n]),
            D::Uint8 => TensorData::Uint8(vec![0; n]),
            D::Uint16 => TensorData::Uint16(vec![0; n]),
            D::Uint32 => TensorData::Uint32(vec![0; n]),
            D::Uint64 => TensorData::Uint64(vec![0; n]),
            D::Int8 => TensorData::Int8(vec![0; n]),
            D::Int16 => TensorData::Int16(vec![0; n]),
            D::Int32 => TensorData::Int32(vec![0; n]),
            D::Int64 => TensorData::Int64(vec![0; n]),
            D::Fp16 => TensorData::Fp16(vec![Default::default(); n]),
            D::Bf16 => TensorData::Bf16(vec![Default::default(); n]),
            D::Fp32 => TensorData::Fp32(vec![0.0; n]),
            D::Fp64 => TensorData::Fp64(vec![0.0; n]),
            D::Bytes => TensorData::Bytes(vec![Vec::new(); n]),
        };
        Some(Tensor {
            name: Arc::clone(&spec.name),
            shape,
            data,
        })
    };
    let tensors = signature
        .inputs
        .iter()
        .map(tensor)
        .collect::<Option<Vec<_>>>()?;
    signature.prepare(tensors).ok()
}
