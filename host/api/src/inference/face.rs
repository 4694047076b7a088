//! What an endpoint's answers have in common, prepared once per route.

use crate::{metrics::EndpointSeries, state::ApiState};
use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use serving::{LiveEndpoint, LiveVariant};
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

/// Headers that say who answered.
pub(crate) static VARIANT: HeaderName = HeaderName::from_static("tollgate-variant");
pub(crate) static MODEL: HeaderName = HeaderName::from_static("tollgate-model");
pub(crate) static VERSION: HeaderName = HeaderName::from_static("tollgate-version");
pub(crate) static TRANSFORM: HeaderName = HeaderName::from_static("tollgate-transform");

/// One endpoint's prepared parts.
#[derive(Debug)]
pub(crate) struct Face {
    /// The route these parts belong to. Weak, so that a replaced route's models
    /// are freed even when nobody calls.
    live: Weak<LiveEndpoint>,
    /// Counters of the endpoint.
    pub(crate) series: Arc<EndpointSeries>,
    variants: Vec<VariantFace>,
}

/// One variant's prepared parts.
#[derive(Debug)]
pub(crate) struct VariantFace {
    variant: Weak<LiveVariant>,
    /// Who answered, as headers.
    pub(crate) headers: HeaderMap,
    /// The beginning of an Open Inference Protocol answer, up to the version.
    pub(crate) oip_head: Vec<u8>,
    /// Members of its `parameters`, without braces.
    pub(crate) oip_parameters: Vec<u8>,
}

impl Face {
    fn new(live: &Arc<LiveEndpoint>, series: Arc<EndpointSeries>) -> Self {
        let variants = live.variants.iter();
        Self {
            live: Arc::downgrade(live),
            series,
            variants: variants
                .map(|variant| VariantFace::new(live, variant))
                .collect(),
        }
    }

    /// The parts of a variant of this endpoint.
    pub(crate) fn variant(&self, variant: &Arc<LiveVariant>) -> Option<&VariantFace> {
        self.variants
            .iter()
            .find(|face| face.variant.as_ptr() == Arc::as_ptr(variant))
    }
}

impl VariantFace {
    fn new(endpoint: &LiveEndpoint, live: &Arc<LiveVariant>) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        let mut parameters = serde_json::Map::new();
        let facts = [
            (
                &VARIANT,
                "tollgate_variant",
                Some(live.variant.name.as_str()),
            ),
            (
                &MODEL,
                "tollgate_model",
                Some(live.variant.version.model.as_str()),
            ),
            (
                &VERSION,
                "tollgate_version",
                Some(live.version_text.as_str()),
            ),
            (
                &TRANSFORM,
                "tollgate_transform",
                live.transform_digest.as_deref(),
            ),
        ];
        for (header, parameter, value) in facts {
            let Some(value) = value else { continue };
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(header, value);
            }
            parameters.insert(parameter.to_owned(), value.into());
        }
        let head = format!(
            "{{\"model_name\":{},\"model_version\":{}",
            json!(endpoint.name.as_str()),
            json!(live.version_text)
        );
        let members = serde_json::Value::Object(parameters).to_string();
        let members = members.trim_start_matches('{').trim_end_matches('}');
        Self {
            variant: Arc::downgrade(live),
            headers,
            oip_head: head.into_bytes(),
            oip_parameters: members.as_bytes().to_vec(),
        }
    }
}

/// The faces of all endpoints that were called.
#[derive(Debug, Default)]
pub(crate) struct Faces(ArcSwap<HashMap<String, Arc<Face>>>);

impl Faces {
    /// The face of `live`, made anew when the route has changed.
    pub(crate) fn of(&self, live: &Arc<LiveEndpoint>, state: &ApiState) -> Arc<Face> {
        let name = live.name.as_str();
        if let Some(face) = self.0.load().get(name)
            && face.live.as_ptr() == Arc::as_ptr(live)
        {
            return Arc::clone(face);
        }
        let face = Arc::new(Face::new(live, state.metrics.endpoint(name)));
        self.0.rcu(|map| {
            let mut map = HashMap::clone(map);
            map.insert(name.to_owned(), Arc::clone(&face));
            map
        });
        face
    }
}
