//! Gates on regorus: admits bundles of Rego modules, runs their tests and
//! evaluates them. The only crate that knows regorus.
//!
//! A policy is uploaded by somebody and is treated as hostile; an evaluation
//! that goes wrong in any way is a denial, never an error and never an allow.
//! This crate must not read files, the clock or the network, and it decides
//! nothing about enforcement levels: that is the rollout's.
//!
//! Reading order: [`RegoGates`] here, then `admission` (what a bundle must look
//! like), `engine` (how regorus is set up), `contain` (threads and deadlines),
//! `document` and `verdict` (how an answer becomes an outcome), `testing`,
//! `schema`.

#![forbid(unsafe_code)]

mod admission;
mod cache;
mod contain;
mod convert;
mod document;
mod engine;
mod functions;
mod schema;
mod synthetic;
mod testing;
mod text;
mod verdict;

pub use document::DecisionDocument;
pub use schema::{decision_schema, input_schema, validate_input};

use crate::{
    cache::Prepared,
    contain::{Contained, Containment},
};
use domain::{
    decision::Verdict,
    gate::{GateBundle, GateInput},
    json,
    ports::engine::{Finding, GateAdmitError, GateEngine, GateTest},
};
use std::{sync::Arc, time::Duration};

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateLimits {
    /// Wall-clock time of one evaluation or test, watched by the interpreter.
    pub evaluation: Duration,
    /// Time after which an evaluation that the interpreter could not stop (it
    /// sits inside one builtin) is given up and its thread abandoned.
    pub abandon: Duration,
    /// The same for parsing and checking a bundle.
    pub admission: Duration,
    /// Gates kept prepared.
    pub cached: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            evaluation: Duration::from_secs(1),
            abandon: Duration::from_secs(3),
            admission: Duration::from_secs(10),
            cached: 64,
        }
    }
}

/// Evaluates gates with regorus. Cheap to share; calls may run at the same time.
#[derive(Debug)]
pub struct RegoGates {
    limits: GateLimits,
    containment: Containment,
    cache: cache::Cache,
}

impl Default for RegoGates {
    fn default() -> Self {
        Self::new(GateLimits::default())
    }
}

impl RegoGates {
    /// An engine with these limits.
    pub fn new(limits: GateLimits) -> Self {
        Self {
            limits,
            containment: Containment::default(),
            cache: cache::Cache::new(limits.cached),
        }
    }

    /// The prepared policy of `bundle`, from the cache if it is there.
    fn prepared(&self, bundle: &GateBundle) -> Result<Arc<Prepared>, String> {
        let digest = json::canonical_digest(bundle).map_err(|error| error.to_string())?;
        if let Some(prepared) = self.cache.get(&digest) {
            return Ok(prepared);
        }
        let prepared = self
            .load(bundle, engine::Load::Policy)
            .map_err(|error| error.to_string())?;
        Ok(self.cache.put(digest, prepared))
    }

    /// Checks the bundle and builds an engine from it, contained.
    fn load(&self, bundle: &GateBundle, what: engine::Load) -> Result<Prepared, GateAdmitError> {
        let owned = bundle.clone();
        let limit = self.limits.evaluation;
        let job = move || admission::load(&owned, what, limit);
        match self.containment.run(self.limits.admission, job) {
            Contained::Done(result) => result.map_err(|findings| GateAdmitError { findings }),
            Contained::Failed(message) => Err(refused("bundle", "not_loadable", message)),
        }
    }

    /// Evaluates a prepared policy, contained.
    /// An empty error means that the decision has no value.
    fn answer(&self, prepared: &Prepared, input: &str) -> Result<serde_json::Value, String> {
        let engine = prepared.engine.clone();
        let (entry, input) = (prepared.entry.clone(), input.to_owned());
        let job = move || engine::ask(engine, entry, Some(&input));
        match self.containment.run(self.limits.abandon, job) {
            Contained::Done(Ok(Some(document))) => Ok(document),
            Contained::Done(Ok(None)) => Err(String::new()),
            Contained::Done(Err(message)) | Contained::Failed(message) => Err(message),
        }
    }

    /// Evaluates on made-up evidence, so that what only shows at run time (an
    /// unsafe variable, a conflict, a malformed document) shows at admission.
    fn rehearse(&self, bundle: &GateBundle, prepared: &Prepared) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (case, input) in synthetic::inputs() {
            let outcome = json::canonical(&input)
                .map_err(|error| ("policy_error", error.to_string()))
                .and_then(|input| self.rehearse_on(bundle, prepared, &input));
            if let Err((code, message)) = outcome {
                findings.push(Finding {
                    code: code.to_owned(),
                    file: "bundle".to_owned(),
                    line: None,
                    message: text::clean(&format!("on {case}: {message}")),
                });
            }
        }
        findings
    }

    /// The decision is a well-formed document, and no other rule is an error.
    fn rehearse_on(
        &self,
        bundle: &GateBundle,
        prepared: &Prepared,
        input: &str,
    ) -> Result<(), (&'static str, String)> {
        match self.answer(prepared, input) {
            Ok(answer) => document::parse(answer).map_err(|wrong| (wrong.code, wrong.message))?,
            Err(message) if message.is_empty() => {
                return Err(("policy_undefined", "the decision has no value".to_owned()));
            }
            Err(message) => return Err(("policy_error", message)),
        };
        let engine = prepared.engine.clone();
        let package = format!("data.{}", bundle.manifest.package);
        let input = input.to_owned();
        let job = move || engine::exercise(engine, &package, &input);
        match self.containment.run(self.limits.abandon, job) {
            Contained::Done(result) => result.map_err(|message| ("policy_error", message)),
            Contained::Failed(message) => Err(("policy_error", message)),
        }
    }
}

fn refused(file: &str, code: &str, message: String) -> GateAdmitError {
    GateAdmitError {
        findings: vec![Finding {
            code: code.to_owned(),
            file: file.to_owned(),
            line: None,
            message,
        }],
    }
}

impl GateEngine for RegoGates {
    fn admit(&self, bundle: &GateBundle) -> Result<(), GateAdmitError> {
        self.load(bundle, engine::Load::WithTests)?;
        let prepared = self.load(bundle, engine::Load::Policy)?;
        let findings = self.rehearse(bundle, &prepared);
        if findings.is_empty() {
            return Ok(());
        }
        Err(GateAdmitError { findings })
    }

    fn test(&self, bundle: &GateBundle) -> Result<Vec<GateTest>, GateAdmitError> {
        let prepared = self.load(bundle, engine::Load::WithTests)?;
        Ok(testing::run(
            &prepared,
            &self.containment,
            self.limits.abandon,
        ))
    }

    fn evaluate(&self, bundle: &GateBundle, input: &GateInput) -> Verdict {
        let manifest = &bundle.manifest;
        let host = verdict::evidence_reasons(manifest, input);
        let verdict = match (self.prepared(bundle), json::canonical(input)) {
            (Err(message), _) => Verdict::denied("policy_error", text::clean(&message)),
            (_, Err(error)) => Verdict::denied("policy_error", error.to_string()),
            (Ok(prepared), Ok(input)) => match self.answer(&prepared, &input) {
                Ok(document) => verdict::of(manifest, document),
                Err(message) if message.is_empty() => verdict::undefined(manifest),
                Err(message) => Verdict::denied("policy_error", text::clean(&message)),
            },
        };
        verdict::with_reasons(verdict, host)
    }

    fn engine(&self) -> String {
        engine::NAME.to_owned()
    }
}
