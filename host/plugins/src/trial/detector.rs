//! A detector on trial.

use super::{Session, Stop, Subject, Tried, World};
use crate::{
    bindings::{detector::Detector, transform::tollgate::plugin::tensors},
    convert,
    sandbox::clean,
};
use domain::{
    batch::Batch,
    plugin::{PluginKind, PluginLimits},
    ports::engine::PluginError,
};
use wasmtime::component::ResourceAny;

/// Largest snapshot, in bytes.
const MAX_SNAPSHOT: usize = 16 << 20;
/// Most scores of one window.
const MAX_SCORES: usize = 4096;

/// What a detector found in one feature over one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The feature; empty for a score over all of them.
    pub feature: String,
    /// The statistic.
    pub statistic: f64,
    /// Its p-value, where the method has one.
    pub p_value: Option<f64>,
    /// The detector's verdict.
    pub drifted: bool,
}

/// An instance that holds one detector.
#[derive(Debug)]
pub struct DetectorSession {
    session: Session<(Detector, ResourceAny)>,
}

impl Subject<'_> {
    /// A new detector, not fitted. `settings` is canonical JSON.
    pub fn detector(&self, settings: &str, limits: &PluginLimits) -> Tried<DetectorSession> {
        let World::Detector(pre) = &self.world else {
            return Tried::stopped(self.not(PluginKind::Detector));
        };
        let started = Session::start(self, limits, None, |store| {
            let guest = pre.instantiate(&mut *store)?;
            let drift = guest.tollgate_plugin_drift().detector();
            let detector = drift.call_constructor(store, settings)?;
            Ok(Ok((guest, detector)))
        });
        started.and_then(|session| Ok(DetectorSession { session }))
    }

    /// A detector in a new instance that continues from `state`.
    pub fn restored(
        &self,
        settings: &str,
        limits: &PluginLimits,
        state: &[u8],
    ) -> Tried<DetectorSession> {
        let World::Detector(pre) = &self.world else {
            return Tried::stopped(self.not(PluginKind::Detector));
        };
        let started = Session::start(self, limits, None, |store| {
            let guest = pre.instantiate(&mut *store)?;
            let drift = guest.tollgate_plugin_drift().detector();
            let restored = drift.call_restore(store, settings, state)?;
            Ok(restored.map(|detector| (guest, detector)))
        });
        started.and_then(|session| Ok(DetectorSession { session }))
    }
}

impl DetectorSession {
    /// Learns the reference.
    pub fn fit(&mut self, reference: &Batch) -> Tried<()> {
        let blocks = convert::blocks(reference, None);
        let given = match rows(reference) {
            Ok(rows) => tensors::Batch {
                rows,
                blocks: &blocks,
            },
            Err(stop) => return Tried::stopped(stop),
        };
        self.session.call(|(guest, detector), store| {
            let drift = guest.tollgate_plugin_drift().detector();
            drift.call_fit(store, *detector, given)
        })
    }

    /// Takes in one window.
    pub fn observe(&mut self, window: &Batch) -> Tried<Vec<Score>> {
        let blocks = convert::blocks(window, None);
        let given = match rows(window) {
            Ok(rows) => tensors::Batch {
                rows,
                blocks: &blocks,
            },
            Err(stop) => return Tried::stopped(stop),
        };
        let tried = self.session.call(|(guest, detector), store| {
            let drift = guest.tollgate_plugin_drift().detector();
            drift.call_observe(store, *detector, given)
        });
        tried.and_then(|scores| {
            let scores = scores.into_iter().map(|score| Score {
                feature: clean(&score.feature, 128),
                statistic: score.statistic,
                p_value: score.p_value,
                drifted: score.drifted,
            });
            checked(scores.collect()).map_err(|why| Stop::Broken(PluginError::Contract(why)))
        })
    }

    /// All state as bytes.
    pub fn snapshot(&mut self) -> Tried<Vec<u8>> {
        let tried = self.session.call(|(guest, detector), store| {
            let drift = guest.tollgate_plugin_drift().detector();
            drift.call_snapshot(store, *detector)
        });
        tried.and_then(|state| {
            if state.len() <= MAX_SNAPSHOT {
                return Ok(state);
            }
            Err(Stop::Broken(PluginError::Contract(format!(
                "its snapshot has {} bytes, at most {MAX_SNAPSHOT} are kept",
                state.len()
            ))))
        })
    }
}

fn rows(batch: &Batch) -> Result<u32, Stop> {
    u32::try_from(batch.rows)
        .map_err(|_| Stop::Broken(PluginError::Contract("the batch has too many rows".into())))
}

fn checked(scores: Vec<Score>) -> Result<Vec<Score>, String> {
    if scores.len() > MAX_SCORES {
        return Err(format!(
            "{} scores came back, at most {MAX_SCORES} are taken",
            scores.len()
        ));
    }
    for Score {
        feature,
        statistic,
        p_value,
        ..
    } in &scores
    {
        if statistic.is_nan() {
            return Err(format!("the statistic of feature {feature:?} is NaN"));
        }
        if p_value.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err(format!(
                "the p-value of feature {feature:?} is {p_value:?}, not between 0 and 1"
            ));
        }
    }
    Ok(scores)
}
