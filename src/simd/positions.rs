//! Packing the lanes of a mask, for backends that have no instruction for it.
#![cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]

/// For each byte, the positions of its set bits, lowest first, one byte per position.
static POSITIONS: [u64; 256] = {
    let mut table = [0u64; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut n) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte] |= (bit as u64) << (8 * n);
                n += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// The positions of the set bits of `mask`, lowest first, in the bytes of a word from the
/// lowest on. The bytes after them are 0.
#[inline(always)]
pub(super) fn positions_in(mask: u8) -> u64 {
    POSITIONS[usize::from(mask)]
}

/// Each position plus `first`, for [`super::Lanes::compress`].
#[inline(always)]
pub(super) fn offsets_of(positions: u64, first: u8) -> [u8; 8] {
    let each = 0x0101_0101_0101_0101u64.wrapping_mul(u64::from(first));
    (positions + each).to_le_bytes()
}
