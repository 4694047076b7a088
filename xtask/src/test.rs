//! `cargo xtask test`: every test, with everything it needs built first.

use crate::{guests, shell, tools};
use anyhow::Result;
use std::path::Path;

/// What to test.
#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Only this package (repeatable), as in `store`; all when not given.
    #[arg(short, long)]
    pub package: Vec<String>,
    /// Only tests whose name contains this.
    pub filter: Option<String>,
}

/// Builds plugins and gateway, then runs the tests of the workspace in the same
/// profile as the demo, so that both share one build.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    tools::postgres()?;
    let guests = guests::build_guests(root)?;
    shell::build(root, &["tollgate", "xtask"])?;
    let mut test = shell::cargo(root);
    test.args(["test", "--release", "--no-fail-fast"]);
    if options.package.is_empty() {
        test.arg("--workspace");
    }
    for package in &options.package {
        test.args(["--package", package]);
    }
    test.args(&options.filter);
    // Names of our own: the gateway refuses settings that it does not know.
    test.env("TOLLGATE_GUESTS", &guests)
        .env("XTASK_TOLLGATE", shell::binary(root, "tollgate"));
    let requirements = root.join("tests/clients/requirements.txt");
    match tools::python("clients", &requirements) {
        Ok(python) => {
            test.env("XTASK_PYTHON", python);
        }
        Err(error) => shell::say(&format!(
            "skipping the tests that drive real Python clients (nothing else needs Python): {error:#}"
        )),
    }
    shell::run("testing", &mut test)
}
