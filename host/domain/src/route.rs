//! Routes: which variant of an endpoint answers a request.

use crate::{
    digest::Digest,
    model::VersionRef,
    name::{DatasetName, EndpointName, GateName},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a variant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VariantRole {
    /// The one in charge.
    Champion,
    /// Takes a share of traffic beside the champion.
    Challenger,
    /// Sees requests, never answers.
    Shadow,
}

/// One model version with its transform, as a route serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// Unique within the route, as in `champion`.
    pub name: String,
    /// What it is for.
    pub role: VariantRole,
    /// The version.
    #[serde(flatten)]
    pub version: VersionRef,
    /// Digest of the model file.
    pub artifact: Digest,
    /// Transform revision.
    pub transform: Option<Digest>,
    /// Share of traffic, in ten-thousandths; shadows have 0.
    pub weight: u32,
}

/// The variants of an endpoint at one generation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// Grows by one with every change; 0 is the empty route.
    pub generation: u64,
    /// Variants; at most one champion. Empty until the first promotion.
    pub variants: Vec<Variant>,
}

/// Weights of a route add up to this.
pub const FULL_WEIGHT: u32 = 10_000;

impl Route {
    /// The champion.
    pub fn champion(&self) -> Option<&Variant> {
        self.variants
            .iter()
            .find(|variant| variant.role == VariantRole::Champion)
    }

    /// The next generation, in which `champion` takes all traffic.
    #[must_use]
    pub fn promoted(
        &self,
        version: VersionRef,
        artifact: Digest,
        transform: Option<Digest>,
    ) -> Self {
        let champion = Variant {
            name: "champion".to_owned(),
            role: VariantRole::Champion,
            version,
            artifact,
            transform,
            weight: FULL_WEIGHT,
        };
        Self {
            generation: self.generation + 1,
            variants: vec![champion],
        }
    }

    /// Index of the variant that answers. The same key gives the same variant
    /// for as long as weights do not change; `draw` is used without a key.
    pub fn pick(&self, key: Option<&[u8]>, draw: u64) -> Option<usize> {
        if let [only] = self.variants.as_slice() {
            return (only.weight > 0).then_some(0);
        }
        let total: u64 = self.variants.iter().map(|v| u64::from(v.weight)).sum();
        if total == 0 {
            return None;
        }
        let point = key.map_or(draw, spread) % total;
        let mut reached = 0;
        self.variants.iter().position(|variant| {
            reached += u64::from(variant.weight);
            point < reached
        })
    }
}

/// FNV-1a with a final mix: spreads keys evenly, the same on every machine.
fn spread(key: &[u8]) -> u64 {
    let mut hash = key.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// Who may call an endpoint's predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Anyone who reaches the listener.
    Open,
    /// Holders of a token.
    #[default]
    Token,
}

/// Micro-batching of an endpoint's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Batching {
    /// Most rows in one batch; 1 or less is off.
    pub max_rows: u32,
    /// Longest wait for company, in microseconds. Off by itself for models whose
    /// call is faster than this.
    pub max_delay_us: u32,
}

impl Default for Batching {
    fn default() -> Self {
        Self {
            max_rows: 64,
            max_delay_us: 500,
        }
    }
}

/// What an operator sets on an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// Gates that every promotion must pass, all of them. Without any, nothing
    /// can be promoted.
    pub gates: Vec<GateName>,
    /// Data set whose evaluations count as evidence; any when not set.
    #[serde(default)]
    pub dataset: Option<DatasetName>,
    /// Who may call predictions.
    #[serde(default)]
    pub access: Access,
    /// Request header whose value keeps a caller on one variant.
    #[serde(default)]
    pub sticky_header: Option<String>,
    /// Deadline of a prediction, in milliseconds.
    #[serde(default = "default_timeout")]
    pub timeout_ms: u32,
    /// Micro-batching.
    #[serde(default)]
    pub batching: Batching,
}

const fn default_timeout() -> u32 {
    10_000
}

/// An endpoint: the name clients call, its settings and its route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// Its name.
    pub name: EndpointName,
    /// What an operator set.
    pub settings: EndpointSettings,
    /// What it serves; written only by a cleared promotion.
    pub route: Route,
    /// When it was made.
    pub created_at: Timestamp,
    /// When settings or route last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(weights: &[u32]) -> Route {
        let variants = weights.iter().enumerate().map(|(i, &weight)| Variant {
            name: format!("v{i}"),
            role: if i == 0 {
                VariantRole::Champion
            } else {
                VariantRole::Challenger
            },
            version: VersionRef {
                model: "m".parse().unwrap(),
                version: crate::name::VersionNumber(i as u32 + 1),
            },
            artifact: Digest::of(b""),
            transform: None,
            weight,
        });
        Route {
            generation: 1,
            variants: variants.collect(),
        }
    }

    proptest! {
        #[test]
        fn a_key_sticks_and_shares_follow_weights(share in 0u32..=10_000) {
            let route = route(&[FULL_WEIGHT - share, share]);
            let mut second = 0u32;
            for user in 0..4000u32 {
                let key = format!("user-{user}");
                let picked = route.pick(Some(key.as_bytes()), 0);
                prop_assert_eq!(picked, route.pick(Some(key.as_bytes()), 77));
                second += u32::from(picked == Some(1));
            }
            // Six standard deviations of a fair draw.
            let p = f64::from(share) / 10_000.0;
            let slack = 6.0 * (4000.0 * p * (1.0 - p)).sqrt() + 1.0;
            prop_assert!((f64::from(second) - 4000.0 * p).abs() <= slack);
        }

        #[test]
        fn raising_a_weight_never_moves_a_user_back(low in 0u32..5000, more in 0u32..5000) {
            let (before, after) = (route(&[low, FULL_WEIGHT - low]), route(&[low + more, FULL_WEIGHT - low - more]));
            for user in 0..500u32 {
                let key = user.to_le_bytes();
                if before.pick(Some(&key), 0) == Some(0) {
                    prop_assert_eq!(after.pick(Some(&key), 0), Some(0));
                }
            }
        }
    }
}
