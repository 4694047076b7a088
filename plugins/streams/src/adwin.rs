//! ADWIN2 (A. Bifet, R. Gavaldà, Learning from time-changing data with adaptive
//! windowing, 2007) with the choices of river 0.26: what it compares, in which
//! order it adds up, and that it begins anew after a change.

use crate::settings::Adwin;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A stretch of the stream: sum of its values, and of their squared distances
/// from their mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bucket {
    total: f64,
    variance: f64,
}

/// The adaptive window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Window {
    /// Row `i` holds buckets of `2^i` values, oldest first; row 0 is the newest
    /// part of the stream.
    rows: Vec<VecDeque<Bucket>>,
    /// Values in the window.
    pub width: f64,
    /// Their sum.
    pub total: f64,
    /// The sum of their squared distances from their mean.
    pub variance: f64,
    ticks: u64,
    /// Whether the last value completed a change; the next one begins anew.
    pub changed: bool,
}

/// Two neighbouring parts of the window while the cut moves through it.
struct Cut {
    old: f64,
    old_total: f64,
    new: f64,
    new_total: f64,
}

impl Window {
    /// Takes in a finite value; `changed` says what came of it.
    pub fn update(&mut self, settings: &Adwin, value: f64) {
        if self.changed {
            *self = Self::default();
        }
        self.insert(value);
        self.compress(settings.max_buckets);
        self.ticks += 1;
        if self.ticks % settings.clock == 0 && self.width > settings.grace_period as f64 {
            while self.has_cut(settings) {
                self.changed = true;
                self.forget_oldest();
            }
        }
    }

    /// Mean of the window; 0 without values.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.width > 0.0 {
            self.total / self.width
        } else {
            0.0
        }
    }

    fn insert(&mut self, value: f64) {
        if self.rows.is_empty() {
            self.rows.push(VecDeque::new());
        }
        self.rows[0].push_back(Bucket {
            total: value,
            variance: 0.0,
        });
        self.width += 1.0;
        if self.width > 1.0 {
            let before = self.width - 1.0;
            let apart = value - self.total / before;
            self.variance += before * apart * apart / self.width;
        }
        self.total += value;
    }

    /// Puts the two oldest buckets of a row together once it has too many.
    fn compress(&mut self, most: usize) {
        let mut row = 0;
        while row < self.rows.len() && self.rows[row].len() > most {
            let (Some(a), Some(b)) = (self.rows[row].pop_front(), self.rows[row].pop_front())
            else {
                return;
            };
            if row + 1 == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            let size = size_of_row(row);
            let apart = a.total / size - b.total / size;
            self.rows[row + 1].push_back(Bucket {
                total: a.total + b.total,
                variance: a.variance + b.variance + size * size * apart * apart / (size + size),
            });
            row += 1;
        }
    }

    /// Whether some cut tells the older part's mean from the newer part's.
    fn has_cut(&self, settings: &Adwin) -> bool {
        let mut cut = Cut {
            old: 0.0,
            old_total: 0.0,
            new: self.width,
            new_total: self.total,
        };
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            let size = size_of_row(row);
            for bucket in buckets {
                cut.old += size;
                cut.new -= size;
                cut.old_total += bucket.total;
                cut.new_total -= bucket.total;
                if self.differ(settings, &cut) {
                    return true;
                }
            }
        }
        false
    }

    fn differ(&self, settings: &Adwin, cut: &Cut) -> bool {
        let least = settings.min_window_length as f64;
        if cut.old < least || cut.new < least {
            return false;
        }
        let apart = cut.old_total / cut.old - cut.new_total / cut.new;
        let level = (2.0 * self.width.ln() / settings.delta).ln();
        let weight = 1.0 / (cut.old - least + 1.0) + 1.0 / (cut.new - least + 1.0);
        let spread = self.variance / self.width;
        let bound = (2.0 * weight * spread * level).sqrt() + 2.0 / 3.0 * level * weight;
        apart.abs() > bound
    }

    fn forget_oldest(&mut self) {
        let Some(row) = self.rows.len().checked_sub(1) else {
            return;
        };
        let Some(bucket) = self.rows[row].pop_front() else {
            return;
        };
        let size = size_of_row(row);
        self.width -= size;
        self.total -= bucket.total;
        let apart = bucket.total / size - self.total / self.width;
        self.variance -= bucket.variance + size * self.width * apart * apart / (size + self.width);
        if self.rows[row].is_empty() {
            self.rows.pop();
        }
    }

    /// Whether a restored window can be one.
    pub(crate) fn is_sound(&self) -> bool {
        self.rows.len() <= 64
            && [self.width, self.total, self.variance]
                .iter()
                .all(|x| x.is_finite())
    }
}

fn size_of_row(row: usize) -> f64 {
    2.0_f64.powi(row as i32)
}
