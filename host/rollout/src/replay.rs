//! Saying a recorded decision again, and comparing byte for byte.

use crate::combine::{combine, effective};
use domain::{
    decision::{Decision, GateResult},
    digest::Digest,
    gate::{GateInput, GateRevision},
    json::{canonical, canonical_digest},
    ports::engine::GateEngine,
};

/// What a replay came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Canonical JSON of the results as recorded.
    pub recorded: String,
    /// Canonical JSON of the results as they come out now.
    pub replayed: String,
    /// Engine of the record and engine now, when they differ.
    pub engines: Option<(String, String)>,
}

impl Replay {
    /// Whether both are the same bytes.
    pub fn identical(&self) -> bool {
        self.recorded == self.replayed
    }
}

/// A record that cannot be replayed: it is damaged or incomplete.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Digest of the input is not the recorded one.
    #[error("the recorded input was changed: its digest is {found}, the decision says {recorded}")]
    Input {
        /// Digest of what is there.
        found: Digest,
        /// Digest on record.
        recorded: Digest,
    },
    /// Digest of the results is not the recorded one.
    #[error("the recorded results were changed")]
    Results,
    /// The outcome is not what the results come to.
    #[error("the recorded outcome was changed: it does not follow from the recorded results")]
    Outcome,
    /// The input is about another promotion.
    #[error("the recorded input is about {0}, the decision is about another promotion")]
    Subject(String),
    /// A gate's bundle is not the one that decided.
    #[error("gate {0} is not there in the revision that decided")]
    Gate(String),
    /// The input does not parse.
    #[error("the recorded input is not a gate input")]
    Parse(#[source] serde_json::Error),
    /// A value without canonical form.
    #[error("the record has no canonical form")]
    NotCanonical(#[from] domain::json::CanonicalError),
}

/// Evaluates the gates of `decision` again over its recorded input. `gates`
/// holds the revisions that decided.
pub fn replay(
    engine: &dyn GateEngine,
    decision: &Decision,
    gates: &[GateRevision],
) -> Result<Replay, ReplayError> {
    let found = Digest::of(decision.input.as_bytes());
    if found != decision.input_digest {
        return Err(ReplayError::Input {
            found,
            recorded: decision.input_digest,
        });
    }
    let recorded = canonical(&decision.results)?;
    if Digest::of(recorded.as_bytes()) != decision.results_digest {
        return Err(ReplayError::Results);
    }
    let combined = combine(&decision.results);
    let (outcome, overridden) = effective(&combined, decision.overridden.clone());
    if (combined.computed, outcome) != (decision.computed, decision.effective)
        || overridden != decision.overridden
    {
        return Err(ReplayError::Outcome);
    }
    let input: GateInput = serde_json::from_str(&decision.input).map_err(ReplayError::Parse)?;
    let (candidate, asked) = (&input.candidate, &input.request);
    if candidate.model != decision.candidate.model.as_str()
        || candidate.version != decision.candidate.version.0
        || asked.endpoint != decision.endpoint.as_str()
    {
        return Err(ReplayError::Subject(format!(
            "{}/{} on {}",
            candidate.model, candidate.version, asked.endpoint
        )));
    }
    let mut results = Vec::with_capacity(decision.results.len());
    for result in &decision.results {
        // A gate that did not exist was denied without evaluation.
        if result.digest == Digest::from_bytes([0; 32]) {
            results.push(result.clone());
            continue;
        }
        let revision = gates
            .iter()
            .find(|revision| revision.digest == result.digest)
            .filter(|revision| {
                canonical_digest(&revision.bundle).is_ok_and(|digest| digest == result.digest)
            })
            .ok_or_else(|| ReplayError::Gate(result.gate.to_string()))?;
        results.push(GateResult {
            gate: result.gate.clone(),
            digest: revision.digest,
            enforcement: revision.bundle.manifest.enforcement,
            verdict: engine.evaluate(&revision.bundle, &input),
        });
    }
    let now = engine.engine();
    let engines = (now != decision.engine).then(|| (decision.engine.clone(), now));
    Ok(Replay {
        recorded,
        replayed: canonical(&results)?,
        engines,
    })
}
