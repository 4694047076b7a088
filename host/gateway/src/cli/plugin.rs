//! `tollgate plugin`: an author's way from nothing to a component, which needs
//! no gateway, and then registering it with one.
//!
//! Exit codes of the author's commands: 0 all is well; 1 the plugin is not as it
//! should be (it does not build, a rule of admission is broken, a golden case
//! differs, a call failed); 2 the project, a file or the command line is not
//! valid; 4 a tool is missing, or the system said no.

mod show;
mod watch;
mod workshop;

use super::{Connection, Output, models::read_json};
use authoring::Language;
use clap::{Args, Subcommand};
use domain::{name::PluginName, plugin::PluginKind};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Write a project that builds, tests and passes at once
    New(New),
    /// Build a project: find the toolchain, compile, make the component
    Build {
        /// Folder of the project
        #[arg(default_value = ".")]
        project: PathBuf,
    },
    /// Say whether a gateway would admit a component, and what to do if not
    Check(Target),
    /// Play the golden cases in the real engine under the real limits
    Test(Test),
    /// Measure size, compilation, instances and calls
    Bench(Target),
    /// Call the plugin once and show what comes out, what it cost, what it logged
    Run(Run),
    /// Build and test on every save, and swap it into a running gateway if asked
    Watch(watch::Watch),
    /// Admit a component with its settings
    Register {
        /// Name of the plugin
        name: PluginName,
        /// The component
        #[arg(long)]
        file: PathBuf,
        /// Settings (JSON file)
        #[arg(long)]
        settings: Option<PathBuf>,
        /// Keep instances between calls
        #[arg(long)]
        warm: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// List plugin revisions
    List {
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Name of the plugin
    name: String,
    /// transform, detector or action
    #[arg(long, value_parser = kind)]
    kind: PluginKind,
    /// rust, js, python or c
    #[arg(long, value_parser = language)]
    lang: Language,
    /// Folder to write it into; the name, if not given
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// A component, as a project (which is built first) or as a file.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Folder of a project, or a component
    #[arg(default_value = ".")]
    what: PathBuf,
    /// Settings (JSON file); the project's, if not given
    #[arg(long)]
    settings: Option<PathBuf>,
    /// Golden file; the project's, if not given
    #[arg(long)]
    golden: Option<PathBuf>,
    /// Take the project's component as it was built last
    #[arg(long)]
    no_build: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    target: Target,
    /// Write what was observed into the cases that fail, to be read and committed
    #[arg(long)]
    update: bool,
    /// Also write the results as JUnit XML
    #[arg(long)]
    junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    target: Target,
    /// Rows: CSV with a header, a JSON object of columns, or a JSON list of rows
    #[arg(long)]
    input: Option<PathBuf>,
    /// Rows that a detector learns first
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Event of an action (JSON); requests are answered 200 and go nowhere
    #[arg(long)]
    event: Option<PathBuf>,
}

fn kind(text: &str) -> Result<PluginKind, String> {
    [
        PluginKind::Transform,
        PluginKind::Detector,
        PluginKind::Action,
    ]
    .into_iter()
    .find(|kind| kind.to_string() == text)
    .ok_or_else(|| "use transform, detector or action".to_owned())
}

fn language(text: &str) -> Result<Language, String> {
    Language::ALL
        .into_iter()
        .find(|language| language.to_string() == text)
        .ok_or_else(|| "use rust, js, python or c".to_owned())
}

impl PluginCommand {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::New(new) => workshop::new(output, &new),
            Self::Build { project } => workshop::build(output, &project),
            Self::Check(target) => workshop::check(output, &target),
            Self::Test(test) => workshop::test(output, &test),
            Self::Bench(target) => workshop::bench(output, &target),
            Self::Run(run) => workshop::run(output, &run),
            Self::Watch(watch) => watch.run(output).await,
            Self::Register {
                name,
                file,
                settings,
                warm,
                connection,
            } => {
                let client = connection.client()?;
                let component = client.upload(&file).await?;
                let mut body = json!({ "component": component });
                if let Some(path) = &settings {
                    body["settings"] = read_json(path)?;
                }
                if warm {
                    body["limits"] = json!({ "isolation": "warm" });
                }
                output.say("admitting the component: checked, compiled, asked to describe itself");
                let path = format!("/plugins/{name}/revisions");
                let revision = client.post(&path, &body).await?;
                if output.json {
                    output.value(&revision);
                } else {
                    output.list(&[revision], &["plugin", "kind", "digest", "wit_version"]);
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::List { connection } => {
                let revisions = connection.client()?.list("/plugins").await?;
                output.list(
                    &revisions,
                    &["plugin", "kind", "digest", "wit_version", "created_by"],
                );
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
