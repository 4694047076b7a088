//! Admission, part two: which world a component is built for, and whether it
//! asks for more than that world gives.

use crate::structure::Surface;
use domain::plugin::PluginKind;

/// Our WIT package.
const PACKAGE: &str = "tollgate:plugin/";
/// Versions of it that this host serves share this prefix.
const SERVED: &str = "0.1.";
/// Interfaces that hold types only, or that every world imports.
const FOR_ALL: [&str; 3] = ["tensors", "failures", "log"];

/// The exported interface that makes a component one of a kind.
const KINDS: [(&str, PluginKind); 3] = [
    ("transformer", PluginKind::Transform),
    ("drift", PluginKind::Detector),
    ("rollback", PluginKind::Action),
];

/// The world a component is built for, with the version of our WIT package; or
/// every reason why it fits none, each with what to do.
pub(crate) fn identify(surface: &Surface) -> Result<(PluginKind, String), Vec<String>> {
    let mut problems = Vec::new();
    let mut found: Vec<(PluginKind, String)> = Vec::new();
    for export in &surface.exports {
        let ours = ours(export).and_then(|(name, version)| {
            let (_, kind) = KINDS.iter().find(|(interface, _)| *interface == name)?;
            Some((*kind, version))
        });
        match ours {
            Some((_, version)) if !version.starts_with(SERVED) => problems.push(format!(
                "it exports {export}: this gateway serves {PACKAGE}*@{SERVED}x; build with the matching SDK"
            )),
            Some((kind, version)) => found.push((kind, version.to_owned())),
            None => problems.push(format!(
                "it exports {}, which no world has: remove it",
                shown(export)
            )),
        }
    }
    let kind = found.first().map(|(kind, _)| *kind);
    if found.len() > 1 {
        problems.push("it exports more than one world: make one component for each".into());
    }
    if found.is_empty() && problems.is_empty() {
        problems.push(
            "it exports nothing: implement one of the worlds transform, detector or action of wit/0.1"
                .into(),
        );
    }
    for import in &surface.imports {
        if let Some(problem) = import_problem(import, kind) {
            problems.push(problem);
        }
    }
    match found.pop() {
        Some(found) if problems.is_empty() => Ok(found),
        _ => Err(problems),
    }
}

/// Interface and version, if the name is of our package.
fn ours(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.split_once('@')
}

fn import_problem(import: &str, kind: Option<PluginKind>) -> Option<String> {
    let given = shown(import);
    if let Some((interface, version)) = ours(import) {
        if !version.starts_with(SERVED) {
            return Some(format!(
                "it imports {given}: this gateway serves {PACKAGE}*@{SERVED}x; build with the matching SDK"
            ));
        }
        return match interface {
            _ if FOR_ALL.contains(&interface) => None,
            "outbound" if kind == Some(PluginKind::Action) => None,
            "outbound" => Some(format!(
                "it imports {given}: only actions reach the network; remove the call"
            )),
            _ => Some(format!("it imports {given}, which no world has")),
        };
    }
    let remedy = if import.starts_with("wasi:") {
        "plugins have no system interface; for Rust build for wasm32-unknown-unknown, for \
         JavaScript pass `disableFeatures` with every feature, for Python pass `--stub-wasi`, for C \
         use a freestanding target"
    } else {
        "plugins import nothing but tollgate:plugin/log (and actions tollgate:plugin/outbound)"
    };
    Some(format!("it imports {given}: {remedy}"))
}

fn shown(name: &str) -> String {
    crate::sandbox::clean(name, 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(imports: &[&str], exports: &[&str]) -> Surface {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Surface {
            imports: owned(imports),
            exports: owned(exports),
        }
    }

    #[test]
    fn each_world_is_known_by_its_export() {
        for (interface, kind) in KINDS {
            let export = format!("tollgate:plugin/{interface}@0.1.0");
            let surface = surface(&["tollgate:plugin/log@0.1.0"], &[&export]);
            assert_eq!(identify(&surface).unwrap(), (kind, "0.1.0".to_owned()));
        }
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let surface = surface(
            &[
                "wasi:cli/stdout@0.2.9",
                "tollgate:plugin/outbound@0.1.0",
                "env:thing/x",
                "tollgate:plugin/log@0.2.0",
            ],
            &["tollgate:plugin/transformer@0.1.0", "run"],
        );
        let problems = identify(&surface).unwrap_err();
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(problems[1].contains("wasm32-unknown-unknown"));
        assert!(problems[2].contains("only actions"));
    }
}
