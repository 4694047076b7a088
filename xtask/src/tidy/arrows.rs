//! Which room may know which, and which room owns which heavy dependency.

use super::Finding;
use cargo_metadata::Metadata;
use std::path::{Path, PathBuf};

/// A crate of the workspace and what it depends on.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) manifest: PathBuf,
    pub(super) needs: Vec<Need>,
}

/// A dependency.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub(super) name: String,
    /// Only its tests need it.
    pub(super) for_tests: bool,
}

/// Our crates and what each may depend on. A crate that is not here is refused:
/// a new room needs a reason, and its place in this table.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("telemetry", &[]),
    // Use cases: the domain, never each other.
    ("registry", &["domain"]),
    ("serving", &["domain"]),
    ("evaluation", &["domain"]),
    ("rollout", &["domain"]),
    // Adapters: the domain, never each other.
    ("store", &["domain"]),
    ("inference", &["domain"]),
    ("plugins", &["domain"]),
    ("gates", &["domain"]),
    // The author's workbench runs the real engine, so there is no port between.
    ("authoring", &["domain", "plugins"]),
    (
        "api",
        &[
            "domain",
            "registry",
            "serving",
            "evaluation",
            "rollout",
            "telemetry",
        ],
    ),
    (
        "gateway",
        &[
            "domain",
            "telemetry",
            "registry",
            "serving",
            "evaluation",
            "rollout",
            "store",
            "inference",
            "plugins",
            "gates",
            "authoring",
            "api",
        ],
    ),
    ("xtask", &[]),
    (
        "tests",
        &[
            "domain",
            "telemetry",
            "registry",
            "serving",
            "evaluation",
            "rollout",
            "store",
            "inference",
            "plugins",
            "gates",
            "authoring",
            "api",
            "xtask",
        ],
    ),
];

/// Families of dependencies (by first part of the name) and the rooms that may
/// use them. Building and testing every other room stays quick without them.
const OWNERS: &[(&str, &[&str])] = &[
    ("wasmtime", &["plugins"]),
    // `authoring` looks at what a toolchain made, before the engine does.
    ("wasmparser", &["plugins", "authoring"]),
    ("candle", &["inference"]),
    ("safetensors", &["inference"]),
    ("prost", &["inference"]),
    ("regorus", &["gates"]),
    ("sqlx", &["store"]),
    ("parquet", &["evaluation", "tests"]),
    ("axum", &["api", "tests"]),
    ("hyper", &["api", "tests"]),
    ("tower", &["api"]),
    ("http", &["api", "tests"]),
    // An HTTP client: the command line, and what drives the gateway from outside.
    ("reqwest", &["gateway", "tests", "xtask"]),
    ("clap", &["gateway", "xtask", "tests"]),
    // In `gates` only because regorus asks extensions for its error type.
    ("anyhow", &["gateway", "xtask", "tests", "gates"]),
];

/// Families that no other room may have even for its tests: they take minutes.
const HEAVY: &[&str] = &["wasmtime", "candle", "regorus", "sqlx"];

/// What pure rooms may not even test with.
const IMPURE: &[&str] = &["tokio", "rustix", "reqwest", "tempfile", "tracing"];

fn need(dependency: &cargo_metadata::Dependency) -> Need {
    Need {
        name: dependency.name.clone(),
        for_tests: dependency.kind == cargo_metadata::DependencyKind::Development,
    }
}

/// The crates of the workspace.
pub(super) fn rooms(metadata: &Metadata, root: &Path) -> Vec<Room> {
    let room = |package: &cargo_metadata::Package| {
        let manifest = package.manifest_path.as_std_path();
        Room {
            name: package.name.to_string(),
            manifest: manifest
                .strip_prefix(root)
                .unwrap_or(manifest)
                .to_path_buf(),
            needs: package.dependencies.iter().map(need).collect(),
        }
    };
    metadata
        .workspace_packages()
        .into_iter()
        .map(room)
        .collect()
}

/// Findings on the arrows between rooms and on who owns heavy dependencies.
pub(super) fn check(rooms: &[Room]) -> Vec<Finding> {
    rooms.iter().flat_map(|room| of_room(room, rooms)).collect()
}

fn of_room(room: &Room, rooms: &[Room]) -> Vec<Finding> {
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room.name) else {
        return vec![Finding::new(
            &room.manifest,
            0,
            format!("crate `{}` has no place in the house", room.name),
            "merge it into a room, or add it to ARROWS in xtask/src/tidy/arrows.rs and to ARCHITECTURE.md with its reason",
        )];
    };
    let mut found = Vec::new();
    for Need {
        name: need,
        for_tests,
    } in &room.needs
    {
        let ours = rooms.iter().any(|other| other.name == *need);
        if ours && *need != room.name && !allowed.contains(&need.as_str()) {
            found.push(Finding::new(
                &room.manifest,
                0,
                format!("`{}` may not depend on `{need}`", room.name),
                "go through a port of `domain`, or let `gateway` wire the two",
            ));
        }
        if let Some((family, owners)) = owner(need)
            && !ours
            && !owners.contains(&room.name.as_str())
            && (!for_tests || HEAVY.contains(&family))
        {
            found.push(Finding::new(
                &room.manifest,
                0,
                format!(
                    "`{}` may not use `{need}`: {family} belongs to {}",
                    room.name,
                    owners.join(", ")
                ),
                "move the code to that room, behind a port of `domain`",
            ));
        }
        if room.name == "domain" && IMPURE.contains(&need.as_str()) {
            found.push(Finding::new(
                &room.manifest,
                0,
                format!("`domain` is pure and may not use `{need}`"),
                "move what needs it to the use case or adapter",
            ));
        }
    }
    found
}

fn owner(need: &str) -> Option<(&'static str, &'static [&'static str])> {
    let family = need.split(['-', '_']).next().unwrap_or(need);
    OWNERS
        .iter()
        .find(|(name, _)| *name == family)
        .map(|(name, owners)| (*name, *owners))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str, needs: &[&str]) -> Room {
        Room {
            name: name.to_owned(),
            manifest: format!("host/{name}/Cargo.toml").into(),
            needs: needs.iter().map(|need| for_product(need)).collect(),
        }
    }

    fn for_product(name: &str) -> Need {
        Need {
            name: name.to_owned(),
            for_tests: false,
        }
    }

    #[test]
    fn tests_may_use_light_dependencies_of_other_rooms_but_not_heavy_ones() {
        let mut api = room("api", &[]);
        let mut need = for_product("reqwest");
        need.for_tests = true;
        api.needs.push(need.clone());
        assert_eq!(check(std::slice::from_ref(&api)), []);
        need.name = "wasmtime".to_owned();
        api.needs.push(need);
        assert_eq!(check(&[api]).len(), 1);
    }

    #[test]
    fn a_good_house_has_no_findings() {
        let rooms = [
            room("domain", &["serde"]),
            room("store", &["domain", "sqlx"]),
            room("serving", &["domain", "tokio"]),
            room("gateway", &["domain", "store", "serving", "reqwest"]),
        ];
        assert_eq!(check(&rooms), []);
    }

    #[test]
    fn each_wrong_arrow_is_found() {
        let others = [
            room("domain", &[]),
            room("store", &[]),
            room("gates", &[]),
            room("rollout", &[]),
        ];
        for (name, need) in [
            ("store", "gates"),
            ("serving", "rollout"),
            ("serving", "store"),
            ("api", "store"),
            ("domain", "store"),
            ("domain", "tokio"),
            ("serving", "wasmtime"),
            ("api", "sqlx"),
            ("gateway", "axum"),
            ("gateway", "tower-http"),
            ("plugins", "candle-core"),
            ("registry", "anyhow"),
            ("xtask", "domain"),
        ] {
            let mut rooms = others.to_vec();
            rooms.retain(|room| room.name != name);
            rooms.push(room(name, &[need]));
            let found = check(&rooms);
            assert_eq!(found.len(), 1, "{name} -> {need}: {found:?}");
            assert_eq!(
                found[0].file,
                Path::new("host").join(name).join("Cargo.toml")
            );
        }
    }

    #[test]
    fn an_unknown_room_is_found() {
        assert_eq!(check(&[room("misc", &[])]).len(), 1);
    }
}
