//! Start, stop, and what the first start leaves behind.

use crate::world::World;
use reqwest::Method;
use std::{os::unix::fs::PermissionsExt as _, process::Command};
use tests::places;
use xtask::gateway::program;

fn tollgate(arguments: &[&str]) -> Command {
    let mut command = program(&places::tollgate());
    command.args(arguments);
    command
}

#[test]
fn the_first_token_is_for_its_owner_only_and_works_after_a_restart() {
    let mut world = World::start();
    let file = world.data().join("admin.token");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = std::fs::read_to_string(&file).unwrap();
    world.gateway.stop().unwrap();
    world.again();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), token);
    assert_eq!(world.admin.get("/whoami").unwrap()["role"], "admin");
}

#[test]
fn a_terminated_gateway_drains_and_ends_well() {
    let mut world = World::start();
    let status = world.gateway.stop().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn a_second_gateway_on_the_same_folder_is_refused() {
    let world = World::start();
    let output = tollgate(&["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(world.data())
        .output()
        .unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(world.admin.get("/whoami").unwrap()["role"], "admin");
}

#[test]
fn secrets_are_neither_logged_nor_kept_in_the_clear() {
    let world = World::start();
    let made = world
        .admin
        .post(
            "/tokens",
            &serde_json::json!({"name": "ci", "role": "viewer"}),
        )
        .unwrap();
    let secret = made["secret"]
        .as_str()
        .unwrap()
        .rsplit('_')
        .next()
        .unwrap()
        .to_owned();
    let log = std::fs::read_to_string(&world.gateway.log).unwrap();
    assert!(!log.contains(&secret), "the log holds a secret");
    let mut folders = vec![world.data().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let bytes = std::fs::read(entry.path()).unwrap_or_default();
                let found = bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds a secret", entry.path().display());
            }
        }
    }
}

#[test]
fn mistakes_on_the_command_line_end_with_an_error() {
    for arguments in [
        &["nonsense"][..],
        &["serve", "--listen", "nowhere"],
        &["config", "--config", "/nowhere.toml"],
    ] {
        let output = tollgate(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?} said nothing");
    }
}

#[test]
fn health_and_metrics_answer_without_a_token() {
    let world = World::start();
    let open = world.admin.with_token(None);
    for path in ["/v2/health/live", "/v2/health/ready", "/v2", "/metrics"] {
        let reply = open.send(Method::GET, path, None).unwrap();
        assert_eq!(reply.status, 200, "{path}");
    }
}
