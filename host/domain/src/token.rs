//! Access tokens and what their roles may do.

use crate::{digest::Digest, id::TokenId, name::TokenName, time::Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a token may do. Each role includes those before it, except that
/// approving and developing are kept apart: an approver promotes what
/// developers register.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Calls predictions.
    Client,
    /// Reads everything but secrets.
    Viewer,
    /// Registers models, plugins, gates and data sets; runs evaluations.
    Developer,
    /// Asks for promotions and overrides soft gates.
    Approver,
    /// Everything, tokens included.
    Admin,
}

impl Role {
    /// Whether a token with this role may do what needs `needed`.
    pub const fn may(self, needed: Self) -> bool {
        matches!(
            (self, needed),
            (Self::Admin, _)
                | (_, Self::Client)
                | (
                    Self::Approver | Self::Developer | Self::Viewer,
                    Self::Viewer
                )
                | (Self::Developer, Self::Developer)
                | (Self::Approver, Self::Approver)
        )
    }

    /// The role's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

/// A token as it is kept: the secret only as a digest. Secrets are 256 random
/// bits, so a plain SHA-256 cannot be searched and no slow hash is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Public id; the first part of what the holder sends.
    pub id: TokenId,
    /// What it is for.
    pub name: TokenName,
    /// What it may do.
    pub role: Role,
    /// Digest of the secret.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    pub secret: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn developing_and_approving_are_kept_apart() {
        assert!(!Role::Developer.may(Role::Approver));
        assert!(!Role::Approver.may(Role::Developer));
        assert!(!Role::Client.may(Role::Viewer));
        assert!(Role::Admin.may(Role::Developer));
    }
}
