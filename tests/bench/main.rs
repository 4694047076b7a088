//! `cargo xtask bench`: the gateway beside its limit (and its peers), in one run
//! on one machine. Prints what it found and writes it to docs/performance.md.
//!
//! The primary figure is server CPU time per request: with another load on the
//! machine it moves little, while requests per second swing.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool"
)]

mod fresh;
mod inprocess;
mod load;
mod peers;
mod process;
mod report;
mod rounds;
mod starts;
mod subject;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use load::{Target, once};
use process::Process;
use rounds::Server;
use std::{process::ExitCode, time::Duration};
use subject::{Mode, Reference, Subject};

#[derive(Debug, Parser)]
struct Cli {
    /// Seconds of load for each sample.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Rounds, interleaved.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Also measure other servers, installed from PyPI.
    #[arg(long)]
    peers: bool,
    /// Also measure ONNX Runtime in process, installed from PyPI.
    #[arg(long)]
    onnx_runtime: bool,
    /// Do not write docs/performance.md.
    #[arg(long)]
    dry_run: bool,
}

fn main() -> ExitCode {
    match process::become_if_child().and_then(|()| run(&Cli::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let reference = Reference::read()?;
    let folder = std::env::temp_dir().join(format!("tollgate-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(cli, &reference, &folder);
    std::fs::remove_dir_all(&folder).ok();
    let report = measured?;
    println!("{report}");
    if !cli.dry_run {
        let file = report::write(&report)?;
        eprintln!("written to {}", file.display());
    }
    Ok(())
}

fn measure(cli: &Cli, reference: &Reference, folder: &std::path::Path) -> Result<String> {
    let mut report = report::Report::new(&command(cli));
    let subject = Subject::start(&folder.join("gateway"), reference)?;
    let gateway = subject.gateway.pid();
    let plain = subject.serve(Mode::Plain, "plain", reference)?;
    let (limit, target) = limit(&plain, reference)?;
    let mut servers = vec![
        server("limit", limit.pid(), target),
        server("plain", gateway, plain.clone()),
    ];
    for mode in [Mode::Warm, Mode::Fresh] {
        let target = subject.serve(mode, mode.name(), reference)?;
        servers.push(server(mode.name(), gateway, target));
    }
    eprintln!("warming up");
    rounds::warm_up(&mut servers)?;
    let time = Duration::from_secs(cli.seconds.into());
    for round in 1..=cli.rounds {
        rounds::round(&mut servers, time)?;
        eprintln!(
            "round {round} of {}: {}",
            cli.rounds,
            report::one_line(&servers)
        );
    }
    report.servers(&servers);
    report.memory(&starts::memory(gateway, &plain)?);
    drop((limit, subject));
    report.fresh(&fresh::measure(folder, reference, cli.rounds, time)?);
    report.starts(&starts::ten_models(&folder.join("ten"), reference)?);
    let mut figures = inprocess::measure(reference)?;
    if cli.peers || cli.onnx_runtime {
        match peers::onnx_runtime() {
            Ok(theirs) => figures.extend(theirs),
            Err(error) => eprintln!("ONNX Runtime is not measured: {error:#}"),
        }
    }
    report.in_process(&figures);
    if cli.peers {
        let rate = servers.get(1).map_or(0.0, |server| {
            rounds::median(&server.samples, |sample| sample.rate)
        });
        report.peers(rate, &peers::measure(reference, time));
    }
    Ok(report.text())
}

/// What to type for the same measurement.
fn command(cli: &Cli) -> String {
    let mut command = format!(
        "cargo xtask bench --seconds {} --rounds {}",
        cli.seconds, cli.rounds
    );
    for (flag, given) in [
        (" --peers", cli.peers),
        (" --onnx-runtime", cli.onnx_runtime),
    ] {
        if given {
            command.push_str(flag);
        }
    }
    command
}

fn server(name: &str, pid: u32, target: Target) -> Server {
    Server {
        name: name.to_owned(),
        pid,
        target,
        samples: Vec::new(),
    }
}

/// The limit, answering the bytes that the gateway answers to `plain`.
fn limit(plain: &Target, reference: &Reference) -> Result<(Process, Target)> {
    let answer = once(plain)?;
    let text = String::from_utf8(answer.clone())?;
    let (head, _) = text
        .split_once("\"outputs\":[")
        .context("the answer has no outputs")?;
    let program = std::env::current_exe()?.with_file_name("limit");
    let mut command = process::tied(&program)?;
    let command = command
        .arg(&reference.model)
        .arg(format!("{head}\"outputs\":["));
    let (process, address) = Process::with_first_line(command)?;
    let request = String::from_utf8(plain.request.clone())?;
    let target = Target {
        request: request
            .replace(
                &format!("host: {}", plain.address),
                &format!("host: {address}"),
            )
            .into_bytes(),
        address,
    };
    let same = once(&target)?;
    ensure!(
        same == answer,
        "the limit answers other bytes:\n{}\n{text}",
        String::from_utf8_lossy(&same)
    );
    Ok((process, target))
}
