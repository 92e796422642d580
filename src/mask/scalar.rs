//! The scalar definition of mask bits, which every vector path matches bit for bit.

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::Rng};

use super::stream::{GAMMA, mix};
use crate::{
    mask::{valid_bits, words_of},
    rate::Keep,
};

/// One word: 64 bits, each 1 with probability k / 65536, as described in [`words`].
pub(super) fn word(keep: Keep, rng: &mut Xoshiro256PlusPlus) -> u64 {
    if !keep.drops() {
        return u64::MAX;
    }
    let mut word = 0;
    for bit in keep.k().trailing_zeros()..16 {
        let draw = rng.next_u64();
        word = if keep.k() >> bit & 1 == 1 { word | draw } else { word & draw };
    }
    word
}

/// The words of a row of `width` units, drawn one by one; bits beyond the width are 0.
///
/// A word is 64 bits, each 1 with probability k / 65536: 64 uniform 16-bit numbers are compared
/// with k bit by bit. Starting from 0, for each bit of k from its lowest set bit upwards, the word
/// is ORed with a draw if the bit is 1 and ANDed if it is 0. Keep 0.5 costs one draw, 0.75 two, 0.8
/// sixteen, 1 none.
///
/// After bit i the probability of a one is (k mod 2^(i+1)) / 2^(i+1): OR changes it from q to (q +
/// 1) / 2, AND to q / 2.
///
/// ```
/// use thinnet::{Keep, mask::{Domain, Streams, scalar}};
///
/// let streams = Streams::new(42, Domain::Training, 1, 0);
/// let words: Vec<u64> = scalar::words(Keep::HALF, &mut streams.rng(7), 100).collect();
/// assert_eq!(words.len(), 2);
/// assert_eq!(words[1] >> 36, 0);
/// ```
pub fn words(keep: Keep, rng: &mut Xoshiro256PlusPlus, width: usize) -> impl Iterator<Item = u64> {
    (0..words_of(width)).map(move |i| word(keep, rng) & valid_bits(width, i))
}

/// Whether a sparse site keeps `unit`, from the row hash alone.
#[inline]
pub const fn kept_at(keep: Keep, row_hash: u64, unit: u64) -> bool {
    let output = mix(row_hash.wrapping_add(GAMMA.wrapping_mul(unit.wrapping_add(1))));
    output >> 48 < keep.k() as u64
}
