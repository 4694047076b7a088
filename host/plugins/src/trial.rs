//! A component run for its author: the engine, linkers, limits and conversions
//! of production, and beside each answer what it cost — fuel, memory, time —
//! and the lines it logged.
//!
//! Fuel is a count of executed instructions: it is the same on every machine,
//! so a test may hold a plugin to a budget. Production does not count it.
//!
//! [`Trial`] is the engine, [`Subject`] a compiled component; a session is
//! one instance of it, configured. What a guest refuses is a [`Stop::Failure`]
//! in its own words; everything else it does wrong is what serving reports.

mod action;
mod detector;
mod session;
mod tap;
mod transform;

pub use action::{ActionSession, Event, Exchanges, Method, Outcome, Refusal, Request, Response};
pub use detector::{DetectorSession, Score};
use session::Session;
pub use session::{Failure, Spent, Stop, Tried};
pub(crate) use tap::Tap;
pub use tap::{Level, LogLine};
pub use transform::TransformSession;

use crate::{
    PluginConfig, PluginHost, PluginHostError,
    artifact::Artifact,
    bindings::{action as action_world, detector as detector_world, transform as transform_world},
    sandbox::{Sandbox, clean},
    structure,
};
use domain::{
    plugin::{PluginKind, PluginLimits},
    ports::{Clock, engine::AdmitError},
    time::Timestamp,
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::component::Component;

/// Instances that a trial may have at a time.
const INSTANCES: u32 = 16;

/// The names on the outside of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surface {
    /// What it asks for.
    pub imports: Vec<String>,
    /// What it offers.
    pub exports: Vec<String>,
}

/// Reads the outside of a component, whatever it is built for.
///
/// # Errors
/// When the bytes are no component or break a limit of structure, in words.
pub fn surface(component: &[u8]) -> Result<Surface, String> {
    let config = PluginConfig::default();
    let found = structure::inspect(component, config.max_component_bytes)?;
    Ok(Surface {
        imports: found.imports,
        exports: found.exports,
    })
}

/// The engine that trials run in. One per process is enough.
#[derive(Debug)]
pub struct Trial {
    host: PluginHost,
}

/// Trials wait for nobody, so their clock may stand still.
#[derive(Debug)]
struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

impl Trial {
    /// Starts the engine.
    ///
    /// # Errors
    /// When the engine or its ticker thread cannot be had.
    pub fn new() -> Result<Self, PluginHostError> {
        Self::start(None)
    }

    /// The same, keeping compiled components in a folder of the author's: one
    /// from JavaScript or Python takes 20 seconds of CPU to compile.
    ///
    /// # Errors
    /// As [`Trial::new`], and when the folder cannot be used.
    pub fn caching(folder: PathBuf) -> Result<Self, PluginHostError> {
        Self::start(Some(folder))
    }

    fn start(cache: Option<PathBuf>) -> Result<Self, PluginHostError> {
        let config = PluginConfig {
            instances: INSTANCES,
            cache,
            ..PluginConfig::default()
        };
        let host = PluginHost::metered(config, Arc::new(NoClock))?;
        Ok(Self { host })
    }

    /// Checks, compiles and links a component, by the rules of admission.
    ///
    /// # Errors
    /// As [`domain::ports::engine::PluginEngine::admit`], without settings.
    pub fn open(&self, component: &[u8]) -> Result<Subject<'_>, AdmitError> {
        let (kind, wit_version) = self.host.identify(component)?;
        let started = Instant::now();
        let compiled = self.host.compiled(component, Artifact::load)?;
        let compile_time = started.elapsed();
        let world = self
            .link(kind, &compiled)
            .map_err(|error| AdmitError::World(vec![clean(&format!("{error:#}"), 1024)]))?;
        Ok(Subject {
            host: &self.host,
            kind,
            wit_version,
            compile_time,
            world,
        })
    }

    fn link(&self, kind: PluginKind, component: &Component) -> wasmtime::Result<World> {
        let linkers = &self.host.linkers;
        Ok(match kind {
            PluginKind::Transform => World::Transform(transform_world::TransformPre::new(
                linkers.transform.instantiate_pre(component)?,
            )?),
            PluginKind::Detector => World::Detector(detector_world::DetectorPre::new(
                linkers.detector.instantiate_pre(component)?,
            )?),
            PluginKind::Action => World::Action(action_world::ActionPre::new(
                linkers.action.instantiate_pre(component)?,
            )?),
        })
    }
}

/// A component's imports and exports, resolved.
enum World {
    Transform(transform_world::TransformPre<Sandbox>),
    Detector(detector_world::DetectorPre<Sandbox>),
    Action(action_world::ActionPre<Sandbox>),
}

/// A component on trial.
pub struct Subject<'a> {
    host: &'a PluginHost,
    world: World,
    /// The world it implements.
    pub kind: PluginKind,
    /// WIT package version it was built for.
    pub wit_version: String,
    /// What compiling it took, here.
    pub compile_time: Duration,
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Subject<'_> {
    /// Whether settings and limits are within what a gateway takes at all.
    ///
    /// # Errors
    /// Names every limit that is not.
    pub fn check_limits(&self, settings: &str, limits: &PluginLimits) -> Result<(), AdmitError> {
        self.host.check_limits(settings, limits)
    }

    /// The answer to a caller that took it for another kind.
    fn not(&self, wanted: PluginKind) -> Stop {
        Stop::Broken(domain::ports::engine::PluginError::Contract(format!(
            "it is of kind {}, not {wanted}",
            self.kind
        )))
    }
}
