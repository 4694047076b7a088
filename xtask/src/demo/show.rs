//! Progress: a line for each thing that happened with the time since the gateway
//! came up, and in a terminal a spinner while something takes long.

use console::{Term, style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Where the story is shown.
#[derive(Debug)]
pub struct Show {
    began: Instant,
    terminal: bool,
}

impl Show {
    /// Starts the clock.
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            terminal: Term::stdout().is_term(),
        }
    }

    /// One thing that happened.
    pub fn line(&self, text: &str) {
        let at = format!("[{:>7.2}s]", self.began.elapsed().as_secs_f64());
        println!("{} {text}", style(at).dim());
    }

    /// Text below the last line.
    pub fn block(&self, text: &str) {
        println!("{text}");
    }

    /// Runs `work`, spinning next to `doing` until it is done.
    pub fn during<T>(&self, doing: &str, work: impl FnOnce() -> T) -> T {
        if !self.terminal {
            return work();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        let look = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}");
        bar.set_style(look.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(doing.to_owned());
        bar.enable_steady_tick(Duration::from_millis(80));
        let result = work();
        bar.finish_and_clear();
        result
    }
}
