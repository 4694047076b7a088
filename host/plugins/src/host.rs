//! The plugin host: admits components, loads transforms.

use crate::{
    artifact::{Artifact, ArtifactCache},
    bindings::{action, detector, transform},
    breaker::Breaker,
    compile,
    config::PluginConfig,
    convert,
    engine::{Ticker, metered_engine, running_engine},
    instance::Blueprint,
    sandbox::{self, Sandbox, clean},
    snapshot::{self, Candidate},
    structure,
    transform::{LoadedTransform, WarmInstances},
    world,
};
use domain::{
    batch::Contract,
    digest::Digest,
    plugin::{Isolation, PluginKind, PluginLimits},
    ports::{
        Clock,
        engine::{AdmitError, Admitted, PluginEngine, PluginError, Transform},
    },
};
use std::{fmt, path::PathBuf, sync::Arc};
use wasmtime::{
    Engine,
    component::{Component, HasSelf, Linker},
};

/// Largest settings, in bytes.
const MAX_SETTINGS: usize = 1 << 20;

/// A plugin host that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum PluginHostError {
    /// The engine refused its configuration.
    #[error("the plugin engine cannot start")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The ticker thread.
    #[error("the thread that enforces plugin deadlines cannot start")]
    Ticker(#[source] std::io::Error),
    /// The folder of compiled artifacts.
    #[error("the artifact cache {} cannot be used", folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Runs plugins. One per process: it owns the engine, the pool of instances and
/// the thread that enforces deadlines.
pub struct PluginHost {
    pub(crate) engine: Engine,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) linkers: Linkers,
    cache: Option<ArtifactCache>,
    clock: Arc<dyn Clock>,
    config: PluginConfig,
}

/// What each world's imports are, built once.
pub(crate) struct Linkers {
    pub(crate) transform: Linker<Sandbox>,
    pub(crate) detector: Linker<Sandbox>,
    pub(crate) action: Linker<Sandbox>,
}

impl Linkers {
    fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut linkers = Self {
            transform: Linker::new(engine),
            detector: Linker::new(engine),
            action: Linker::new(engine),
        };
        transform::Transform::add_to_linker::<_, HasSelf<_>>(&mut linkers.transform, |s| s)?;
        detector::Detector::add_to_linker::<_, HasSelf<_>>(&mut linkers.detector, |s| s)?;
        action::Action::add_to_linker::<_, HasSelf<_>>(&mut linkers.action, |s| s)?;
        Ok(linkers)
    }
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHost")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl PluginHost {
    /// Starts the engine and its ticker thread.
    ///
    /// # Errors
    /// When the engine, the thread or the cache folder cannot be had.
    pub fn new(config: PluginConfig, clock: Arc<dyn Clock>) -> Result<Self, PluginHostError> {
        let engine = running_engine(&config);
        Self::over(engine, config, clock)
    }

    /// The same over an engine that counts fuel; see [`crate::trial`]. Its code
    /// is compiled in this process, as the worker compiles for the other engine.
    pub(crate) fn metered(
        config: PluginConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PluginHostError> {
        let engine = metered_engine(&config);
        let config = PluginConfig {
            compiler: None,
            ..config
        };
        Self::over(engine, config, clock)
    }

    fn over(
        engine: wasmtime::Result<Engine>,
        config: PluginConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PluginHostError> {
        let engine_error =
            |error: wasmtime::Error| PluginHostError::Engine(error.into_boxed_dyn_error());
        let engine = engine.map_err(engine_error)?;
        let ticker = Arc::new(Ticker::start(&engine).map_err(PluginHostError::Ticker)?);
        let linkers = Linkers::new(&engine).map_err(engine_error)?;
        let cache = config
            .cache
            .as_deref()
            .map(|folder| ArtifactCache::open(folder, &engine))
            .transpose()?;
        Ok(Self {
            engine,
            ticker,
            linkers,
            cache,
            clock,
            config,
        })
    }

    /// Whether instances come from a pool of reserved memory.
    pub fn is_pooled(&self) -> bool {
        self.engine.pooling_allocator_metrics().is_some()
    }

    /// What `load` makes of the compiled bytes, which come from the cache if
    /// they are there.
    pub(crate) fn compiled<T>(
        &self,
        bytes: &[u8],
        load: impl Fn(&Artifact, &Engine) -> wasmtime::Result<T>,
    ) -> Result<T, AdmitError> {
        let digest = Digest::of(bytes);
        if let Some(artifact) = self.cache.as_ref().and_then(|cache| cache.get(&digest)) {
            match load(&artifact, &self.engine) {
                Ok(loaded) => return Ok(loaded),
                Err(error) => {
                    tracing::info!(target: "plugins", "an artifact is compiled anew: {error:#}");
                }
            }
        }
        let artifact = compile::compile(&self.engine, self.config.compiler.as_deref(), bytes)
            .map_err(|why| AdmitError::Compile(clean(&why, 1024)))?;
        let loaded = load(&artifact, &self.engine)
            .map_err(|error| AdmitError::Compile(clean(&format!("{error:#}"), 1024)))?;
        if let Some(cache) = &self.cache {
            cache.put(&digest, &artifact);
        }
        Ok(loaded)
    }

    /// Imports and exports of a transform, resolved.
    fn resolve(&self, component: &Component) -> wasmtime::Result<transform::TransformPre<Sandbox>> {
        transform::TransformPre::new(self.linkers.transform.instantiate_pre(component)?)
    }

    /// The blueprint of a component that starts configured; none if a snapshot
    /// cannot be made, or does not describe itself as the original does.
    fn snapshot(&self, original: &Blueprint, bytes: &[u8], settings: &str) -> Option<Blueprint> {
        let candidate = Candidate::find(bytes)?;
        let module = self
            .compiled(candidate.module(bytes)?, Artifact::load_module)
            .ok()?;
        let store = sandbox::store(&self.engine, &original.plugin, &original.limits);
        let running = self.ticker.running();
        let memory = snapshot::configured_memory(&self.engine, &module, store, settings)?;
        drop(running);
        let bytes = candidate.with_memory(bytes, &memory)?;
        let component = self.compiled(&bytes, Artifact::load).ok()?;
        let blueprint = Blueprint {
            pre: self.resolve(&component).ok()?,
            settings: None,
            ..original.clone()
        };
        let describe = |blueprint: &Blueprint| {
            let given = blueprint.describe(&mut blueprint.instance().ok()?).ok()?;
            convert::contract(&given).ok()
        };
        let same = describe(&blueprint)? == describe(original)?;
        same.then_some(blueprint)
    }

    /// Everything about a transform but its life in use.
    fn transform(
        &self,
        name: Arc<str>,
        bytes: &[u8],
        settings: &str,
        limits: &PluginLimits,
    ) -> Result<(Blueprint, Contract, bool), AdmitError> {
        let component = self.compiled(bytes, Artifact::load)?;
        let pre = self
            .resolve(&component)
            .map_err(|error| AdmitError::World(vec![clean(&format!("{error:#}"), 1024)]))?;
        let blueprint = Blueprint {
            engine: self.engine.clone(),
            ticker: Arc::clone(&self.ticker),
            pre,
            plugin: name,
            settings: Some(settings.into()),
            limits: limits.clone(),
        };
        let refused = |error: PluginError| AdmitError::Refused(error.to_string());
        let mut instance = blueprint.instance().map_err(refused)?;
        let given = blueprint.describe(&mut instance).map_err(refused)?;
        let contract = convert::contract(&given).map_err(AdmitError::Refused)?;
        Ok((blueprint, contract, given.raw_inputs))
    }

    pub(crate) fn check_limits(
        &self,
        settings: &str,
        limits: &PluginLimits,
    ) -> Result<(), AdmitError> {
        let mut problems = Vec::new();
        let mut within = |what: &str, given: u64, most: u64| {
            if given == 0 || given > most {
                problems.push(format!("limit {what} is {given}, allowed is 1 to {most}"));
            }
        };
        within(
            "deadline_ms",
            limits.deadline_ms.into(),
            self.config.max_deadline_ms.into(),
        );
        within(
            "memory_bytes",
            limits.memory_bytes,
            self.config.max_memory_bytes as u64,
        );
        within(
            "output_bytes",
            limits.output_bytes,
            self.config.max_memory_bytes as u64,
        );
        within("max_reuse", limits.max_reuse.into(), u32::MAX.into());
        if settings.len() > MAX_SETTINGS {
            problems.push(format!("the settings have more than {MAX_SETTINGS} bytes"));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(AdmitError::Refused(problems.join("; ")))
        }
    }

    pub(crate) fn identify(&self, bytes: &[u8]) -> Result<(PluginKind, String), AdmitError> {
        let surface = structure::inspect(bytes, self.config.max_component_bytes)
            .map_err(AdmitError::Malformed)?;
        world::identify(&surface).map_err(AdmitError::World)
    }

    /// Compiles a detector or an action and checks its imports and exports, by
    /// name and type, against the world.
    fn fits<T>(
        &self,
        bytes: &[u8],
        check: impl FnOnce(&Component) -> wasmtime::Result<T>,
    ) -> Result<(), AdmitError> {
        let component = self.compiled(bytes, Artifact::load)?;
        check(&component)
            .map(drop)
            .map_err(|error| AdmitError::World(vec![clean(&format!("{error:#}"), 1024)]))
    }
}

impl PluginEngine for PluginHost {
    fn admit(
        &self,
        component: &[u8],
        settings: &str,
        limits: &PluginLimits,
    ) -> Result<Admitted, AdmitError> {
        self.check_limits(settings, limits)?;
        let (kind, wit_version) = self.identify(component)?;
        let contract = match kind {
            PluginKind::Transform => {
                let name = Arc::from("admission");
                Some(self.transform(name, component, settings, limits)?.1)
            }
            PluginKind::Detector => {
                self.fits(component, |component| {
                    detector::DetectorPre::new(self.linkers.detector.instantiate_pre(component)?)
                })?;
                None
            }
            PluginKind::Action => {
                self.fits(component, |component| {
                    action::ActionPre::new(self.linkers.action.instantiate_pre(component)?)
                })?;
                None
            }
        };
        Ok(Admitted {
            kind,
            wit_version,
            contract,
        })
    }

    fn load_transform(
        &self,
        revision: &Digest,
        component: &[u8],
        settings: &str,
        limits: &PluginLimits,
    ) -> Result<Arc<dyn Transform>, AdmitError> {
        self.check_limits(settings, limits)?;
        let (kind, _) = self.identify(component)?;
        if kind != PluginKind::Transform {
            return Err(AdmitError::World(vec![format!(
                "it is of kind {kind}, a variant takes a transform"
            )]));
        }
        let name = Arc::from(revision.hex().get(..12).unwrap_or_default());
        let (blueprint, contract, raw_inputs) =
            self.transform(name, component, settings, limits)?;
        let snapshot = (limits.isolation == Isolation::Fresh && self.config.snapshot)
            .then(|| self.snapshot(&blueprint, component, settings))
            .flatten();
        let is_snapshot = snapshot.is_some();
        tracing::info!(target: "plugins", plugin = %blueprint.plugin, is_snapshot, "transform loaded");
        let blueprint = snapshot.unwrap_or(blueprint);
        Ok(Arc::new(LoadedTransform {
            blueprint,
            contract,
            raw_inputs,
            breaker: Breaker::new(Arc::clone(&self.clock), self.config.breaker_failures),
            warm: WarmInstances::new(self.config.warm_instances, limits.max_reuse),
        }))
    }
}
