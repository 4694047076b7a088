//! The Page-Hinkley test (E. Page 1954), with forgetting, as river 0.26 has it.

use crate::settings::{Mode, PageHinkley};
use serde::{Deserialize, Serialize};

/// State of one test since it last found a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// Values seen.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    rising: f64,
    least: f64,
    falling: f64,
    most: f64,
    /// Whether the last value completed a change; the next one begins anew.
    pub changed: bool,
}

impl Default for Test {
    fn default() -> Self {
        Self {
            count: 0,
            mean: 0.0,
            rising: 0.0,
            least: f64::INFINITY,
            falling: 0.0,
            // Where river starts, and with it the first values of a small scale.
            most: -1.0,
            changed: false,
        }
    }
}

impl Test {
    /// Takes in a finite value. Answers how far the sum in the watched direction
    /// is from its turning point, 0 before there were enough values.
    pub fn update(&mut self, settings: &PageHinkley, value: f64) -> f64 {
        if self.changed {
            *self = Self::default();
        }
        self.count += 1;
        self.mean += (value - self.mean) / self.count as f64;
        let apart = value - self.mean;
        self.rising = settings.alpha * self.rising + apart - settings.delta;
        self.falling = settings.alpha * self.falling + apart + settings.delta;
        self.least = self.least.min(self.rising);
        self.most = self.most.max(self.falling);
        if self.count < settings.min_instances {
            return 0.0;
        }
        let (up, down) = (self.rising - self.least, self.most - self.falling);
        let sum = match settings.mode {
            Mode::Up => up,
            Mode::Down => down,
            Mode::Both => up.max(down),
        };
        self.changed = sum > settings.threshold;
        sum
    }
}
