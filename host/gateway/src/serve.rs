//! The gateway wired together, started, run and drained.

use crate::{
    config::Config,
    world::{SystemClock, SystemIds},
};
use anyhow::{Context as _, bail};
use api::{ApiState, EdgeConfig, admin::Admin, edge::auth::mint};
use domain::{
    error::PortError,
    ledger::NewEntry,
    name::EndpointName,
    ports::{
        Clock, Ids,
        engine::{GateEngine, ModelLoader, PluginEngine, Publisher, Versions},
        store::{Artifacts, Store},
    },
    token::{Role, Token},
};
use evaluation::Evaluations;
use registry::{Catalog, Registry};
use rollout::Rollout;
use serving::{Serving, lane::Pool};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
    time::Duration,
};
use store::{FileArtifacts, SqlStore};
use tokio::net::TcpListener;

/// Name of the token that the first start makes.
const FIRST_TOKEN: &str = "admin";

/// Runs the gateway until it is told to stop.
pub(crate) async fn serve(config: Config) -> anyhow::Result<()> {
    let _lock = open_data(&config.data)?;
    let listen = config.data.join("listen");
    // Left behind by a gateway that was killed; nobody listens there now.
    remove_if_there(&listen)?;
    let engines = Engines::start(&config)?;
    let sql = SqlStore::open(&database(&config))
        .await
        .context("opening the database")?;
    let store: Arc<dyn Store> = Arc::new(sql);
    let artifacts: Arc<dyn Artifacts> =
        Arc::new(FileArtifacts::open(config.data.join("artifacts")).await?);
    first_token(&config, store.as_ref(), &engines).await?;
    let (state, admin) = wire(&config, &store, &artifacts, &engines);
    let serving = Arc::clone(&state.serving);
    state.refresh_tokens().await?;
    for (endpoint, error) in serving.sync().await? {
        not_served(&endpoint, error);
    }
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "cannot listen on {}: free it, or choose another with --listen",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    state.set_ready(true);
    // Written whole and then renamed, so that a reader sees all of it or none.
    let partial = config.data.join("listen.new");
    fs::write(&partial, address.to_string())?;
    fs::rename(&partial, &listen)?;
    tracing::info!(server.address = %address, data = %config.data.display(), "serving");
    let watching = tokio::spawn(watch(
        Arc::clone(&state),
        Duration::from_millis(config.sync_ms),
    ));
    let stopping = Arc::clone(&state);
    let router = api::router(Arc::clone(&state), Some(admin));
    let drained = api::serve(listener, router, &state.config, async move {
        stop_signal().await;
        stopping.set_ready(false);
        tracing::info!("stopping: no new requests, finishing those in flight");
    })
    .await;
    watching.abort();
    remove_if_there(&listen)?;
    tracing::info!(connections.cut = drained.cut, "stopped");
    Ok(())
}

/// The engines behind the ports.
pub(crate) struct Engines {
    pub(crate) loader: Arc<dyn ModelLoader>,
    pub(crate) plugins: Arc<dyn PluginEngine>,
    pub(crate) gates: Arc<dyn GateEngine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
}

impl Engines {
    pub(crate) fn start(config: &Config) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let plugins =
            crate::world::plugin_host(&config.plugins, Some(&config.data.join("plugins")), &clock)?;
        Ok(Self {
            loader: Arc::new(inference::Engine::default()),
            plugins: Arc::new(plugins),
            gates: Arc::new(gates::RegoGates::default()),
            clock,
            ids: Arc::new(SystemIds),
        })
    }
}

/// Every use case over the ports, and the API over the use cases.
fn wire(
    config: &Config,
    store: &Arc<dyn Store>,
    artifacts: &Arc<dyn Artifacts>,
    engines: &Engines,
) -> (Arc<ApiState>, Arc<Admin>) {
    let catalog: Arc<dyn Versions> = Arc::new(Catalog::new(
        Arc::clone(store),
        Arc::clone(artifacts),
        Arc::clone(&engines.loader),
        Arc::clone(&engines.plugins),
    ));
    let pool = Arc::new(Pool::new(config.workers, config.queue));
    let [a, b, c, d, e, f, g, h, ..] = engines.ids.secret();
    let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let serving = Arc::new(Serving::new(
        Arc::clone(store) as _,
        Arc::clone(&catalog),
        Arc::clone(&pool),
        Arc::clone(&engines.clock),
        seed,
    ));
    let edge = EdgeConfig {
        max_body_bytes: config.max_body_bytes,
        max_in_flight: config.max_in_flight,
        drain_timeout: Duration::from_secs(config.drain_s),
        ..EdgeConfig::default()
    };
    let state = Arc::new(ApiState::new(
        Arc::clone(&serving),
        Arc::clone(store),
        Arc::clone(&engines.clock),
        Arc::clone(&engines.ids),
        edge,
    ));
    let admin = Arc::new(Admin {
        state: Arc::clone(&state),
        registry: Registry {
            store: Arc::clone(store),
            artifacts: Arc::clone(artifacts),
            loader: Arc::clone(&engines.loader),
            plugins: Arc::clone(&engines.plugins),
            gates: Arc::clone(&engines.gates),
            clock: Arc::clone(&engines.clock),
        },
        evaluations: Evaluations::new(
            Arc::clone(store),
            Arc::clone(artifacts),
            catalog,
            Arc::clone(&engines.clock),
            Arc::clone(&engines.ids),
            engines.loader.engine(),
        ),
        rollout: Rollout {
            store: Arc::clone(store),
            gates: Arc::clone(&engines.gates),
            publisher: serving as Arc<dyn Publisher>,
            clock: Arc::clone(&engines.clock),
            ids: Arc::clone(&engines.ids),
        },
        artifacts: Arc::clone(artifacts),
        gate_input_schema: gates::input_schema(),
        max_artifact_bytes: config.max_artifact_bytes,
        in_flight: api::admin::idempotency::InFlight::default(),
    });
    (state, admin)
}

/// The database's address.
pub(crate) fn database(config: &Config) -> String {
    config
        .database
        .clone()
        .unwrap_or_else(|| format!("sqlite://{}", config.data.join("tollgate.db").display()))
}

/// Makes the data folder, for its owner only, and takes it: two gateways must
/// not share one.
fn open_data(data: &Path) -> anyhow::Result<File> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("making the data folder {}", data.display()))?;
    let path = data.join("lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!(
            "another gateway is using the data folder {}: stop it, or choose another with --data",
            data.display()
        ),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", path.display()));
        }
    }
    let mode = fs::metadata(data)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            data = %data.display(),
            mode = format!("{mode:o}"),
            "others can enter the data folder: chmod 700"
        );
    }
    Ok(lock)
}

fn remove_if_there(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The first start makes an admin token and leaves it in the data folder.
async fn first_token(config: &Config, store: &dyn Store, engines: &Engines) -> anyhow::Result<()> {
    if !store.tokens().await?.is_empty() {
        return Ok(());
    }
    let (text, id, secret) = mint(&engines.ids.ulid(), &engines.ids.secret());
    let now = engines.clock.now();
    let token = Token {
        id,
        name: FIRST_TOKEN.parse()?,
        role: Role::Admin,
        secret,
        created_at: now,
        expires_at: None,
    };
    let path = config.data.join("admin.token");
    // The file before the record: a token that nobody can read would lock the
    // operator out, a file without a record is replaced at the next start.
    // Made anew: a file that is there may be readable by others.
    remove_if_there(&path)?;
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("writing {}", path.display()))?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    let entry = NewEntry {
        event: "token.created",
        subject: format!("token/{FIRST_TOKEN}"),
        actor: "first start".into(),
        at: now,
        body: r#"{"role":"admin"}"#.to_owned(),
    };
    match store.insert_token(&token, entry).await {
        Ok(()) => tracing::info!(path = %path.display(), "admin token written"),
        // Another gateway on the same database was first; its token is the one.
        Err(error) if error.kind == domain::error::ErrorKind::Conflict => remove_if_there(&path)?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Says with all its causes why an endpoint's route is not in service.
fn not_served(endpoint: &EndpointName, error: PortError) {
    let error = anyhow::Error::new(error);
    tracing::error!(
        endpoint.name = %endpoint,
        error = format!("{error:#}"),
        "the endpoint's route is not in service; it is tried again, less and less often"
    );
}

/// Takes up what other gateways on the same database changed, and what could
/// not be published when it was committed.
async fn watch(state: Arc<ApiState>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        match state.serving.sync().await {
            Ok(failures) => {
                for (endpoint, error) in failures {
                    not_served(&endpoint, error);
                }
            }
            Err(error) => tracing::warn!(%error, "the database does not answer; serving goes on"),
        }
        if let Err(error) = state.refresh_tokens().await {
            tracing::warn!(%error, "tokens not read again");
        }
    }
}

/// Ctrl-C, or the signal that service managers send.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => {
            if interrupted.is_err() {
                std::future::pending::<()>().await;
            }
        }
        () = terminate => {}
    }
}
