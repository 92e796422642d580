//! The vector generator: eight rows are the eight lanes.

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};

use super::{scalar, stream, valid_bits, words_of};
use crate::{
    rate::Keep,
    simd::{Kernel, Lanes, Supported},
};

/// xoshiro256++ in each of eight lanes, one row's stream per lane.
pub(super) struct LaneDraws<L: Lanes> {
    state: [L::U; 4],
}

impl<L: Lanes> LaneDraws<L> {
    /// The streams of the rows with these hashes.
    #[inline(always)]
    pub(super) fn new(l: L, hashes: [u64; 8]) -> Self {
        let mut state = [[0; 8]; 4];
        for (lane, hash) in hashes.into_iter().enumerate() {
            for (words, word) in state.iter_mut().zip(stream::state(hash)) {
                words[lane] = word;
            }
        }
        // Not `map`: its closure would not be inlined.
        let [a, b, c, d] = &state;
        let state = [l.load_words(a), l.load_words(b), l.load_words(c), l.load_words(d)];
        Self { state }
    }

    /// One draw from each lane.
    #[inline(always)]
    pub(super) fn next(&mut self, l: L) -> L::U {
        let [s0, s1, s2, s3] = self.state;
        let out = l.add_words(l.rotate_left(l.add_words(s0, s3), 23), s0);
        let t = l.shift_left(s1, 17);
        let s2 = l.xor(s2, s0);
        let s3 = l.xor(s3, s1);
        let s1 = l.xor(s1, s2);
        let s0 = l.xor(s0, s3);
        self.state = [s0, s1, l.xor(s2, t), l.rotate_left(s3, 45)];
        out
    }
}

/// The mask words of eight rows, one row per lane.
pub(crate) struct LaneWords<L: Lanes> {
    draws: LaneDraws<L>,
    keep: Keep,
}

impl<L: Lanes> LaneWords<L> {
    /// The words of the rows with these hashes.
    #[inline(always)]
    pub(crate) fn new(l: L, keep: Keep, hashes: [u64; 8]) -> Self {
        Self { draws: LaneDraws::new(l, hashes), keep }
    }

    /// The next word of each lane. Must not be called for keep 1, which draws nothing.
    #[inline(always)]
    pub(crate) fn next(&mut self, l: L) -> L::U {
        let k = self.keep.k();
        let first = k.trailing_zeros();
        // OR 0 with the first draw.
        let mut word = self.draws.next(l);
        for bit in first + 1..16 {
            let draw = self.draws.next(l);
            word = if k >> bit & 1 == 1 { l.or(word, draw) } else { l.and(word, draw) };
        }
        word
    }
}

/// Writes the words of whole rows to `out` `[rows][words]`.
struct Fill<'a, H> {
    keep: Keep,
    hash: H,
    width: usize,
    out: &'a mut [u64],
}

impl<H: Fn(usize) -> u64> Kernel for Fill<'_, H> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let words = words_of(self.width);
        for (group, out) in self.out.chunks_mut(8 * words).enumerate() {
            let (first_row, rows) = (8 * group, out.len() / words);
            if rows == 1 {
                // The scalar definition is faster here.
                let mut rng = Xoshiro256PlusPlus::seed_from_u64((self.hash)(first_row));
                for (word, out) in out.iter_mut().enumerate() {
                    *out = scalar::word(self.keep, &mut rng) & valid_bits(self.width, word);
                }
                continue;
            }
            let mut hashes = [0; 8];
            for (row, hash) in hashes.iter_mut().enumerate().take(rows) {
                *hash = (self.hash)(first_row + row);
            }
            let mut lanes = LaneWords::new(l, self.keep, hashes);
            let mut column = [0; 8];
            for word in 0..words {
                l.store_words(lanes.next(l), &mut column);
                let valid = valid_bits(self.width, word);
                for (row, bits) in out.chunks_exact_mut(words).zip(column) {
                    row[word] = bits & valid;
                }
            }
        }
    }
}

/// Fills `out` `[rows][words_of(width)]`; `hash(i)` is the row hash of row i, and
/// `keep` is below 1.
pub(crate) fn fill(
    isa: Supported,
    keep: Keep,
    hash: impl Fn(usize) -> u64,
    width: usize,
    out: &mut [u64],
) {
    debug_assert!(keep.drops());
    if !out.is_empty() {
        isa.dispatch(Fill { keep, hash, width, out });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mask::{Domain, Streams},
        miri::scaled,
        simd::tests::on_each_isa,
    };

    #[test]
    fn the_vector_generator_equals_the_scalar_definition() {
        let streams = Streams::new(7, Domain::Training, 2, 9);
        on_each_isa(|isa| {
            // Enough rates, widths and rows for each branch come first.
            let [rates, widths, heights] = scaled([8, 5, 9], [4, 3, 3], [2, 1, 2]);
            for k in [52429, 32768, 1, 65535, 2, 3, 655, 49152].into_iter().take(rates) {
                let keep = Keep::from_k(k).unwrap();
                for width in [65, 64, 1, 63, 300].into_iter().take(widths) {
                    for rows in [9, 2, 25, 8, 1, 15, 16, 17, 7].into_iter().take(heights) {
                        for first_row in [0, 3, u64::MAX - 2] {
                            let words = words_of(width);
                            let mut out = vec![0; rows * words];
                            let hash = streams.hashes(first_row);
                            fill(isa.supported(), keep, hash, width, &mut out);
                            for (row, got) in out.chunks(words).enumerate() {
                                let row = first_row.wrapping_add(row as u64);
                                let want: Vec<u64> =
                                    scalar::words(keep, &mut streams.rng(row), width).collect();
                                assert_eq!(got, want, "{isa} k {k} width {width} row {row}");
                            }
                        }
                    }
                }
            }
        });
    }
}
