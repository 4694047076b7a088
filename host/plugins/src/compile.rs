//! Compiling a component: in a process of its own, where a hostile one can take
//! neither the gateway's memory nor its time.

use crate::{
    artifact::Artifact,
    config::{PluginConfig, Tuning},
    engine::compiling_engine,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use wasmtime::Engine;

/// Address space of the worker.
const WORKER_MEMORY: u64 = 4 << 30;
/// CPU seconds of the worker.
const WORKER_CPU: u64 = 60;
/// Wall clock of the worker.
const WORKER_TIME: Duration = Duration::from_secs(120);
/// Largest artifact that a worker may answer, in bytes.
const MAX_ANSWER: u64 = 256 << 20;

/// The body of the compile worker: reads a component from `input`, writes its
/// artifact to `output`. The caller is a process started for this one job; the
/// function lowers the process's limits for good. `memory_init_cow` must be what
/// the host's [`Tuning`] says, or the host refuses the artifact.
///
/// # Errors
/// When a limit cannot be set, the bytes are no valid component, or a stream
/// breaks. The message goes to the worker's stderr.
pub fn compile_worker(
    mut input: impl Read,
    mut output: impl Write,
    memory_init_cow: bool,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let limit = |resource, most: u64| {
        let rlimit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, rlimit)
    };
    limit(Resource::As, WORKER_MEMORY)?;
    limit(Resource::Cpu, WORKER_CPU)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    let config = PluginConfig::default();
    let tuning = Tuning {
        memory_init_cow,
        ..config.tuning
    };
    let mut bytes = Vec::new();
    let most = config.max_component_bytes as u64 + 1;
    input.by_ref().take(most).read_to_end(&mut bytes)?;
    let artifact = precompile(&compiling_engine(&tuning)?, &bytes)?;
    output.write_all(&artifact)?;
    output.flush()?;
    Ok(())
}

/// Machine code of a component, or of a core module taken from one.
fn precompile(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Vec<u8>> {
    if wasmparser::Parser::is_core_wasm(bytes) {
        engine.precompile_module(bytes)
    } else {
        engine.precompile_component(bytes)
    }
}

/// Compiles in the worker if there is one, else here.
pub(crate) fn compile(
    engine: &Engine,
    worker: Option<&[OsString]>,
    component: &[u8],
) -> Result<Artifact, String> {
    let bytes = match worker {
        None => precompile(engine, component).map_err(|error| format!("{error:#}"))?,
        Some(command) => in_worker(command, component)?,
    };
    Ok(Artifact::compiled(bytes))
}

fn in_worker(command: &[OsString], component: &[u8]) -> Result<Vec<u8>, String> {
    let (program, arguments) = command
        .split_first()
        .ok_or("the compile worker has no command line")?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the compile worker cannot be started: {error}"))?;
    let answer = converse(&mut child, component);
    // Reaped whatever happened; killing what has ended does nothing.
    drop(child.kill());
    let status = child
        .wait()
        .map_err(|error| format!("the compile worker was lost: {error}"))?;
    let (artifact, complaint, in_time) = answer?;
    if !in_time {
        return Err(format!(
            "it did not compile within {} s",
            WORKER_TIME.as_secs()
        ));
    }
    if status.success() {
        Ok(artifact)
    } else {
        let complaint = crate::sandbox::clean(complaint.trim(), 1024);
        Err(if complaint.is_empty() {
            format!("the compile worker ended with {status}: it ran out of memory or time")
        } else {
            complaint
        })
    }
}

/// Feeds the worker and takes its answer: artifact, stderr, and whether both
/// ended in time.
fn converse(child: &mut Child, component: &[u8]) -> Result<(Vec<u8>, String, bool), String> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("the compile worker has no pipes".into());
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            // A worker that refuses early closes its end; its answer says why.
            drop(stdin.write_all(component));
        });
        let artifact = scope.spawn(move || read(stdout, MAX_ANSWER));
        let complaint = scope.spawn(move || read(stderr, 64 << 10));
        let started = Instant::now();
        let mut in_time = true;
        while !(artifact.is_finished() && complaint.is_finished()) {
            if started.elapsed() > WORKER_TIME && in_time {
                in_time = false;
                drop(child.kill());
            }
            thread::sleep(Duration::from_millis(2));
        }
        let bytes = |read: thread::Result<io::Result<Vec<u8>>>| match read {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(format!("the compile worker's answer broke off: {error}")),
            Err(_) => Err("the compile worker's answer was lost".to_owned()),
        };
        let complaint = String::from_utf8_lossy(&bytes(complaint.join())?).into_owned();
        Ok((bytes(artifact.join())?, complaint, in_time))
    })
}

fn read(stream: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
