//! Names that users choose. Parsed once at the edge, trusted afterwards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// Longest accepted name, in bytes.
pub const MAX_NAME_LEN: usize = 128;

/// A name that breaks the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} name {given:?} is not valid: use 1 to {MAX_NAME_LEN} letters, digits, '.', '_' or '-', starting with a letter or digit"
)]
pub struct NameError {
    what: &'static str,
    given: String,
}

fn valid(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= MAX_NAME_LEN
        && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $what:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { what: $what, given: text.chars().take(160).collect() })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

names! {
    /// Name of a registered model.
    ModelName = "model";
    /// Name that clients call; owns one route.
    EndpointName = "endpoint";
    /// Name of a plugin; its revisions are named by digest.
    PluginName = "plugin";
    /// Name of a gate; its revisions are named by digest.
    GateName = "gate";
    /// Name of a data set; its content is named by digest.
    DatasetName = "data set";
    /// Name of an access token.
    TokenName = "token";
}

/// Number of a model version: 1, 2, 3… within its model, never reused.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct VersionNumber(pub u32);

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for VersionNumber {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_could_be_a_path_or_a_header() {
        for bad in [
            "",
            "a/b",
            "..",
            ".a",
            "-a",
            "a b",
            "a\n",
            "é",
            &"x".repeat(129),
        ] {
            assert!(bad.parse::<ModelName>().is_err(), "{bad:?} was accepted");
        }
        assert_eq!(
            "churn-v2.1_a".parse::<ModelName>().unwrap().as_str(),
            "churn-v2.1_a"
        );
    }
}
