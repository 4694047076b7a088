//! From what each gate said to one outcome, by enforcement level.

use domain::{
    decision::{Decision, GateResult, Outcome, Override, Reason},
    gate::Enforcement,
    model::ModelVersion,
    model::VersionRef,
    route::Route,
};

/// What the gates came to together.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    /// By the levels alone.
    pub computed: Outcome,
    /// Whether an override could turn it: nothing hard stands against.
    pub overridable: bool,
    /// Reasons that are no gate's.
    pub reasons: Vec<Reason>,
}

/// Combines gates: a binding denial denies, else a binding doubt leaves it
/// open, else it is allowed. Without a binding gate nothing is allowed.
pub fn combine(results: &[GateResult]) -> Combined {
    let binding = || {
        results
            .iter()
            .filter(|result| result.enforcement != Enforcement::Advisory)
    };
    if binding().next().is_none() {
        let message = if results.is_empty() {
            "the endpoint has no gate: attach one, nothing is promoted without"
        } else {
            "the endpoint has advisory gates only: attach a soft or hard one"
        };
        let reason = Reason {
            code: "no_policy".to_owned(),
            check: None,
            message: message.to_owned(),
        };
        return Combined {
            computed: Outcome::Deny,
            overridable: false,
            reasons: vec![reason],
        };
    }
    let any = |outcome| binding().any(|result| result.verdict.outcome == outcome);
    let computed = if any(Outcome::Deny) {
        Outcome::Deny
    } else if any(Outcome::Inconclusive) {
        Outcome::Inconclusive
    } else {
        Outcome::Allow
    };
    let overridable = binding().all(|result| {
        result.enforcement != Enforcement::Hard || result.verdict.outcome == Outcome::Allow
    });
    Combined {
        computed,
        overridable,
        reasons: Vec::new(),
    }
}

/// The outcome after an override, if one was asked for and applies.
pub fn effective(combined: &Combined, wanted: Option<Override>) -> (Outcome, Option<Override>) {
    match wanted {
        Some(wanted) if combined.computed != Outcome::Allow && combined.overridable => {
            (Outcome::Allow, Some(wanted))
        }
        _ => (combined.computed, None),
    }
}

/// Proof that a decision allows its candidate. Cannot be made any other way.
#[derive(Debug)]
pub struct Cleared<'a> {
    version: &'a ModelVersion,
}

impl<'a> Cleared<'a> {
    /// The proof, if `decision` allows exactly this version.
    pub fn from_decision(decision: &Decision, version: &'a ModelVersion) -> Option<Self> {
        let same = decision.candidate.model == version.model
            && decision.candidate.version == version.version;
        (same && decision.effective == Outcome::Allow).then_some(Self { version })
    }

    /// The next generation of `route`, with the cleared version as champion.
    pub fn route(&self, route: &Route) -> Route {
        let name = VersionRef {
            model: self.version.model.clone(),
            version: self.version.version,
        };
        route.promoted(name, self.version.artifact, self.version.transform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{decision::Verdict, digest::Digest};
    use proptest::prelude::*;

    fn result(enforcement: Enforcement, outcome: Outcome) -> GateResult {
        GateResult {
            gate: "g".parse().unwrap(),
            digest: Digest::of(b"g"),
            enforcement,
            verdict: Verdict {
                outcome,
                ..Verdict::denied("x", "x")
            },
        }
    }

    fn level() -> impl Strategy<Value = Enforcement> {
        prop_oneof![
            Just(Enforcement::Advisory),
            Just(Enforcement::Soft),
            Just(Enforcement::Hard)
        ]
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(Outcome::Allow),
            Just(Outcome::Deny),
            Just(Outcome::Inconclusive)
        ]
    }

    proptest! {
        #[test]
        fn allowed_only_if_every_binding_gate_allows_and_there_is_one(
            gates in prop::collection::vec((level(), outcome()), 0..6),
        ) {
            let results: Vec<_> = gates.iter().map(|&(l, o)| result(l, o)).collect();
            let combined = combine(&results);
            let binding: Vec<_> =
                gates.iter().filter(|(level, _)| *level != Enforcement::Advisory).collect();
            let all = !binding.is_empty() && binding.iter().all(|(_, o)| *o == Outcome::Allow);
            prop_assert_eq!(combined.computed == Outcome::Allow, all);
        }

        #[test]
        fn an_override_never_passes_a_hard_gate(
            gates in prop::collection::vec((level(), outcome()), 0..6),
        ) {
            let results: Vec<_> = gates.iter().map(|&(l, o)| result(l, o)).collect();
            let wanted = Override { by: "a".into(), reason: "b".into() };
            let (after, used) = effective(&combine(&results), Some(wanted));
            let hard = gates.iter().any(|(l, o)| *l == Enforcement::Hard && *o != Outcome::Allow);
            if hard {
                prop_assert_ne!(after, Outcome::Allow);
                prop_assert!(used.is_none());
            }
        }
    }
}
