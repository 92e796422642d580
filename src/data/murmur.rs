//! MurmurHash3 with 32 bits (`MurmurHash3_x86_32` by Austin Appleby, 2011, in the public domain).

/// The hash of some bytes. It is the same on every machine, and will not change.
pub(super) fn murmur3_32(bytes: &[u8], seed: u32) -> u32 {
    let scramble = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (words, rest) = bytes.as_chunks();
    let mut h = seed;
    for &word in words {
        h ^= scramble(u32::from_le_bytes(word));
        h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    // Up to three bytes, the first in the lowest bits. None of them is a word of 0, which adds nothing.
    h ^= scramble(rest.iter().rfold(0, |k, &byte| k << 8 | u32::from(byte)));
    // The definition counts the bytes in 32 bits.
    h ^= bytes.len() as u32;
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verification value of the author's test suite, SMHasher: the hash of the hashes of the keys
    /// {}, {0}, {0, 1}, … of up to 255 bytes, with the seeds 256, 255, ….
    #[test]
    fn the_verification_value_is_the_authors() {
        let key: Vec<u8> = (0..=255).collect();
        let hashes: Vec<u8> = (0..256_usize)
            .flat_map(|len| murmur3_32(&key[..len], 256 - len as u32).to_le_bytes())
            .collect();
        assert_eq!(murmur3_32(&hashes, 0), 0xb0f5_7ee3);
    }
}
