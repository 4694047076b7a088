//! Loading registered versions, each once at a time.

use crate::error::off_thread;
use async_trait::async_trait;
use domain::{
    digest::Digest,
    error::{ErrorKind, PortError, PortResult},
    json::canonical,
    model::{ModelVersion, VersionRef},
    ports::{
        engine::{LoadedVersion, ModelLoader, ModelSource, PluginEngine, Transform, Versions},
        store::{Artifacts, Store},
    },
};
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};
use tokio::sync::Mutex;

/// Loads versions and remembers those still in use, so that an endpoint, a
/// shadow and an evaluation of one version share its weights and instances.
#[derive(Debug)]
pub struct Catalog {
    store: Arc<dyn Store>,
    artifacts: Arc<dyn Artifacts>,
    loader: Arc<dyn ModelLoader>,
    plugins: Arc<dyn PluginEngine>,
    loaded: Mutex<HashMap<VersionRef, Slot>>,
}

/// One version's place: locked while it loads, so that others wait for it
/// rather than load it again, and other versions load beside it.
type Slot = Arc<Mutex<Weak<LoadedVersion>>>;

impl Catalog {
    /// A catalog with nothing loaded.
    pub fn new(
        store: Arc<dyn Store>,
        artifacts: Arc<dyn Artifacts>,
        loader: Arc<dyn ModelLoader>,
        plugins: Arc<dyn PluginEngine>,
    ) -> Self {
        Self {
            store,
            artifacts,
            loader,
            plugins,
            loaded: Mutex::default(),
        }
    }

    async fn load_now(&self, name: &VersionRef) -> PortResult<LoadedVersion> {
        let version = self.store.version(name).await?.ok_or_else(|| {
            PortError::new(ErrorKind::Missing, format!("version {name} does not exist"))
        })?;
        let transform = match &version.transform {
            Some(digest) => Some(self.load_transform(digest).await?),
            None => None,
        };
        let model = self.load_model(&version).await?;
        Ok(LoadedVersion {
            version,
            model,
            transform,
        })
    }

    async fn load_model(
        &self,
        version: &ModelVersion,
    ) -> PortResult<Arc<dyn domain::ports::engine::Model>> {
        let path = self
            .artifacts
            .path(&version.artifact)
            .await?
            .ok_or_else(|| lost("model file", &version.artifact))?;
        let source = ModelSource {
            path,
            architecture: version.architecture.clone(),
        };
        // Registered under the digest of these bytes: anything else, however it
        // came there, is not what was judged.
        let place = source.path.clone();
        let found = off_thread("reading the model file", move || {
            Digest::of_reader(std::fs::File::open(place)?)
        })
        .await?
        .map_err(|error| {
            let message = format!("model file {} cannot be read", version.artifact);
            PortError::new(ErrorKind::Internal, message).caused_by(error)
        })?;
        if found != version.artifact {
            return Err(PortError::new(
                ErrorKind::Internal,
                format!(
                    "model file {} was changed on disk: restore it from a backup",
                    version.artifact
                ),
            ));
        }
        let loader = Arc::clone(&self.loader);
        let loaded = off_thread("loading the model", move || loader.load(&source)).await?;
        loaded.map_err(|error| {
            // It loaded when it was registered: another engine version, or a
            // file that was changed behind the gateway's back.
            let message = format!("{}/{} no longer loads", version.model, version.version);
            PortError::new(ErrorKind::Internal, message).caused_by(error)
        })
    }

    async fn load_transform(&self, digest: &Digest) -> PortResult<Arc<dyn Transform>> {
        let revision = self
            .store
            .revision(digest)
            .await?
            .ok_or_else(|| lost("plugin revision", digest))?;
        let component = self
            .artifacts
            .read(&revision.component)
            .await?
            .ok_or_else(|| lost("component", &revision.component))?;
        let settings = canonical(&revision.settings)
            .map_err(|error| PortError::new(ErrorKind::Internal, "settings").caused_by(error))?;
        let plugins = Arc::clone(&self.plugins);
        let (digest, limits) = (*digest, revision.limits);
        let loaded = off_thread("loading the transform", move || {
            plugins.load_transform(&digest, &component, &settings, &limits)
        })
        .await?;
        loaded.map_err(|error| {
            let message = format!("transform {digest} no longer loads");
            PortError::new(ErrorKind::Internal, message).caused_by(error)
        })
    }
}

fn lost(what: &str, digest: &Digest) -> PortError {
    PortError::new(
        ErrorKind::Internal,
        format!("{what} {digest} is recorded but not stored"),
    )
}

#[async_trait]
impl Versions for Catalog {
    async fn load(&self, name: &VersionRef) -> PortResult<Arc<LoadedVersion>> {
        let slot = {
            let mut loaded = self.loaded.lock().await;
            // Places nobody uses any more, and nobody waits for, are given up.
            loaded.retain(|_, slot| {
                Arc::strong_count(slot) > 1
                    || slot.try_lock().is_ok_and(|weak| weak.strong_count() > 0)
            });
            Arc::clone(loaded.entry(name.clone()).or_default())
        };
        let mut place = slot.lock().await;
        if let Some(loaded) = place.upgrade() {
            return Ok(loaded);
        }
        let loaded = Arc::new(self.load_now(name).await?);
        *place = Arc::downgrade(&loaded);
        Ok(loaded)
    }
}
