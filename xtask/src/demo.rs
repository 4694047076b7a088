//! `cargo xtask demo`: starts the gateway and plays the main story on real data.
//! The story goes through the admin API as any user would; nothing in the
//! gateway knows that it is a demo.

pub mod example;
pub mod show;
pub mod story;
mod table;
pub mod traffic;

use crate::{gateway::Gateway, guests, shell};
use anyhow::{Context as _, Result};
use show::Show;
use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

/// How to play it.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Stop when the story is told; fails if any step did not hold.
    #[arg(long)]
    pub once: bool,
    /// Data folder of the gateway; kept and used again [default: in the user's cache].
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 for any.
    #[arg(long, default_value_t = 8470)]
    pub port: u16,
    /// Build nothing, use what was built before.
    #[arg(long, hide = true)]
    pub built: bool,
}

/// Builds, plays the story and, unless `once`, stays up until Ctrl-C.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let guests = if options.built {
        root.join("target/guests")
    } else {
        let guests = guests::build_guests(root)?;
        shell::build(root, &["tollgate"])?;
        guests
    };
    let data = match &options.data {
        Some(data) => data.clone(),
        None => shell::cache().join("demo"),
    };
    let binary = std::env::var_os("XTASK_TOLLGATE")
        .map_or_else(|| shell::binary(root, "tollgate"), PathBuf::from);
    let signals = signals()?;
    let listen = format!("127.0.0.1:{}", options.port);
    let mut gateway = Gateway::start(&binary, &data, &listen, |_| ())
        .context("the gateway did not start (is the port taken? choose another with --port)")?;
    let show = Show::start();
    show.line(&format!(
        "gateway is up at {} (data and log in {})",
        gateway.url,
        data.display()
    ));
    let told = story::Story {
        show: &show,
        binary: &binary,
        root,
        guests: &guests,
        gateway: &gateway,
        stopped: &|| signals.try_recv().is_ok(),
    }
    .tell();
    if let Err(error) = told {
        eprintln!(
            "\nThe last lines of the gateway's log:\n{}\n",
            gateway.last_lines()
        );
        return Err(error.context("the story did not hold"));
    }
    if !options.once {
        show.line("the gateway stays up; Ctrl-C ends it");
        stay(&mut gateway, &signals)?;
    }
    let status = gateway.stop()?;
    anyhow::ensure!(status.success(), "the gateway ended with {status}");
    show.line("the gateway drained and ended");
    Ok(())
}

fn stay(gateway: &mut Gateway, signals: &mpsc::Receiver<()>) -> Result<()> {
    while gateway.is_running() {
        if signals.recv_timeout(Duration::from_millis(500)).is_ok() {
            return Ok(());
        }
    }
    anyhow::bail!("the gateway ended by itself:\n{}", gateway.last_lines())
}

/// A channel that says when somebody wants us to end. While it is open, Ctrl-C
/// does not kill us, so that the gateway is always drained first.
fn signals() -> Result<mpsc::Receiver<()>> {
    let (tell, told) = mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if tell.send(()).is_err() {
                    return;
                }
            }
        });
    });
    Ok(told)
}
