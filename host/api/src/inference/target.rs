//! From a name in a path to an endpoint the caller may use, and from decoded
//! inputs to an answer.

use crate::{
    edge::error::{Dialect, Failure},
    inference::face::{Face, VariantFace},
    state::ApiState,
};
use axum::response::Response;
use domain::{error::ErrorKind, name::VersionNumber, route::Access, tensor::DataType, token::Role};
use http::HeaderMap;
use serving::{Answer, Inputs, LiveEndpoint, LiveVariant, PredictRequest};
use std::{sync::Arc, time::Instant};

/// An endpoint that the caller may use.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) live: Arc<LiveEndpoint>,
    pub(crate) face: Arc<Face>,
}

impl Target {
    /// Finds the endpoint. Missing if there is none, Unauthenticated if it needs
    /// a token and none that is valid was sent.
    pub(crate) fn find(state: &ApiState, name: &str, headers: &HeaderMap) -> Result<Self, Failure> {
        let live = state.serving.endpoint(name).ok_or_else(|| {
            let name: String = name.chars().take(128).collect();
            Failure::missing(format!("there is no endpoint {name:?}"))
        })?;
        if live.settings.access == Access::Token {
            let identity = state.tokens.identify(headers, &*state.clock)?;
            identity.require(Role::Client)?;
        }
        let face = state.faces.of(&live, state);
        Ok(Self { live, face })
    }

    /// The variant that says what the endpoint takes: of the version asked for,
    /// else the champion.
    pub(crate) fn described_by(
        &self,
        version: Option<VersionNumber>,
    ) -> Result<&Arc<LiveVariant>, Failure> {
        let mut variants = self.live.variants.iter();
        match version {
            Some(version) => variants
                .find(|live| live.variant.version.version == version)
                .ok_or_else(|| no_version(&self.live, version)),
            None => champion(&self.live).ok_or_else(|| self.live.absence().into()),
        }
    }

    /// Asks for a prediction.
    pub(crate) async fn predict(
        &self,
        state: &ApiState,
        headers: &HeaderMap,
        inputs: Inputs,
        version: Option<VersionNumber>,
    ) -> Result<Answer, Failure> {
        let sticky = self.live.settings.sticky_header.as_deref();
        let sticky_key = sticky
            .and_then(|name| headers.get(name))
            .map(|value| value.as_bytes().to_vec());
        let request = PredictRequest {
            inputs,
            version,
            sticky_key,
        };
        Ok(state.serving.predict(&self.live, request).await?)
    }

    /// What answers of this variant have in common.
    pub(crate) fn face_of(&self, answer: &Answer) -> Result<&VariantFace, Failure> {
        self.face
            .variant(&answer.variant)
            .ok_or_else(|| Failure::kind(ErrorKind::Internal, "the answer is of no known variant"))
    }
}

/// The endpoints a caller may use, by name.
pub(crate) fn visible(state: &ApiState, headers: &HeaderMap) -> Vec<Arc<LiveEndpoint>> {
    let known = state.tokens.identify(headers, &*state.clock).is_ok();
    let mut all = state.serving.endpoints();
    all.retain(|live| known || live.settings.access == Access::Open);
    all
}

/// The variant in charge.
pub(crate) fn champion(live: &LiveEndpoint) -> Option<&Arc<LiveVariant>> {
    let charge = domain::route::VariantRole::Champion;
    let mut variants = live.variants.iter();
    variants
        .find(|variant| variant.variant.role == charge)
        .or_else(|| live.variants.first())
}

fn no_version(live: &LiveEndpoint, version: VersionNumber) -> Failure {
    Failure::missing(format!(
        "endpoint {:?} does not serve version {version}",
        live.name.as_str()
    ))
}

/// A version number from a path.
pub(crate) fn version(live: &LiveEndpoint, text: &str) -> Result<VersionNumber, Failure> {
    text.parse().map_err(|_| {
        let text: String = text.chars().take(32).collect();
        Failure::missing(format!(
            "endpoint {:?} does not serve version {text:?}: versions are whole numbers",
            live.name.as_str()
        ))
    })
}

/// Counts the outcome and words a failure.
pub(crate) fn conclude(
    state: &ApiState,
    dialect: Dialect,
    target: Option<&Target>,
    started: Instant,
    outcome: Result<Response, Failure>,
) -> Response {
    let response = outcome.unwrap_or_else(|failure| failure.respond(dialect));
    let series = target.map_or(&state.metrics.unknown, |target| &*target.face.series);
    series
        .protocol(dialect)
        .record(response.status(), started.elapsed());
    response
}

/// The single tensor that stands for all of a variant's inputs: its only input,
/// or, behind a transform whose fields share one type, a table of the fields.
pub(crate) fn only_input(live: &LiveVariant) -> Option<(Arc<str>, DataType, Vec<i64>)> {
    let inputs = live.signature.inputs.as_slice();
    let (first, rest) = inputs.split_first()?;
    if rest.is_empty() {
        return Some((Arc::clone(&first.name), first.datatype, first.shape.clone()));
    }
    let same = rest.iter().all(|spec| spec.datatype == first.datatype);
    let width = i64::try_from(inputs.len()).ok()?;
    (same && live.loaded.transform.is_some())
        .then(|| ("fields".into(), first.datatype, vec![-1, width]))
}
