//! The outer form of a snapshot: a version, a fingerprint of the settings, then
//! the detector's state in postcard's form (floats bit for bit).

use crate::features::key;
use serde::{Serialize, de::DeserializeOwned};
use tollgate_plugin::Failure;

/// Version of the form; the first byte.
const FORM: u8 = 1;
/// Version and fingerprint.
const HEAD: usize = 9;
/// Most bytes of a snapshot, by the contract.
pub const MAX_BYTES: usize = 16 << 20;

/// State under these settings as bytes.
pub fn seal<T: Serialize>(settings: &str, state: &T) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![FORM];
    bytes.extend_from_slice(&key(settings.as_bytes()).to_le_bytes());
    let bytes = postcard::to_extend(state, bytes)
        .map_err(|error| Failure::internal("snapshot", format!("cannot be written: {error}")))?;
    if bytes.len() > MAX_BYTES {
        let why = format!(
            "the state has {} bytes, allowed are {MAX_BYTES}",
            bytes.len()
        );
        return Err(Failure::internal("snapshot-too-large", why));
    }
    Ok(bytes)
}

/// The state that [`seal`] wrote under the same settings.
pub fn open<T: DeserializeOwned>(settings: &str, bytes: &[u8]) -> Result<T, Failure> {
    let bad = |why: &str| Failure::invalid_input("bad-snapshot", why);
    let Some((head, state)) = bytes.split_at_checked(HEAD) else {
        return Err(bad("the snapshot is too short; fit the detector again"));
    };
    if head[0] != FORM {
        return Err(bad(
            "the snapshot has another form than this detector writes; fit it again",
        ));
    }
    if head[1..] != key(settings.as_bytes()).to_le_bytes() {
        return Err(bad(
            "the snapshot was taken under other settings; fit the detector again",
        ));
    }
    match postcard::take_from_bytes(state) {
        Ok((state, [])) => Ok(state),
        _ => Err(bad("the snapshot is damaged; fit the detector again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_comes_back_bit_for_bit() {
        let state = vec![0.1_f64, -0.0, f64::MAX, 1e-308];
        let bytes = seal("{}", &state).unwrap();
        let back: Vec<f64> = open("{}", &bytes).unwrap();
        let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&state));
    }

    #[test]
    fn what_is_not_this_detectors_snapshot_is_refused() {
        let bytes = seal("{}", &vec![1.0_f64, 2.0]).unwrap();
        let why =
            |settings: &str, bytes: &[u8]| open::<Vec<f64>>(settings, bytes).unwrap_err().message;
        assert!(why("{ }", &bytes).contains("other settings"));
        assert!(why("{}", &bytes[..5]).contains("too short"));
        assert!(why("{}", &bytes[..bytes.len() - 1]).contains("damaged"));
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(why("{}", &longer).contains("damaged"));
        let other = [&[9], &bytes[1..]].concat();
        assert!(why("{}", &other).contains("another form"));
        // A length far beyond the bytes there are must not be believed.
        let huge = [&bytes[..HEAD], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
        assert!(why("{}", &huge).contains("damaged"));
    }
}
