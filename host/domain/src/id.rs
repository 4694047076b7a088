//! Ids that the gateway gives out. Sortable by time, unique across gateways,
//! made by the [`crate::ports::Ids`] port so that tests can predict them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Text that is not an id of the expected sort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id of this kind: expected {1} followed by 26 letters and digits")]
pub struct IdError(String, &'static str);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// The prefix of this sort of id.
            pub const PREFIX: &'static str = $prefix;

            /// An id from 26 characters of Crockford base 32 (a ULID).
            pub fn from_ulid(ulid: &str) -> Self {
                Self(format!(concat!($prefix, "{}"), ulid))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let ok = text.strip_prefix($prefix).is_some_and(|rest| {
                    rest.len() == 26 && rest.bytes().all(|b| b.is_ascii_alphanumeric())
                });
                if ok { Ok(Self(text.to_owned())) } else {
                    Err(IdError(text.chars().take(64).collect(), $prefix))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

ids! {
    /// Id of an evaluation.
    EvaluationId = "eval_";
    /// Id of a decision.
    DecisionId = "dec_";
    /// Id of a promotion.
    PromotionId = "prom_";
    /// Id of an access token (public; the secret part is separate).
    TokenId = "tok_";
}
