//! Admission: what a bundle must look like before regorus may evaluate it.
//!
//! The order matters. Sizes and bracket depth are checked before the parser
//! sees a module, because its time grows exponentially with nested brackets.
//! Then the syntax tree is checked: who owns which package, what is called,
//! what is referred to. Last, regorus prepares the rules, which finds unsafe
//! variables and recursion. Everything runs contained, and the bundle's drop
//! too if it is refused.

mod input_paths;
mod manifest;
mod references;
mod rules;
mod source;

pub(crate) use manifest::is_id;

use crate::{
    cache::Prepared,
    engine::{self, Load},
    text,
};
use domain::{gate::GateBundle, ports::engine::Finding};
use std::time::Duration;

/// Most modules of a bundle.
const MAX_MODULES: usize = 32;
/// Ending of the path of a module that holds tests.
const TEST_SUFFIX: &str = "_test.rego";

/// Checks `bundle` and prepares an engine from it. `limit` is the time of one
/// evaluation. Findings come in file and line order.
pub(crate) fn load(
    bundle: &GateBundle,
    what: Load,
    limit: Duration,
) -> Result<Prepared, Vec<Finding>> {
    let mut findings = manifest::check(&bundle.manifest);
    if bundle.modules.len() > MAX_MODULES {
        let message = format!("{} modules; at most {MAX_MODULES}", bundle.modules.len());
        findings.push(finding("too_large", "bundle", None, message));
        return Err(findings);
    }
    let modules = || {
        let tests = what == Load::WithTests;
        let wanted = move |path: &String| tests || !path.ends_with(TEST_SUFFIX);
        bundle.modules.iter().filter(move |(path, _)| wanted(path))
    };
    for (path, text) in modules() {
        findings.extend(source::check(path, text));
    }
    stop_at(&mut findings)?;

    let mut engine = engine::bare(limit).map_err(|message| broken("bundle", message))?;
    for (path, text) in modules() {
        if let Err(error) = engine.add_policy(path.clone(), text.clone()) {
            let message = text::clean(&format!("{error:#}"));
            findings.push(finding("not_rego", path, None, message));
        }
    }
    stop_at(&mut findings)?;

    let tree = engine.get_modules();
    findings.extend(rules::check(&bundle.manifest, tree));
    findings.extend(references::check(&bundle.manifest, tree));
    let tests = rules::tests(tree);
    stop_at(&mut findings)?;

    let entry = format!("data.{}.decision", bundle.manifest.package);
    engine::give_parameters(&mut engine, &bundle.manifest)
        .map_err(|message| broken("manifest", message))?;
    // Forces regorus' own analysis, which is lazy otherwise.
    match engine.compile_with_entrypoint(&entry.as_str().into()) {
        Ok(_) => Ok(Prepared {
            engine,
            entry,
            tests,
        }),
        Err(error) => Err(broken("bundle", text::clean(&format!("{error:#}")))),
    }
}

/// Ends with the findings so far, sorted, if there are any.
fn stop_at(findings: &mut Vec<Finding>) -> Result<(), Vec<Finding>> {
    if findings.is_empty() {
        return Ok(());
    }
    let mut findings = std::mem::take(findings);
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.file.clone(), f.line, f.code.clone(), f.message.clone());
        key(a).cmp(&key(b))
    });
    findings.dedup();
    Err(findings)
}

fn broken(file: &str, message: String) -> Vec<Finding> {
    vec![finding("not_rego", file, None, message)]
}

fn finding(code: &str, file: &str, line: Option<u32>, message: impl Into<String>) -> Finding {
    Finding {
        code: code.to_owned(),
        file: file.to_owned(),
        line,
        message: message.into(),
    }
}
