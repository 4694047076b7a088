//! Opens a database: which one, how its connections are set up, and the turn
//! that writers take.

use crate::{failure::failed, migrate};
use domain::error::{ErrorKind, PortError, PortResult};
use sqlx::{
    AnyConnection, AnyPool, Connection as _,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use std::{fmt, path::Path, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// Longest wait for a connection, for a lock, or for a turn to write.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A file beside the gateway.
    Sqlite,
    /// A server that several gateways share.
    Postgres,
}

impl Dialect {
    /// Name for reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// Statements that every new connection runs.
    ///
    /// SQLite: `synchronous = FULL` because in WAL mode the default of many
    /// builds, NORMAL, may lose the last commits on power loss, and a change
    /// that was acknowledged must be there afterwards. PostgreSQL: bounded waits,
    /// and no acknowledgement before the commit is on disk even where the
    /// server's default is otherwise.
    const fn setup(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; \
                 PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                 PRAGMA trusted_schema = OFF"
            }
            Self::Postgres => {
                "SET lock_timeout = '10s'; SET statement_timeout = '30s'; \
                 SET idle_in_transaction_session_timeout = '30s'; \
                 SET client_min_messages = 'warning'; \
                 SELECT set_config('synchronous_commit', 'on', false) \
                 WHERE current_setting('synchronous_commit') = 'off'"
            }
        }
    }

    /// Starts a transaction that will write. SQLite takes the write lock at
    /// once, since a reader that turns writer is refused without a wait.
    pub(crate) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }
}

/// The database: SQLite or PostgreSQL behind the same statements.
#[derive(Clone)]
pub struct SqlStore {
    pub(crate) pool: AnyPool,
    pub(crate) dialect: Dialect,
    /// Writers of this process queue here in order of arrival: both databases
    /// let one of them append to the ledger at a time, and waiting here costs
    /// no connection that a reader could use.
    pub(crate) turn: Arc<Mutex<()>>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqlStore").field(&self.dialect).finish()
    }
}

impl SqlStore {
    /// Opens `sqlite:///path/to/file` (made if it is not there, readable by its
    /// owner only) or `postgres://…`, and brings the schema up to date.
    /// Everything after `sqlite://` is the path as it stands, without escapes.
    ///
    /// # Errors
    /// Invalid for any other URL, unavailable if the database cannot be
    /// reached, conflict if it was written by a newer release.
    pub async fn open(url: &str) -> PortResult<Self> {
        let (dialect, url) = if let Some(path) = url.strip_prefix("sqlite://") {
            let path = path.to_owned();
            prepare_file(path.clone()).await?;
            (Dialect::Sqlite, format!("sqlite://{}", escaped(&path)))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            (Dialect::Postgres, url.to_owned())
        } else {
            return Err(bad_url("it starts with neither sqlite:// nor postgres://"));
        };
        let options: AnyConnectOptions = url
            .parse()
            .map_err(|error: sqlx::Error| bad_url("it cannot be parsed").caused_by(error))?;
        sqlx::any::install_default_drivers();
        // The pool tries again and again and then says only that time is up. A
        // plain connection says at once what can never work.
        if let Err(error) = probe(&options, dialect).await {
            let refused = failed("open the database")(error);
            if refused.kind != ErrorKind::Unavailable {
                return Err(refused);
            }
        }
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                Box::pin(async move { set_up(connection, dialect).await })
            })
            .connect_with(options)
            .await
            .map_err(failed("open the database"))?;
        migrate::run(&pool, dialect).await?;
        Ok(Self {
            pool,
            dialect,
            turn: Arc::default(),
        })
    }

    /// Closes every connection, after running statements are done.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

async fn probe(options: &AnyConnectOptions, dialect: Dialect) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect_with(options).await?;
    set_up(&mut connection, dialect).await?;
    connection.close().await
}

async fn set_up(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(dialect.setup()).execute(connection).await?;
    Ok(())
}

fn bad_url(why: &str) -> PortError {
    PortError::new(
        ErrorKind::Invalid,
        format!(
            "the database URL is not valid: {why}; write sqlite:///absolute/path/to/file.db or postgres://user@host/database"
        ),
    )
}

/// Makes the database file before SQLite does, so that it, and the journal
/// beside it that copies its mode, never are readable by others.
async fn prepare_file(path: String) -> PortResult<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
    if !path.starts_with('/') || path.contains(['?', '#', '\0']) {
        return Err(bad_url(
            "the SQLite path must be absolute and hold no '?' or '#'",
        ));
    }
    let make = move || -> std::io::Result<()> {
        let path = Path::new(&path);
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(mode & 0o700))?;
        }
        Ok(())
    };
    let unusable = |cause: Box<dyn std::error::Error + Send + Sync>| {
        PortError::new(
            ErrorKind::Unavailable,
            "the SQLite file cannot be made or opened; check its folder and permissions",
        )
        .caused_by(cause)
    };
    tokio::task::spawn_blocking(make)
        .await
        .map_err(|error| unusable(error.into()))?
        .map_err(|error| unusable(error.into()))
}

/// The path with everything but letters, digits and `/-._~` as `%XX`.
fn escaped(path: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
