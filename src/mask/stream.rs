//! Streams: the random bits of one row, identified by their purpose.

use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};

/// The increment of SplitMix64.
pub(super) const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64 at state z.
#[inline]
pub(super) const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Absorbs `value` into the hash `h`.
#[inline]
const fn absorb(h: u64, value: u64) -> u64 {
    mix((h ^ value).wrapping_add(GAMMA))
}

/// The purpose of random bits; the same seed gives independent bits in different domains.
///
/// ```
/// use thinnet::mask::{Domain, Streams};
///
/// // Random numbers of one's own, independent of all that the library draws from the seed.
/// let [own, masks] = [Domain::Other, Domain::Training].map(|domain| Streams::new(7, domain, 0, 0));
/// assert_ne!(own.hash(0), masks.hash(0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
#[non_exhaustive]
pub enum Domain {
    /// Training masks: row = the row's index in the global batch.
    Training = 1,
    /// Prediction masks: step = the sample's index, row = 0, one seed per request.
    Prediction = 2,
    /// The order of rows in an epoch: step = the epoch.
    Shuffling = 3,
    /// Initial parameters: row = the unit.
    Initialisation = 4,
    /// The caller's own random numbers; the library does not use this domain.
    Other = 5,
}

/// The streams of one dropout site at one step, one for each row.
///
/// ```
/// use thinnet::mask::{Domain, Streams, rand_xoshiro::rand_core::Rng};
///
/// let streams = Streams::new(42, Domain::Training, 1, 0);
/// let draw = streams.rng(3).next_u64();
/// assert_eq!(draw, streams.rng(3).next_u64());
/// assert_ne!(draw, streams.rng(4).next_u64());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    prefix: u64,
}

impl Streams {
    /// The streams of dropout site `layer` (the input is 0) at `step`.
    pub const fn new(seed: u64, domain: Domain, layer: u64, step: u64) -> Self {
        let h = absorb(absorb(0, seed), domain as u64);
        Self { prefix: absorb(absorb(h, layer), step) }
    }

    /// The row hash h.
    #[inline]
    pub const fn hash(self, row: u64) -> u64 {
        absorb(self.prefix, row)
    }

    /// The row's generator.
    pub fn rng(self, row: u64) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(self.hash(row))
    }

    /// The row hash of row `first_row + i`, as a function of i.
    #[inline]
    pub(crate) fn hashes(self, first_row: u64) -> impl Fn(usize) -> u64 {
        move |i| self.hash(first_row.wrapping_add(i as u64))
    }
}

/// Shuffles `items`: Fisher-Yates from the last place down, with unbiased draws by Lemire's method
/// (2019).
pub(crate) fn permute<T>(rng: &mut Xoshiro256PlusPlus, items: &mut [T]) {
    for place in (1..items.len()).rev() {
        let n = place as u64 + 1;
        // The high half of draw * n, redrawn where it would be biased.
        let threshold = n.wrapping_neg() % n;
        let other = loop {
            let product = u128::from(rng.next_u64()) * u128::from(n);
            if product as u64 >= threshold {
                break (product >> 64) as usize;
            }
        };
        items.swap(place, other);
    }
}

/// The initial state, four words, of the generator of the row with hash h: outputs 1 to 4 of
/// SplitMix64 started at h.
#[inline]
pub(super) fn state(h: u64) -> [u64; 4] {
    std::array::from_fn(|i| mix(h.wrapping_add(GAMMA.wrapping_mul(i as u64 + 1))))
}

/// The seed of the request with number `id` among those that share the seed `base`: in the terms of
/// the module's definition, h after absorbing `base` and `id`.
pub const fn request_seed(base: u64, id: u64) -> u64 {
    absorb(absorb(0, base), id)
}
