//! What the tests of this crate share: built guests, a clock moved by hand, and
//! a host over both.

use domain::{
    batch::{Batch, Block, Buffer},
    digest::Digest,
    plugin::{Isolation, PluginLimits},
    ports::{
        Clock,
        engine::{AdmitError, PluginEngine, PluginError, Transform},
    },
    tensor::{Tensor, TensorData},
    time::Timestamp,
};
use plugins::{PluginConfig, PluginHost};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
};

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The component of that name, as `cargo xtask guests` built it.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("TOLLGATE_GUESTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"),
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run cargo xtask guests first", path.display()))
}

pub(crate) fn config() -> PluginConfig {
    PluginConfig {
        instances: 32,
        ..PluginConfig::default()
    }
}

/// One host for all tests of a file, as in the gateway.
pub(crate) static HOST: LazyLock<(PluginHost, Arc<HandClock>)> = LazyLock::new(host);

pub(crate) fn host() -> (PluginHost, Arc<HandClock>) {
    let clock = Arc::new(HandClock::default());
    let host = PluginHost::new(config(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    (host, clock)
}

pub(crate) fn limits(isolation: Isolation) -> PluginLimits {
    PluginLimits {
        isolation,
        memory_bytes: 8 << 20,
        ..PluginLimits::default()
    }
}

/// The hostile guest, set to one deed.
pub(crate) fn hostile(deed: &str, limits: &PluginLimits) -> Result<Arc<dyn Transform>, AdmitError> {
    load_on(&HOST.0, "hostile", &format!("\"{deed}\""), limits)
}

pub(crate) fn load_on(
    host: &PluginHost,
    name: &str,
    settings: &str,
    limits: &PluginLimits,
) -> Result<Arc<dyn Transform>, AdmitError> {
    let bytes = guest(name);
    host.load_transform(&Digest::of(&bytes), &bytes, settings, limits)
}

/// A batch of `fields` float columns and one row.
pub(crate) fn row(values: &[f32]) -> Batch {
    Batch {
        rows: 1,
        blocks: vec![Block {
            fields: values.len(),
            values: Buffer::F32(values.to_vec()),
            validity: None,
        }],
    }
}

pub(crate) fn floats(tensors: &[Tensor]) -> &[f32] {
    match tensors {
        [
            Tensor {
                data: TensorData::Fp32(values),
                ..
            },
        ] => values,
        other => panic!("not one float tensor: {other:?}"),
    }
}

/// One call with the value 1.
pub(crate) fn call(transform: &Arc<dyn Transform>) -> Result<f32, PluginError> {
    transform
        .apply(&row(&[1.0]))
        .map(|tensors| floats(&tensors)[0])
}

/// One call that even the hostile guest answers well.
pub(crate) fn still_works(transform: &Arc<dyn Transform>) {
    assert_eq!(floats(&transform.apply(&row(&[0.0])).unwrap()), [0.0]);
}
