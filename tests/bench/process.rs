//! What the kernel says about processes: CPU time, memory, how busy the machine is.

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

/// Environment of a child that is this program at first: the program to become,
/// and our id.
const PROGRAM: &str = "BENCH_PROGRAM";
const PARENT: &str = "BENCH_PARENT";

/// Makes a command that starts the bench start `program` instead, tied to us:
/// when the bench is killed, even with SIGKILL, the kernel asks the child to end.
/// The tie has to be made in the child, and the bench does that for it.
pub(crate) fn become_program(command: &mut Command, program: &Path) {
    command
        .env(PROGRAM, program)
        .env(PARENT, std::process::id().to_string());
}

/// A command that starts `program`, tied to us.
pub(crate) fn tied(program: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    become_program(&mut command, program);
    Ok(command)
}

/// Called first. In a child that [`become_program`] made: ties this process to
/// the bench and becomes the program.
pub(crate) fn become_if_child() -> Result<()> {
    let Some(program) = std::env::var_os(PROGRAM) else {
        return Ok(());
    };
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have been killed before the tie was made.
    let parent = std::env::var(PARENT).ok().and_then(|id| id.parse().ok());
    ensure!(
        parent.is_some() && getppid().map(Pid::as_raw_pid) == parent,
        "the bench is gone"
    );
    let error = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .env_remove(PROGRAM)
        .env_remove(PARENT)
        .exec();
    Err(error).with_context(|| format!("starting {}", Path::new(&program).display()))
}

/// A process that is ours. When it is dropped, everything that it started is
/// killed with it: some servers are started by a program that starts another,
/// and their workers leave the process group.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts `command`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command.spawn();
        Ok(Self(
            child.with_context(|| format!("starting {command:?}"))?,
        ))
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Starts `command` and reads the first line that it prints.
    pub(crate) fn with_first_line(command: &mut Command) -> Result<(Self, String)> {
        let mut process = Self::start(command.stdout(Stdio::piped()))?;
        let output = process.0.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok((process, line.trim().to_owned()))
    }

    /// Its id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it is gone already. Children are listed first: once
        // their parent is gone they are nobody's.
        let below = descendants(self.0.id());
        drop(self.0.kill());
        for pid in below {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                kill_process(pid, Signal::KILL).ok();
            }
        }
        drop(self.0.wait());
    }
}

/// CPU seconds of a process and of the children that it waits for, user and system.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; fields are counted after it.
    let (_, rest) = text.rsplit_once(')').context("an odd /proc/<pid>/stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    Ok((ticks(11) + ticks(12)) / rustix::param::clock_ticks_per_second() as f64)
}

/// CPU seconds of a process and everything below it.
pub(crate) fn tree_cpu_seconds(pid: u32) -> f64 {
    let seconds = |pid| cpu_seconds(pid).unwrap_or(0.0);
    seconds(pid) + descendants(pid).into_iter().map(seconds).sum::<f64>()
}

/// Ids of everything below a process.
fn descendants(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut next = vec![pid];
    while let Some(pid) = next.pop() {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let children = text
                .split_whitespace()
                .filter_map(|child| child.parse::<u32>().ok());
            next.extend(children);
        }
        found.push(pid);
    }
    found.retain(|other| *other != pid);
    found
}

/// CPU seconds of the whole machine that were not idle.
pub(crate) fn busy_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    let all: f64 = ticks.iter().take(8).sum();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    Ok((all - idle) / rustix::param::clock_ticks_per_second() as f64)
}

/// Resident memory of a process, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("no VmRSS")?;
    let kib: f64 = line
        .split_whitespace()
        .nth(1)
        .context("no figure")?
        .parse()?;
    Ok(kib / 1024.0)
}
