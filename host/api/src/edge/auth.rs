//! Bearer tokens: their text, the table of them in memory, and who is calling.
//!
//! A token reads `tg_<26 characters of id>_<64 hex digits of secret>`. The id is
//! public and finds the entry; of the secret only the SHA-256 of its 32 bytes is
//! kept, and digests are compared in constant time.

use crate::edge::error::Failure;
use arc_swap::ArcSwap;
use domain::{
    digest::Digest,
    error::{ErrorKind, PortResult},
    id::TokenId,
    ports::{Clock, store::Records},
    time::Timestamp,
    token::Role,
};
use http::{HeaderMap, header};
use std::{collections::HashMap, fmt::Write as _, sync::Arc};
use subtle::ConstantTimeEq as _;

const PREFIX: &[u8] = b"tg_";
const ID_LEN: usize = 26;
const TEXT_LEN: usize = 3 + ID_LEN + 1 + 64;

/// Who is calling; the admin API puts it into requests as an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the token.
    pub name: Arc<str>,
    /// What it may do.
    pub role: Role,
}

impl Identity {
    /// Denied unless the role covers `needed`.
    pub fn require(&self, needed: Role) -> Result<(), Failure> {
        if self.role.may(needed) {
            return Ok(());
        }
        Err(Failure::kind(
            ErrorKind::Denied,
            format!(
                "token {:?} has role {}, this needs {}",
                self.name,
                self.role.as_str(),
                needed.as_str()
            ),
        ))
    }
}

/// Text, id and kept digest of a new token. `ulid` is 26 characters from
/// [`domain::ports::Ids::ulid`]; the text is shown once and never kept.
pub fn mint(ulid: &str, secret: &[u8; 32]) -> (String, TokenId, Digest) {
    let mut text = format!("tg_{ulid}_");
    for byte in secret {
        // Writing to a String cannot fail.
        let _written = write!(text, "{byte:02x}");
    }
    (text, TokenId::from_ulid(ulid), Digest::of(secret))
}

#[derive(Debug)]
struct Entry {
    secret: Digest,
    identity: Identity,
    expires_at: Option<Timestamp>,
}

/// Tokens in memory, swapped whole when they are read again.
#[derive(Debug, Default)]
pub struct Tokens {
    table: ArcSwap<HashMap<[u8; ID_LEN], Entry>>,
}

impl Tokens {
    /// Reads all tokens from the database.
    pub async fn refresh<R: Records + ?Sized>(&self, records: &R) -> PortResult<()> {
        let mut table = HashMap::new();
        for token in records.tokens().await? {
            let id = token.id.as_str().strip_prefix(TokenId::PREFIX);
            let Some(id) = id.and_then(|id| <[u8; ID_LEN]>::try_from(id.as_bytes()).ok()) else {
                continue;
            };
            let entry = Entry {
                secret: token.secret,
                identity: Identity {
                    name: token.name.as_str().into(),
                    role: token.role,
                },
                expires_at: token.expires_at,
            };
            table.insert(id, entry);
        }
        self.table.store(Arc::new(table));
        Ok(())
    }

    /// Who sent these headers. Unauthenticated without a token, or with one
    /// that is malformed, unknown, revoked or expired; the message does not say
    /// which of the last three.
    pub fn identify(&self, headers: &HeaderMap, clock: &dyn Clock) -> Result<Identity, Failure> {
        let fail = |message: &str| Failure::kind(ErrorKind::Unauthenticated, message);
        let given = headers.get(header::AUTHORIZATION).ok_or_else(|| {
            fail("a token is needed: send it as \"Authorization: Bearer <token>\"")
        })?;
        let (id, secret) = parse(given.as_bytes()).ok_or_else(|| {
            fail("the Authorization header holds no token: send \"Bearer tg_<id>_<secret>\"")
        })?;
        let table = self.table.load();
        let entry = table.get(&id).filter(|entry| {
            let digest = Digest::of(&secret);
            bool::from(digest.as_bytes().ct_eq(entry.secret.as_bytes()))
                && entry.expires_at.is_none_or(|at| clock.now() < at)
        });
        entry
            .map(|entry| entry.identity.clone())
            .ok_or_else(|| fail("the token is not valid (unknown, revoked or expired)"))
    }
}

fn parse(header: &[u8]) -> Option<([u8; ID_LEN], [u8; 32])> {
    let (scheme, token) = header.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return None;
    }
    let token = token.trim_ascii();
    let rest = token.strip_prefix(PREFIX)?;
    if token.len() != TEXT_LEN {
        return None;
    }
    let (id, rest) = rest.split_first_chunk::<ID_LEN>()?;
    let (_, hex) = rest.split_first().filter(|(bar, _)| **bar == b'_')?;
    let mut secret = [0u8; 32];
    for (byte, pair) in secret.iter_mut().zip(hex.chunks_exact(2)) {
        let [high, low] = <[u8; 2]>::try_from(pair).ok()?;
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some((*id, secret))
}

const fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_token_is_read_back() {
        let secret: [u8; 32] = std::array::from_fn(|i| i as u8 * 7);
        let (text, id, digest) = mint("01ARZ3NDEKTSV4RRFFQ69G5FAV", &secret);
        assert_eq!(text.len(), TEXT_LEN);
        let (read, bytes) = parse(format!("Bearer {text}").as_bytes()).unwrap();
        assert_eq!(id.as_str().as_bytes(), [b"tok_".as_slice(), &read].concat());
        assert_eq!(Digest::of(&bytes), digest);
    }

    #[test]
    fn anything_else_is_not_a_token() {
        let (text, ..) = mint("01ARZ3NDEKTSV4RRFFQ69G5FAV", &[171; 32]);
        for bad in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            text.clone(),
            format!("Basic {text}"),
            format!("Bearer {text}0"),
            format!("Bearer {}", text.to_uppercase()),
            format!("Bearer {}", text.replace('a', "g")),
            format!("Bearer {}", text.replacen("_a", "-a", 1)),
        ] {
            assert!(parse(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }
}
