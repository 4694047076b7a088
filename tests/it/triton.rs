//! The real `tritonclient[http]` from PyPI, unmodified. Runs when
//! `cargo xtask test` could prepare a Python; says so when it could not.

use crate::world::World;
use std::{io::Write as _, process::Command};
use tests::places;

#[test]
fn tritonclient_works_unmodified() {
    let Some(python) = std::env::var_os("XTASK_PYTHON") else {
        // Straight to the stream: the harness keeps what macros print to itself.
        writeln!(
            std::io::stderr(),
            "skipped: tritonclient (no Python; see the start of `cargo xtask test`)"
        )
        .unwrap();
        return;
    };
    let world = World::start();
    world.serving("tumour");
    let output = Command::new(python)
        .arg(places::root().join("tests/clients/triton.py"))
        .arg(world.gateway.url.strip_prefix("http://").unwrap())
        .arg("tumour")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}
