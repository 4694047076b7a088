//! A gateway process that is ours: started, waited for, stopped by its own id.

use crate::admin::Client;
use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{DirBuilder, File},
    os::unix::{fs::DirBuilderExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a gateway may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long it may drain.
const DRAIN_WITHIN: Duration = Duration::from_secs(40);

/// A running `tollgate serve`. Killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    /// Where it listens, as in `http://127.0.0.1:8470`.
    pub url: String,
    /// Its data folder.
    pub data: PathBuf,
    /// Where its log goes.
    pub log: PathBuf,
}

impl Gateway {
    /// Starts `binary` on a data folder and waits until it is ready. `listen`
    /// may have port 0. `more` is added to the command line and environment.
    pub fn start(
        binary: &Path,
        data: &Path,
        listen: &str,
        more: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        // It will hold tokens: nobody else's business.
        let mut folder = DirBuilder::new();
        folder
            .recursive(true)
            .mode(0o700)
            .create(data)
            .with_context(|| format!("cannot create the data folder {}", data.display()))?;
        let told = data.join("listen");
        if told.exists() {
            std::fs::remove_file(&told)?;
        }
        let log = data.join("gateway.log");
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = program(binary);
        command
            .args(["serve", "--data"])
            .arg(data)
            .args(["--listen", listen])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Its own group: Ctrl-C in a terminal reaches us only, and we pass it on.
            .process_group(0);
        more(&mut command);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {} (was it built?)", binary.display()))?;
        let mut gateway = Self {
            child,
            url: String::new(),
            data: data.to_path_buf(),
            log,
        };
        gateway.wait_until_ready(&told)?;
        Ok(gateway)
    }

    fn wait_until_ready(&mut self, told: &Path) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < READY_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the gateway ended at once with {status}:\n{}",
                    self.last_lines()
                );
            }
            // Written whole or not at all, but the file may not be there yet.
            let address = std::fs::read_to_string(told).unwrap_or_default();
            if !address.trim().is_empty() {
                self.url = format!("http://{}", address.trim());
                let ready = Client::new(&self.url, None)?
                    .send(reqwest::Method::GET, "/v2/health/ready", None)
                    .is_ok_and(|reply| reply.status == 200);
                if ready {
                    return Ok(());
                }
            }
            sleep(Duration::from_millis(5));
        }
        bail!(
            "the gateway was not ready after {} s:\n{}",
            READY_WITHIN.as_secs(),
            self.last_lines()
        )
    }

    /// The last lines of its log, for messages.
    pub fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(15);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// The token that the first start wrote.
    pub fn admin_token(&self) -> Result<String> {
        let file = self.data.join("admin.token");
        let token = std::fs::read_to_string(&file)
            .with_context(|| format!("the gateway wrote no {}", file.display()))?;
        Ok(token.trim().to_owned())
    }

    /// A client with the admin token.
    pub fn admin(&self) -> Result<Client> {
        Client::new(&self.url, Some(&self.admin_token()?))
    }

    /// Id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// `kill -9`, and waits for it to be gone.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to drain and end, and waits for that.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        let began = Instant::now();
        while began.elapsed() < DRAIN_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            sleep(Duration::from_millis(10));
        }
        self.kill()?;
        bail!(
            "the gateway did not end within {} s and was killed",
            DRAIN_WITHIN.as_secs()
        )
    }
}

/// The gateway's program, without settings from our own environment: it refuses
/// variables of the product's name that it does not know.
pub fn program(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TOLLGATE_") {
            command.env_remove(name);
        }
    }
    command
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Errors mean that it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
