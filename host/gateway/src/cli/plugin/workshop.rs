//! The author's commands. All of them work with no gateway running.

use super::{New, Run, Target, Test, show};
use crate::{
    cli::output::{self, FAILED, Output, REFUSED, USAGE},
    world::{SystemClock, plugin_host},
};
use anyhow::Context as _;
use authoring::{
    Project, bench,
    build::{self, BuildError},
    check,
    golden::{self, Golden},
    inputs, new as make, run as once,
};
use domain::ports::Clock;
use plugins::{PluginHost, trial::Trial};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Why a command ends, with its exit code.
pub(super) struct Ended {
    code: u8,
    error: anyhow::Error,
}

impl Ended {
    fn with(code: u8) -> impl FnOnce(anyhow::Error) -> Self {
        move |error| Self { code, error }
    }

    /// Prints it.
    pub(super) fn told(self) -> ExitCode {
        output::fail_with(self.code, &self.error)
    }
}

/// An error of the user's files or command line.
fn usage(error: impl Into<anyhow::Error>) -> Ended {
    Ended::with(USAGE)(error.into())
}

/// The plugin is not as it should be.
fn refused(error: impl Into<anyhow::Error>) -> Ended {
    Ended::with(REFUSED)(error.into())
}

fn failed(error: impl Into<anyhow::Error>) -> Ended {
    Ended::with(FAILED)(error.into())
}

fn done(outcome: Result<ExitCode, Ended>) -> anyhow::Result<ExitCode> {
    Ok(outcome.unwrap_or_else(Ended::told))
}

pub(super) fn new(output: Output, new: &New) -> anyhow::Result<ExitCode> {
    let folder = new.dir.clone().unwrap_or_else(|| PathBuf::from(&new.name));
    done(
        make::new(&folder, &new.name, new.kind, new.lang)
            .map(|()| {
                output.say(&format!(
                    "{} is a {} in {}. Next:\n\n  cd {}\n  tollgate plugin test\n",
                    folder.display(),
                    new.kind,
                    new.lang,
                    folder.display()
                ));
                ExitCode::SUCCESS
            })
            .map_err(usage),
    )
}

/// Builds a project; progress goes to standard error.
pub(super) fn built(project: &Project) -> Result<build::Built, Ended> {
    build::build(project, &output::progress).map_err(|error| match error {
        BuildError::Failed { .. } | BuildError::Encode(_) | BuildError::Imports { .. } => {
            refused(error)
        }
        _ => failed(error),
    })
}

pub(super) fn build(output: Output, folder: &Path) -> anyhow::Result<ExitCode> {
    let build = || {
        let project = Project::open(folder).map_err(usage)?;
        let built = built(&project)?;
        show::built(output, &built);
        Ok(ExitCode::SUCCESS)
    };
    done(build())
}

/// A component with what belongs to it.
pub(super) struct Subject {
    pub(super) name: String,
    project: Option<Project>,
    component: Vec<u8>,
    settings: String,
    golden: Option<PathBuf>,
}

impl Target {
    /// The component, built if it is a project's.
    fn open(&self) -> Result<Subject, Ended> {
        if self.what.is_file() {
            let component = read(&self.what)?;
            return Ok(Subject {
                name: self.what.display().to_string(),
                project: None,
                component,
                settings: inputs::settings(self.settings.as_deref()).map_err(usage)?,
                golden: self.golden.clone(),
            });
        }
        let project = Project::open(&self.what).map_err(usage)?;
        let component = if self.no_build {
            read(&project.output())?
        } else {
            built(&project)?.component
        };
        let settings = self.settings.clone().or_else(|| project.settings());
        let golden = self.golden.clone().unwrap_or_else(|| project.golden());
        Ok(Subject {
            name: project.manifest.name.clone(),
            component,
            settings: inputs::settings(settings.as_deref()).map_err(usage)?,
            golden: Some(golden),
            project: Some(project),
        })
    }
}

impl Subject {
    fn golden(&self) -> Result<Golden, Ended> {
        let path = self.golden_path()?;
        Golden::read(path).map_err(usage)
    }

    fn golden_path(&self) -> Result<&Path, Ended> {
        self.golden
            .as_deref()
            .context("name the golden file with --golden")
            .map_err(usage)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Ended> {
    std::fs::read(path)
        .with_context(|| format!("{} cannot be read; build it first", path.display()))
        .map_err(usage)
}

/// The engine that serves, as the gateway sets it up.
fn engine() -> Result<PluginHost, Ended> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    plugin_host(&plugins::PluginConfig::default(), None, &clock).map_err(failed)
}

pub(super) fn trial() -> Result<Trial, Ended> {
    Trial::new().map_err(failed)
}

pub(super) fn check(output: Output, target: &Target) -> anyhow::Result<ExitCode> {
    let run = || {
        let subject = target.open()?;
        // The kind is not known yet; a detector's and an action's budgets hold
        // for calls that admission does not make.
        let limits = domain::plugin::PluginLimits::default();
        let engine = engine()?;
        let mut checked = check::check(&engine, &subject.component, &subject.settings, &limits);
        if let Some(project) = &subject.project {
            let more = check::check_project(project, &checked);
            checked.problems.extend(more);
        }
        show::checked(output, &checked);
        Ok(code(checked.problems.is_empty()))
    };
    done(run())
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    }
}

pub(super) fn test(output: Output, test: &Test) -> anyhow::Result<ExitCode> {
    let run = || {
        let subject = test.target.open()?;
        let golden = subject.golden()?;
        let report = golden::play(&trial()?, &subject.component, &golden).map_err(refused)?;
        if let Some(path) = &test.junit {
            std::fs::write(path, report.junit(&subject.name))
                .with_context(|| format!("writing {}", path.display()))
                .map_err(failed)?;
        }
        show::report(output, &report);
        if test.update && !report.passed() {
            let path = subject.golden_path()?;
            let changed = golden::update(path, &report).map_err(failed)?;
            output.say(&format!(
                "wrote what was observed into {changed} case(s) of {}: read the change before you commit it",
                path.display()
            ));
            return Ok(ExitCode::SUCCESS);
        }
        Ok(code(report.passed()))
    };
    done(run())
}

/// Builds and tests a project; for `watch`. The component, if all is well.
pub(super) fn build_and_test(
    output: Output,
    trial: &Trial,
    folder: &Path,
) -> Result<Option<Project>, Ended> {
    let project = Project::open(folder).map_err(usage)?;
    let built = built(&project)?;
    show::built(output, &built);
    let golden = Golden::read(&project.golden()).map_err(usage)?;
    let report = golden::play(trial, &built.component, &golden).map_err(refused)?;
    show::report(output, &report);
    Ok(report.passed().then_some(project))
}

pub(super) fn bench(output: Output, target: &Target) -> anyhow::Result<ExitCode> {
    let run = || {
        let subject = target.open()?;
        let golden = subject
            .golden
            .as_ref()
            .map(|_| subject.golden())
            .transpose()?;
        let bench = bench::bench(
            &engine()?,
            &trial()?,
            &subject.component,
            &subject.settings,
            golden.as_ref(),
        )
        .map_err(refused)?;
        show::bench(output, &bench);
        Ok(ExitCode::SUCCESS)
    };
    done(run())
}

pub(super) fn run(output: Output, run: &Run) -> anyhow::Result<ExitCode> {
    let play = || {
        let subject = run.target.open()?;
        let given = once::Inputs {
            rows: run.input.as_deref(),
            reference: run.reference.as_deref(),
            event: run.event.as_deref(),
        };
        let ran = once::run(&trial()?, &subject.component, &subject.settings, given).map_err(
            |error| match error {
                once::RunError::Admit(_) => refused(error),
                _ => usage(error),
            },
        )?;
        show::ran(output, &ran);
        Ok(code(ran.outcome.is_ok()))
    };
    done(play())
}
