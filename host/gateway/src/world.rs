//! The real clock and the real source of ids and secrets.

use domain::{
    ports::{Clock, Ids},
    time::Timestamp,
};
use plugins::{PluginConfig, PluginHost};
use std::{
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The system's clock.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// ULIDs and the system's random generator.
#[derive(Debug)]
pub(crate) struct SystemIds;

impl Ids for SystemIds {
    fn ulid(&self) -> String {
        ulid::Ulid::generate().to_string()
    }

    fn secret(&self) -> [u8; 32] {
        rand::random()
    }
}

/// The plugin host, with compiled artifacts kept in `cache`, if any, and
/// compilation in a limited child of this very binary.
pub(crate) fn plugin_host(
    settings: &PluginConfig,
    cache: Option<&Path>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<PluginHost> {
    let own = std::env::current_exe()?;
    let mut compiler = vec![own.into_os_string(), "compile-worker".into()];
    if !settings.tuning.memory_init_cow {
        compiler.push("--no-copy-on-write".into());
    }
    let config = PluginConfig {
        compiler: Some(compiler),
        cache: cache.map(Path::to_owned),
        ..settings.clone()
    };
    Ok(PluginHost::new(config, Arc::clone(clock))?)
}

/// The child's side: one component in, its compiled artifact out.
pub(crate) fn compile_worker(copy_on_write: bool) -> ExitCode {
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    match plugins::compile_worker(input, output, copy_on_write) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::cli::output::fail(&anyhow::anyhow!(error)),
    }
}
