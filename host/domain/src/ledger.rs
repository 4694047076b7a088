//! The ledger: a hash-chained record of every change and decision.

use crate::{digest::Digest, time::Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One entry. `hash` covers `previous` and all other fields, so an entry that
/// is changed or removed breaks the chain after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerEntry {
    /// 1, 2, 3…
    pub seq: u64,
    /// Hash of the entry before; zeros for the first.
    pub previous: Digest,
    /// What happened, as in `promotion.promoted`.
    pub event: String,
    /// What it happened to, as in `endpoint/churn`.
    pub subject: String,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// Canonical JSON of what is worth keeping.
    pub body: String,
    /// Hash of this entry.
    pub hash: Digest,
}

/// Who asks for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Name of the token.
    pub name: String,
    /// The key under which the answer is kept, if the caller sent one.
    pub key: Option<RequestKey>,
}

impl From<&str> for Actor {
    /// Someone who sent no key.
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            key: None,
        }
    }
}

/// An idempotency key and the request it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// What the caller chose.
    pub key: String,
    /// Digest of method, path and body.
    pub request: Digest,
    /// HTTP status of its success.
    pub status: u16,
}

/// What a caller hands in; the store adds sequence and chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// What happened.
    pub event: &'static str,
    /// What it happened to.
    pub subject: String,
    /// Who did it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Canonical JSON.
    pub body: String,
}

impl NewEntry {
    /// The entry as it stands in the chain after `previous`.
    pub fn chain(self, seq: u64, previous: Digest) -> LedgerEntry {
        let hash = entry_hash(seq, &previous, &self);
        LedgerEntry {
            seq,
            previous,
            event: self.event.to_owned(),
            subject: self.subject,
            actor: self.actor.name,
            at: self.at,
            body: self.body,
            hash,
        }
    }
}

fn entry_hash(seq: u64, previous: &Digest, entry: &NewEntry) -> Digest {
    hash_of(
        seq,
        previous,
        entry.event,
        &entry.subject,
        &entry.actor.name,
        entry.at,
        &entry.body,
    )
}

fn hash_of(
    seq: u64,
    previous: &Digest,
    event: &str,
    subject: &str,
    actor: &str,
    at: Timestamp,
    body: &str,
) -> Digest {
    Digest::of_parts(
        "tollgate ledger 1",
        &[
            &seq.to_le_bytes(),
            previous.as_bytes(),
            event.as_bytes(),
            subject.as_bytes(),
            actor.as_bytes(),
            &at.0.to_le_bytes(),
            body.as_bytes(),
        ],
    )
}

/// First sequence number at which a chain that starts at 1 is broken.
pub fn first_break(entries: &[LedgerEntry]) -> Option<u64> {
    first_break_after(0, Digest::from_bytes([0; 32]), entries)
}

/// Like [`first_break`], for entries that follow the one at `seq` with hash
/// `previous`, so that a long chain can be checked page by page.
pub fn first_break_after(seq: u64, mut previous: Digest, entries: &[LedgerEntry]) -> Option<u64> {
    for (expected, entry) in (seq.saturating_add(1)..).zip(entries) {
        let hash = hash_of(
            entry.seq,
            &entry.previous,
            &entry.event,
            &entry.subject,
            &entry.actor,
            entry.at,
            &entry.body,
        );
        if entry.seq != expected || entry.previous != previous || entry.hash != hash {
            return Some(expected);
        }
        previous = entry.hash;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_entry_breaks_the_chain_where_it_stands() {
        let mut entries = Vec::new();
        let mut previous = Digest::from_bytes([0; 32]);
        for seq in 1..=4 {
            let new = NewEntry {
                event: "test",
                subject: "x".into(),
                actor: "me".into(),
                at: Timestamp(seq as i64),
                body: "{}".into(),
            };
            let entry = new.chain(seq, previous);
            previous = entry.hash;
            entries.push(entry);
        }
        assert_eq!(first_break(&entries), None);
        let hash = entries[1].hash;
        assert_eq!(first_break_after(2, hash, &entries[2..]), None);
        assert_eq!(first_break_after(2, hash, &entries[3..]), Some(3));
        entries[2].actor = "you".into();
        assert_eq!(first_break(&entries), Some(3));
    }
}
