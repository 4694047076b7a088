//! Would a gateway take this component? Every rule of admission, run here, and
//! what to do about each that is broken.

use crate::{Manifest, Project, golden::Golden};
use domain::{
    batch::Contract,
    digest::Digest,
    plugin::{PluginKind, PluginLimits},
    ports::engine::{AdmitError, PluginEngine},
};
use plugins::trial::{Surface, surface};

/// Something that keeps a component out, or its project from working.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// What is known of a component, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: usize,
    /// The names on its outside, if it is a component at all.
    pub surface: Option<Surface>,
    /// The world it implements, if it is admitted.
    pub kind: Option<PluginKind>,
    /// WIT package version it was built for, if it is admitted.
    pub wit_version: Option<String>,
    /// What a transform takes and gives under its settings.
    pub contract: Option<Contract>,
    /// Everything found.
    pub problems: Vec<Problem>,
}

/// Checks a component with its settings (canonical JSON) under `limits`.
pub fn check(
    engine: &dyn PluginEngine,
    component: &[u8],
    settings: &str,
    limits: &PluginLimits,
) -> Checked {
    let mut checked = Checked {
        digest: Digest::of(component),
        size: component.len(),
        surface: surface(component).ok(),
        kind: None,
        wit_version: None,
        contract: None,
        problems: Vec::new(),
    };
    match engine.admit(component, settings, limits) {
        Ok(admitted) => {
            checked.kind = Some(admitted.kind);
            checked.wit_version = Some(admitted.wit_version);
            checked.contract = admitted.contract;
        }
        Err(error) => checked.problems = problems(&error),
    }
    checked
}

/// Each reason of a refusal with its remedy.
fn problems(error: &AdmitError) -> Vec<Problem> {
    match error {
        AdmitError::Malformed(why) => vec![Problem::new(
            format!("the component is not valid: {why}"),
            "build it with `tollgate plugin build`, which makes components",
        )],
        // Each of these ends with its own remedy.
        AdmitError::World(whys) => {
            let split = |why: &String| match why.split_once(": ") {
                Some((what, remedy)) => Problem::new(what, remedy),
                None => Problem::new(
                    why.clone(),
                    "build with the SDK of the WIT version that this tollgate carries; \
                     `tollgate plugin new` writes it into a project",
                ),
            };
            whys.iter().map(split).collect()
        }
        AdmitError::Refused(why) => vec![Problem::new(
            format!("the plugin refused: {why}"),
            "correct the settings, or what `configure` and `describe` do under them; they run \
             under the limits of a call",
        )],
        AdmitError::Compile(why) => vec![Problem::new(
            format!("it could not be compiled: {why}"),
            "if it is too large or takes too long, leave out what is not needed and build with \
             optimization; else the toolchain made an invalid component: rebuild from scratch",
        )],
    }
}

/// What is wrong with a project beyond its component.
pub fn check_project(project: &Project, checked: &Checked) -> Vec<Problem> {
    let Manifest { kind, grants, .. } = &project.manifest;
    let mut found = Vec::new();
    if let Some(given) = checked.kind.filter(|given| given != kind) {
        found.push(Problem::new(
            format!("plugin.toml says it is a {kind}, the component is a {given}"),
            "correct `kind`, or build the component again",
        ));
    }
    if !grants.is_empty() && *kind != PluginKind::Action {
        found.push(Problem::new(
            format!("plugin.toml asks for grants, and a {kind} cannot use any"),
            "remove [[grants]]: only actions reach the network",
        ));
    }
    for grant in grants {
        for method in &grant.methods {
            if !["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                found.push(Problem::new(
                    format!("grant {:?} names the method {method:?}", grant.name),
                    "use get, post, put, patch or delete",
                ));
            }
        }
    }
    match Golden::read(&project.golden()) {
        Ok(golden) if golden.kind != *kind => found.push(Problem::new(
            format!(
                "the golden file is for a {}, the project is a {kind}",
                golden.kind
            ),
            "correct its `kind`",
        )),
        Ok(_) => {}
        Err(error) => found.push(Problem::new(
            crate::told(&error),
            "write golden cases; `tollgate plugin new` makes an example of each kind",
        )),
    }
    found
}
