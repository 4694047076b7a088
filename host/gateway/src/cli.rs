//! The command line: what there is, and who does it.
//!
//! Exit codes: 0 done; 1 refused (a promotion denied, a replay that differs, a
//! doctor's finding); 2 wrong usage or settings; 3 inconclusive; 4 the server
//! or the system said no.

pub(crate) mod client;
mod gates;
mod models;
mod operate;
pub(crate) mod output;
mod plugin;
mod predict;

use crate::{config, doctor, serve};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use client::Connection;
use output::{Output, REFUSED, USAGE};
use std::{path::PathBuf, process::ExitCode};

/// The gateway for models, and the commands that operate it.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print JSON for scripts instead of text for people
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve(Settings),
    /// Show the settings in force, where each comes from, and what it means
    Config(Settings),
    /// Check everything the gateway stands on
    Doctor(Settings),
    /// Register and list models and their versions
    #[command(subcommand)]
    Model(models::ModelCommand),
    /// Write, test, admit and list plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Register and list data sets
    #[command(subcommand)]
    Dataset(models::DatasetCommand),
    /// Upload, list, check and replay gates
    #[command(subcommand)]
    Gate(gates::GateCommand),
    /// Make, list and set up endpoints
    #[command(subcommand)]
    Endpoint(operate::EndpointCommand),
    /// Run a version over a data set and seal its metrics
    Evaluate(operate::Evaluate),
    /// Ask the gates whether a version may become champion of an endpoint
    Promote(operate::Promote),
    /// Call an endpoint with a row or a body
    Predict(predict::Predict),
    /// Make, list and revoke access tokens
    #[command(subcommand)]
    Token(operate::TokenCommand),
    /// Print the ledger
    Ledger(operate::Ledger),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Compile one component; what the gateway runs as a limited child
    #[command(hide = true)]
    CompileWorker {
        /// For an engine that copies a plugin's first memory
        #[arg(long)]
        no_copy_on_write: bool,
    },
}

impl Cli {
    /// Whether this process is the limited child that compiles a component; if
    /// so, whether for an engine that maps memory copy-on-write.
    pub(crate) const fn compile_worker(&self) -> Option<bool> {
        match self.command {
            Command::CompileWorker { no_copy_on_write } => Some(!no_copy_on_write),
            _ => None,
        }
    }
}

/// Where settings come from.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Configuration file; `tollgate.toml` here, if there is one
    #[arg(long, env = "TOLLGATE_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of the database, artifacts and compiled plugins
    #[arg(long)]
    data: Option<PathBuf>,
    /// Address to listen on
    #[arg(long)]
    listen: Option<String>,
    /// Database other than the one in the data folder
    #[arg(long)]
    database: Option<String>,
    /// Log lines as text or json
    #[arg(long)]
    log_format: Option<String>,
    /// Which log lines: a level, or target=level pairs
    #[arg(long)]
    log: Option<String>,
}

impl Settings {
    fn load(&self) -> anyhow::Result<(config::Config, config::Origins)> {
        use anyhow::Context as _;
        let default = PathBuf::from("tollgate.toml");
        let path = self
            .config
            .clone()
            .or_else(|| default.exists().then_some(default));
        let text = match &path {
            Some(path) => Some(
                std::fs::read_to_string(path)
                    .with_context(|| format!("reading {}", path.display()))?,
            ),
            None => None,
        };
        let name = path
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        let flags = [
            (
                "data",
                self.data.as_ref().map(|path| path.display().to_string()),
            ),
            ("listen", self.listen.clone()),
            ("database", self.database.clone()),
            ("log.format", self.log_format.clone()),
            ("log.filter", self.log.clone()),
        ];
        let flags: Vec<_> = flags
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        // Variables that are not text cannot be settings.
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let file = text.as_deref().map(|text| (name.as_str(), text));
        Ok(config::load(file, environment, &flags)?)
    }
}

/// Runs one command.
pub(crate) async fn run(cli: Cli) -> ExitCode {
    let output = Output { json: cli.json };
    let outcome = match cli.command {
        Command::Serve(settings) => match settings.load() {
            Ok((config, _)) => {
                if let Err(error) = telemetry::start(config.log_format, &config.log_filter) {
                    return output::fail_with(USAGE, &error.into());
                }
                serve::serve(config).await.map(|()| ExitCode::SUCCESS)
            }
            Err(error) => return output::fail_with(USAGE, &error),
        },
        Command::Config(settings) => match settings.load() {
            Ok((config, origins)) => {
                show_config(output, &config, &origins);
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => return output::fail_with(USAGE, &error),
        },
        Command::Doctor(settings) => match settings.load() {
            Ok((config, _)) => Ok(show_findings(output, &doctor::examine(&config).await)),
            Err(error) => return output::fail_with(USAGE, &error),
        },
        Command::Model(command) => command.run(output).await,
        Command::Plugin(command) => command.run(output).await,
        Command::Dataset(command) => command.run(output).await,
        Command::Gate(command) => command.run(output).await,
        Command::Endpoint(command) => command.run(output).await,
        Command::Evaluate(command) => command.run(output).await,
        Command::Promote(command) => command.run(output).await,
        Command::Predict(command) => command.run(output).await,
        Command::Token(command) => command.run(output).await,
        Command::Ledger(command) => command.run(output).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tollgate", &mut script);
            output::print(&script);
            Ok(ExitCode::SUCCESS)
        }
        // Main took it before the runtime was started.
        Command::CompileWorker { .. } => Ok(ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| output::fail(&error))
}

fn show_config(output: Output, config: &config::Config, origins: &config::Origins) {
    let rows: Vec<_> = config::SETTINGS
        .iter()
        .map(|setting| {
            serde_json::json!({
                "key": setting.key,
                "value": (setting.show)(config),
                "from": origins.get(setting.key).map_or("default", String::as_str),
                "variable": setting.variable(),
                "meaning": setting.meaning,
            })
        })
        .collect();
    output.list(&rows, &["key", "value", "from", "variable", "meaning"]);
}

fn show_findings(output: Output, findings: &[doctor::Finding]) -> ExitCode {
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "check": finding.check,
                "state": if finding.ok { "ok" } else { "PROBLEM" },
                "message": finding.message,
            })
        })
        .collect();
    output.list(&rows, &["check", "state", "message"]);
    if findings.iter().all(|finding| finding.ok) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
