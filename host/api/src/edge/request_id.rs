//! Ids of requests, for logs and for callers to quote.

use http::HeaderValue;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Longest id that is taken over from a caller.
const LONGEST: usize = 128;

/// Makes ids: 32 hex digits, unique within a process by a counter and between
/// processes by a random part.
#[derive(Debug)]
pub(crate) struct RequestIds {
    random: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        let part = |at: usize| {
            let mut bytes = [0u8; 8];
            bytes.copy_from_slice(secret.get(at..at + 8).unwrap_or(&[0; 8]));
            u64::from_le_bytes(bytes)
        };
        Self {
            random: part(0),
            next: AtomicU64::new(part(8)),
        }
    }

    /// The caller's id if it is fit to be logged and echoed, else a new one.
    pub(crate) fn take_or_make(&self, given: Option<&HeaderValue>) -> HeaderValue {
        match given {
            Some(given) if valid(given.as_bytes()) => given.clone(),
            _ => self.make(),
        }
    }

    fn make(&self) -> HeaderValue {
        let number = self.next.fetch_add(1, Relaxed);
        let mut text = [0u8; 32];
        let both = (u128::from(self.random) << 64) | u128::from(number);
        for (at, place) in text.iter_mut().enumerate() {
            let nibble = (both >> (124 - 4 * at)) as u8 & 15;
            *place = if nibble < 10 {
                b'0' + nibble
            } else {
                b'a' + nibble - 10
            };
        }
        // Hex digits always form a header value.
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
    }
}

fn valid(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ids_are_kept_and_others_replaced() {
        let ids = RequestIds::new([9; 32]);
        let take = |text: &str| {
            let given = HeaderValue::from_str(text).unwrap();
            ids.take_or_make(Some(&given)).to_str().unwrap().to_owned()
        };
        assert_eq!(take("req-1.a:b"), "req-1.a:b");
        for bad in ["", "a b", "{}", "<x>", &"x".repeat(129)] {
            assert_eq!(take(bad).len(), 32, "{bad:?}");
        }
    }

    #[test]
    fn made_ids_differ() {
        let ids = RequestIds::new([255; 32]);
        let seen: std::collections::HashSet<_> = (0..100)
            .map(|_| ids.take_or_make(None).as_bytes().to_vec())
            .collect();
        assert_eq!(seen.len(), 100);
    }
}
