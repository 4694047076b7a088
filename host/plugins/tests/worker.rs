//! Components compiled in a process of their own. This binary is both the test
//! and, when started with the argument `compile`, the worker.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test harness and a worker"
)]

#[path = "plugins/support.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod support;

use domain::{
    plugin::Isolation,
    ports::engine::{AdmitError, PluginEngine},
};
use plugins::{PluginConfig, PluginHost};
use std::{ffi::OsString, sync::Arc};
use support::{HandClock, guest, limits};

fn main() -> std::process::ExitCode {
    if std::env::args().nth(1).as_deref() == Some("compile") {
        return match plugins::compile_worker(std::io::stdin(), std::io::stdout(), true) {
            Ok(()) => std::process::ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                std::process::ExitCode::FAILURE
            }
        };
    }
    let tests: [(&str, fn()); 3] = [
        (
            "a_component_compiled_in_a_worker_runs",
            a_component_compiled_in_a_worker_runs,
        ),
        ("a_workers_refusal_is_told", a_workers_refusal_is_told),
        (
            "a_worker_that_cannot_start_is_told",
            a_worker_that_cannot_start_is_told,
        ),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    println!("{} passed, 0 failed", tests.len());
    std::process::ExitCode::SUCCESS
}

fn host(command: &[OsString]) -> PluginHost {
    let config = PluginConfig {
        compiler: Some(command.to_vec()),
        ..support::config()
    };
    PluginHost::new(config, Arc::new(HandClock::default())).unwrap()
}

fn this_binary() -> OsString {
    std::env::current_exe().unwrap().into_os_string()
}

fn a_component_compiled_in_a_worker_runs() {
    let host = host(&[this_binary(), "compile".into()]);
    let transform = support::load_on(&host, "plain", "{}", &limits(Isolation::Fresh)).unwrap();
    let tensors = transform.apply(&support::row(&[1.5; 30])).unwrap();
    assert_eq!(support::floats(&tensors), [2.5; 30]);
}

fn a_workers_refusal_is_told() {
    let host = host(&[this_binary(), "compile".into()]);
    let mut bytes = guest("plain");
    // Damage that still parses: the validator, in the worker, finds it.
    let found = (8..bytes.len()).rev().step_by(31).find_map(|at| {
        let old = bytes[at];
        bytes[at] ^= 0x15;
        let answer = host.admit(&bytes, "{}", &limits(Isolation::Fresh));
        bytes[at] = old;
        match answer {
            Err(AdmitError::Compile(why)) => Some(why),
            _ => None,
        }
    });
    assert!(found.is_some_and(|why| !why.is_empty()));
}

fn a_worker_that_cannot_start_is_told() {
    let host = host(&["/nonexistent/worker".into()]);
    let error = host.admit(&guest("plain"), "{}", &limits(Isolation::Fresh));
    let Err(AdmitError::Compile(why)) = error else {
        panic!("not a compile error: {error:?}")
    };
    assert!(
        why.starts_with("the compile worker cannot be started"),
        "{why}"
    );
}
