//! Bernoulli masks and normal numbers: pure functions of (seed, domain, layer, step, row, unit).
//!
//! The complete definition, with the keep rate as k/65536, all arithmetic modulo 2^64, and shifts
//! binding tighter than `^`:
//!
//! - `splitmix(h)` is the first output of SplitMix64 started at h: with
//!   `z = h + 0x9e3779b97f4a7c15`,
//!   `z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9`,
//!   `z = (z ^ z >> 27) * 0x94d049bb133111eb`, it is then `z ^ z >> 31`.
//! - The **row hash** starts at `h = 0` and absorbs, in this order, the seed, the [`Domain`]'s
//!   number, the layer, the step and the row: `h = splitmix(h ^ value)`. "Layer" is the dropout
//!   site: the input is site 0, and sites are counted even if nothing is dropped there.
//! - The **stream** of a row is `Xoshiro256PlusPlus::seed_from_u64(h)` of the
//!   crate rand_xoshiro: [`Streams::rng`].
//! - A **word** holds 64 neighbouring units, unit u in bit u mod 64 of word u / 64.
//!   [`scalar::words`] generates them in order from word 0.
//! - An input declared **sparse** uses random access instead: unit u is kept
//!   iff (output number u + 1 of SplitMix64 started at h) >> 48 < k:
//!   [`scalar::kept_at`].
//! - **Normal numbers**, for Gaussian noise, are drawn from the same streams, in place of words:
//!   [`scalar::normals`].
//!
//! Apart from the keep rate and whether an input is declared sparse, nothing else enters: not the number of threads, how the batch is split, the instruction set, the
//! machine, or previous draws. Changing these bits is a breaking change and increments [`FORMAT`].

mod bernoulli;
mod bits;
mod factors;
pub(crate) mod normal;
pub mod scalar;
mod spec;
mod stream;

pub(crate) use bernoulli::{LaneWords, fill};
pub use bits::{Mask, MaskRow};
pub(crate) use factors::Factors;
/// The crate of the generator that [`Streams::rng`] returns.
pub use rand_xoshiro;
pub use spec::MaskSpec;
pub(crate) use stream::permute;
pub use stream::{Domain, Streams, request_seed};

/// The version number of this definition, written into model files.
pub const FORMAT: u32 = 1;

/// The number of units in a mask word.
pub const WORD: usize = 64;

/// The number of words for `width` units.
pub const fn words_of(width: usize) -> usize {
    width.div_ceil(WORD)
}

/// The bits of word `word` that belong to units below `width`.
#[inline]
pub(crate) const fn valid_bits(width: usize, word: usize) -> u64 {
    let left = width.saturating_sub(word * WORD);
    if left >= WORD { u64::MAX } else { (1 << left) - 1 }
}
