//! Settings: defaults, then `tollgate.toml`, then `TOLLGATE_*`, then flags.
//!
//! One table names every setting with its meaning and how it is read; the file,
//! the environment and `tollgate config` all go through it. Unknown keys are
//! refused and every mistake is reported at once.

use plugins::{PluginConfig, Tuning};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};
use telemetry::LogFormat;

/// All settings.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Address to listen on.
    pub(crate) listen: SocketAddr,
    /// Folder of everything in embedded mode.
    pub(crate) data: PathBuf,
    /// Database other than the one in the data folder. May hold a password.
    pub(crate) database: Option<String>,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
    /// Which log lines are written.
    pub(crate) log_filter: String,
    /// Largest prediction body, in bytes.
    pub(crate) max_body_bytes: usize,
    /// Largest uploaded artifact, in bytes.
    pub(crate) max_artifact_bytes: u64,
    /// Requests answered at a time.
    pub(crate) max_in_flight: usize,
    /// Models and transforms run at a time off the request threads.
    pub(crate) workers: usize,
    /// Jobs that may wait for a worker.
    pub(crate) queue: usize,
    /// Seconds that requests in flight get when stopping.
    pub(crate) drain_s: u64,
    /// Milliseconds between looks at a database that other gateways change too.
    pub(crate) sync_ms: u64,
    /// How plugins get their instances.
    pub(crate) plugins: PluginConfig,
}

impl Default for Config {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8470)),
            data: PathBuf::from("tollgate-data"),
            database: None,
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            max_body_bytes: 16 << 20,
            max_artifact_bytes: 2 << 30,
            max_in_flight: 1024,
            workers: cores,
            queue: 1024,
            drain_s: 20,
            sync_ms: 2000,
            plugins: PluginConfig::default(),
        }
    }
}

/// One setting.
pub(crate) struct Setting {
    /// Key in the file; `TOLLGATE_` and the key in capitals, dots as
    /// underscores, in the environment.
    pub(crate) key: &'static str,
    /// What it is.
    pub(crate) meaning: &'static str,
    /// Reads it from text.
    read: fn(&mut Config, &str) -> Result<(), String>,
    /// Shows it; secrets are covered.
    pub(crate) show: fn(&Config) -> String,
}

macro_rules! setting {
    ($key:literal, $meaning:literal, $($field:ident).+, $parse:expr) => {
        Setting {
            key: $key,
            meaning: $meaning,
            read: |config, text| {
                config.$($field).+ = $parse(text)?;
                Ok(())
            },
            show: |config| config.$($field).+.to_string(),
        }
    };
}

fn number<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<T, String> {
    let wrong = || format!("{text:?} is not a number from {least} to {most}");
    let value: u64 = text.parse().map_err(|_| wrong())?;
    if !(least..=most).contains(&value) {
        return Err(wrong());
    }
    T::try_from(value).map_err(|_| wrong())
}

fn switch(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is neither true nor false"))
}

/// Every setting, in the order they are shown.
pub(crate) const SETTINGS: &[Setting] = &[
    setting!(
        "listen",
        "address to listen on; loopback unless you say otherwise",
        listen,
        |text: &str| {
            text.parse()
                .map_err(|_| format!("{text:?} is not an address such as 127.0.0.1:8470"))
        }
    ),
    Setting {
        key: "data",
        meaning: "folder that holds database, artifacts and compiled plugins",
        read: |config, text| {
            if text.is_empty() {
                return Err("must not be empty".to_owned());
            }
            config.data = PathBuf::from(text);
            Ok(())
        },
        show: |config| config.data.display().to_string(),
    },
    Setting {
        key: "database",
        meaning: "sqlite://… or postgres://… instead of the database in the data folder",
        read: |config, text| {
            if !text.starts_with("postgres://")
                && !text.starts_with("postgresql://")
                && !text.starts_with("sqlite://")
            {
                return Err("must start with postgres:// or sqlite://".to_owned());
            }
            config.database = Some(text.to_owned());
            Ok(())
        },
        show: |config| match &config.database {
            Some(url) => covered(url),
            None => "(in the data folder)".to_owned(),
        },
    },
    Setting {
        key: "log.format",
        meaning: "text for people, json for machines",
        read: |config, text| {
            config.log_format = match text {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(format!("{text:?} is neither text nor json")),
            };
            Ok(())
        },
        show: |config| match config.log_format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        },
    },
    setting!(
        "log.filter",
        "level, or target=level pairs",
        log_filter,
        |text: &str| { Ok::<_, String>(text.to_owned()) }
    ),
    setting!(
        "limits.max_body_bytes",
        "largest prediction body",
        max_body_bytes,
        |text| { number(text, 1024, 1 << 30) }
    ),
    setting!(
        "limits.max_artifact_bytes",
        "largest upload",
        max_artifact_bytes,
        |text| { number(text, 1024, 1 << 40) }
    ),
    setting!(
        "limits.max_in_flight",
        "requests answered at a time",
        max_in_flight,
        |text| { number(text, 1, 1 << 20) }
    ),
    setting!(
        "pool.workers",
        "slow models and transforms run at a time",
        workers,
        |text| { number(text, 1, 1024) }
    ),
    setting!(
        "pool.queue",
        "jobs that may wait for a worker",
        queue,
        |text| { number(text, 0, 1 << 20) }
    ),
    setting!(
        "drain_s",
        "seconds that requests in flight get when stopping",
        drain_s,
        |text| { number(text, 0, 3600) }
    ),
    setting!(
        "sync_ms",
        "milliseconds between looks at a shared database",
        sync_ms,
        |text| { number(text, 50, 3_600_000) }
    ),
    setting!(
        "plugins.snapshot",
        "fresh transforms start from a snapshot taken after configure",
        plugins.snapshot,
        switch
    ),
    setting!(
        "plugins.pooling",
        "plugin instances come from a pool of reserved memory",
        plugins.tuning.pooling,
        switch
    ),
    setting!(
        "plugins.copy_on_write",
        "a plugin's first memory is mapped copy-on-write, not copied",
        plugins.tuning.memory_init_cow,
        switch
    ),
    setting!(
        "plugins.pagemap_scan",
        "ask the kernel which pages a plugin wrote, and clear only those",
        plugins.tuning.pagemap_scan,
        switch
    ),
    Setting {
        key: "plugins.keep_resident_bytes",
        meaning: "memory of a plugin instance that is cleared in place, not given back",
        read: |config, text| {
            let bytes = number(text, 0, 1 << 30)?;
            let tuning = &mut config.plugins.tuning;
            tuning.memory_keep_resident = bytes;
            tuning.table_keep_resident = bytes.min(Tuning::default().table_keep_resident);
            Ok(())
        },
        show: |config| config.plugins.tuning.memory_keep_resident.to_string(),
    },
];

impl Setting {
    /// Its name in the environment.
    pub(crate) fn variable(&self) -> String {
        format!(
            "TOLLGATE_{}",
            self.key.replace('.', "_").to_ascii_uppercase()
        )
    }
}

/// `url` with its password covered, before the host and among the options.
fn covered(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "***".to_owned();
    };
    let (login, rest) = match rest.rsplit_once('@') {
        // An @ behind a slash may stand in a password or in an option; rather
        // than guess, nothing is shown.
        Some((login, _)) if login.contains('/') => return format!("{scheme}://***"),
        Some((login, rest)) => {
            // Up to what no name holds: a password may hold anything.
            let user = login.split([':', '/', '?']).next().unwrap_or_default();
            (format!("{user}:***@"), rest)
        }
        None => (String::new(), rest),
    };
    let Some((place, options)) = rest.split_once('?') else {
        return format!("{scheme}://{login}{rest}");
    };
    let options: Vec<String> = options
        .split('&')
        .map(|option| match option.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("pass") => format!("{name}=***"),
            _ => option.to_owned(),
        })
        .collect();
    format!("{scheme}://{login}{place}?{}", options.join("&"))
}

/// Every mistake in the settings.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} mistake(s):\n  {}", .0.len(), .0.join("\n  "))]
pub(crate) struct ConfigError(Vec<String>);

/// Where each setting's value came from; settings left out have their default.
pub(crate) type Origins = BTreeMap<&'static str, String>;

/// Puts the sources together: `file` is the text of the file and its name,
/// `environment` all variables, `flags` what the command line says, by key.
pub(crate) fn load(
    file: Option<(&str, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(&'static str, String)],
) -> Result<(Config, Origins), ConfigError> {
    let mut config = Config::default();
    let mut origins = Origins::new();
    let mut mistakes = Vec::new();
    let mut given: Vec<(String, String, String)> = Vec::new();
    if let Some((name, text)) = file {
        match text.parse::<toml::Table>() {
            Ok(table) => flatten(name, "", &table, &mut given, &mut mistakes),
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.map_or(1, |before| before.matches('\n').count() + 1);
                mistakes.push(format!("{name}: line {line}: {}", error.message()));
            }
        }
    }
    for (variable, value) in environment {
        if CLIENT_VARIABLES.contains(&variable.as_str()) || !variable.starts_with("TOLLGATE_") {
            continue;
        }
        match SETTINGS
            .iter()
            .find(|setting| setting.variable() == variable)
        {
            Some(setting) => given.push((setting.key.to_owned(), value, variable)),
            None => mistakes.push(format!("{variable}: no such setting{}", near(&variable))),
        }
    }
    given.extend(
        flags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone(), format!("--{key}"))),
    );
    for (key, value, origin) in given {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            mistakes.push(format!("{origin}: {key}: no such setting{}", near(&key)));
            continue;
        };
        match (setting.read)(&mut config, &value) {
            Ok(()) => {
                origins.insert(setting.key, origin);
            }
            Err(mistake) => mistakes.push(format!("{origin}: {key}: {mistake}")),
        }
    }
    if let Err(mistake) = settle_data(&mut config) {
        mistakes.push(format!("data: {mistake}"));
    }
    if mistakes.is_empty() {
        Ok((config, origins))
    } else {
        Err(ConfigError(mistakes))
    }
}

/// Makes the data folder's path absolute: the address of the database in it
/// cannot be relative, nor hold what an address gives another meaning.
fn settle_data(config: &mut Config) -> Result<(), String> {
    config.data = std::path::absolute(&config.data).map_err(|error| error.to_string())?;
    let shown = config.data.display().to_string();
    if config.database.is_none() && shown.contains(['?', '#']) {
        return Err(format!(
            "{shown} holds '?' or '#', which the database's address cannot: choose another folder"
        ));
    }
    Ok(())
}

/// Variables of the commands and the tests, which are no settings.
const CLIENT_VARIABLES: [&str; 5] = [
    "TOLLGATE_SERVER",
    "TOLLGATE_TOKEN",
    "TOLLGATE_TOKEN_FILE",
    "TOLLGATE_CONFIG",
    "TOLLGATE_GUESTS",
];

fn flatten(
    name: &str,
    prefix: &str,
    table: &toml::Table,
    given: &mut Vec<(String, String, String)>,
    mistakes: &mut Vec<String>,
) {
    for (key, value) in table {
        let key = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            toml::Value::Table(inner) => flatten(name, &key, inner, given, mistakes),
            toml::Value::String(text) => given.push((key, text.clone(), name.to_owned())),
            toml::Value::Integer(number) => {
                given.push((key, number.to_string(), name.to_owned()));
            }
            toml::Value::Boolean(is) => given.push((key, is.to_string(), name.to_owned())),
            other => mistakes.push(format!(
                "{name}: {key}: a {} has no place here",
                other.type_str()
            )),
        }
    }
}

/// A hint at the setting that was perhaps meant.
fn near(given: &str) -> String {
    let plain = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.trim_start_matches("tollgate_")
            .replace(['_', '.', '-'], "")
    };
    let wanted = plain(given);
    let close = SETTINGS.iter().find(|setting| {
        let key = plain(setting.key);
        key == wanted || key.contains(&wanted) || wanted.contains(&key)
    });
    close
        .map(|setting| format!(" (did you mean {}?)", setting.key))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> [(String, String); 0] {
        []
    }

    #[test]
    fn flags_beat_the_environment_and_the_environment_beats_the_file() {
        let file =
            "listen = \"127.0.0.1:1\"\n[pool]\nworkers = 3\nqueue = 5\n[plugins]\npooling = false";
        let environment = [
            ("TOLLGATE_LISTEN".to_owned(), "127.0.0.1:2".to_owned()),
            ("TOLLGATE_POOL_QUEUE".to_owned(), "6".to_owned()),
            ("PATH".to_owned(), "/bin".to_owned()),
        ];
        let flags = [("listen", "127.0.0.1:3".to_owned())];
        let (config, origins) = load(Some(("f", file)), environment, &flags).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!((config.workers, config.queue), (3, 6));
        assert!(!config.plugins.tuning.pooling && config.plugins.snapshot);
        assert_eq!(origins["pool.queue"], "TOLLGATE_POOL_QUEUE");
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let file = "lissten = 1\nlisten = \"nowhere\"\n[pool]\nworkers = 0\ncolour = true";
        let error = load(Some(("f", file)), none(), &[]).unwrap_err();
        assert_eq!(error.0.len(), 4, "{error}");
    }

    #[test]
    fn a_password_is_covered() {
        for (url, visible) in [
            ("postgres://u:s3cret@h/db", "u:***@h"),
            ("postgres://u:s3c@s3cret@h/db", "u:***@h"),
            (
                "postgres://h/db?sslmode=require&password=s3cret",
                "sslmode=require",
            ),
            ("postgres://u:s3cret?@h/db", "u:***@h"),
            ("postgres://h/db?password=s3c@s3cret", "***"),
        ] {
            let (config, _) = load(None, none(), &[("database", url.to_owned())]).unwrap();
            let shown: String = SETTINGS
                .iter()
                .map(|setting| (setting.show)(&config))
                .collect();
            assert!(!shown.contains("s3c") && shown.contains(visible), "{shown}");
        }
    }

    #[test]
    fn the_data_folder_is_absolute_and_fits_an_address() {
        let (config, _) = load(None, none(), &[]).unwrap();
        assert!(config.data.is_absolute(), "{:?}", config.data);
        let flags = [("data", "a?b".to_owned())];
        assert!(load(None, none(), &flags).is_err());
    }

    #[test]
    fn every_default_reads_back_as_itself() {
        let default = Config::default();
        for setting in SETTINGS.iter().filter(|setting| setting.key != "database") {
            let mut config = Config::default();
            (setting.read)(&mut config, &(setting.show)(&default)).unwrap();
            assert_eq!(
                (setting.show)(&config),
                (setting.show)(&default),
                "{}",
                setting.key
            );
        }
    }
}
