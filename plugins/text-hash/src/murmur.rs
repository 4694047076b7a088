//! MurmurHash3, 32 bits, x86 variant (Austin Appleby, in the public domain).
//! Part of the contract with trained models: it never changes.

/// Hash of `bytes` from `seed`.
#[must_use]
pub fn hash(bytes: &[u8], seed: u32) -> u32 {
    let mix = |k: u32| {
        k.wrapping_mul(0xcc9e_2d51)
            .rotate_left(15)
            .wrapping_mul(0x1b87_3593)
    };
    let mut h = seed;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        h ^= mix(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let tail = rest
            .iter()
            .rev()
            .fold(0, |tail, &byte| tail << 8 | u32::from(byte));
        h ^= mix(tail);
    }
    h ^= bytes.len() as u32;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// The bucket of a token and its sign, from the hash taken as a signed number:
/// the bucket is its absolute value modulo `buckets`.
#[must_use]
pub fn bucket(token: &[u8], seed: u32, buckets: u32) -> (usize, f32) {
    let hash = hash(token, seed) as i32;
    let sign = if hash < 0 { -1.0 } else { 1.0 };
    ((hash.unsigned_abs() % buckets.max(1)) as usize, sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_values() {
        assert_eq!(hash(b"", 0), 0);
        assert_eq!(hash(b"", 1), 0x514e_28b7);
        assert_eq!(hash(&[0xff; 4], 0), 0x7629_3b50);
        assert_eq!(hash(&[0x21, 0x43, 0x65], 0), 0x7e4a_8634);
        assert_eq!(hash(b"Hello, world!", 0x9747_b28c), 0x2488_4cba);
        assert_eq!(hash("ππππππππ".as_bytes(), 0x9747_b28c), 0xd580_63c1);
    }

    #[test]
    fn any_hash_has_a_bucket() {
        for buckets in [1, 2, 7, 1 << 20] {
            for n in 0..2000_u32 {
                let (bucket, sign) = bucket(&n.to_le_bytes(), 0, buckets);
                assert!(bucket < buckets as usize && sign.abs() == 1.0);
            }
        }
    }
}
