//! Draws of many independent standard normal variables, the same for every row.
//!
//! A Latin hypercube of strength 2 (Bose 1938; Tang 1993): 11² draws in which each class
//! takes each of 121 normal mid-quantiles once, and any two classes out of 11 neighbours
//! take each pair of elevenths once. Draw (a, b) takes, for class c, eleventh number (a +
//! b c) mod 11 of a random order; which of its 11 quantiles it takes is random too. So
//! the draws with the same b are a Latin hypercube of 11.
//!
//! The orders of class c are those of seed 0, [`Domain::Prediction`], layer 2^64 - 1,
//! step c, row 0.

use std::ops::Range;

use crate::{
    error::Error,
    mask::{Domain, Streams, permute},
    tensor::AlignedBuffer,
};

/// Strata of the normal distribution, and draws per share: a prime.
const LEVELS: usize = 11;

/// The total number of draws.
pub(super) const DRAWS: usize = LEVELS * LEVELS;

const SEED: u64 = 0;

/// The draws for a number of classes.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    quantiles: [f64; DRAWS],
    /// `[draws][classes]`: the index of the quantile.
    orders: AlignedBuffer<u8>,
    classes: usize,
}

impl Draws {
    /// Allocates one byte per draw and class.
    pub fn new(classes: usize) -> Result<Self, Error> {
        let too_large = Error::TooLarge { what: "draws", shape: [DRAWS, classes] };
        let mut orders = AlignedBuffer::zeroed(DRAWS.checked_mul(classes).ok_or(too_large)?)?;
        for class in 0..classes {
            let streams = Streams::new(SEED, Domain::Prediction, u64::MAX, class as u64);
            let mut rng = streams.rng(0);
            let mut levels: [u8; LEVELS] = std::array::from_fn(|level| level as u8);
            permute(&mut rng, &mut levels);
            let mut within = [levels; LEVELS];
            for within in &mut within {
                permute(&mut rng, within);
            }
            for b in 0..LEVELS {
                for a in 0..LEVELS {
                    let level = levels[(a + b * (class % LEVELS)) % LEVELS];
                    let part = within[usize::from(level)][b];
                    orders[(b * LEVELS + a) * classes + class] = level * LEVELS as u8 + part;
                }
            }
        }
        Ok(Self { quantiles: quantiles(), orders, classes })
    }

    /// The range of all draws.
    pub fn all() -> Range<usize> {
        0..DRAWS
    }

    /// The range of one of the 11 shares, 11 draws each.
    pub fn share(number: usize) -> Range<usize> {
        let first = number % LEVELS * LEVELS;
        first..first + LEVELS
    }

    /// The numbers of draw `draw`, one per class.
    pub fn of(&self, draw: usize) -> impl Iterator<Item = f64> {
        let orders = &self.orders[draw * self.classes..][..self.classes];
        orders.iter().map(|&order| self.quantiles[usize::from(order)])
    }
}

/// The mid-quantiles of the standard normal distribution; the outermost ones, which
/// represent the tails, are set so that the variance is 1.
fn quantiles() -> [f64; DRAWS] {
    let mut quantiles = [0.0; DRAWS];
    for i in 0..DRAWS / 2 {
        let above = (i as f64 + 0.5) / DRAWS as f64;
        let mut z = 0.0;
        // Newton's method from 0 never overshoots the root: Φ is concave there.
        for _ in 0..20 {
            z += (normal_tail(z) - above) / density(z);
        }
        (quantiles[i], quantiles[DRAWS - 1 - i]) = (-z, z);
    }
    let inner: f64 = quantiles[1..DRAWS - 1].iter().map(|z| z * z).sum();
    let outer = ((DRAWS as f64 - inner) / 2.0).sqrt();
    (quantiles[0], quantiles[DRAWS - 1]) = (-outer, outer);
    quantiles
}

/// The probability that a standard normal variable exceeds z.
pub(super) fn normal_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z * std::f64::consts::FRAC_1_SQRT_2)
}

/// The standard normal density.
pub(super) fn density(z: f64) -> f64 {
    /// 1 / sqrt(2 pi)
    const AT_0: f64 = 0.398_942_280_401_432_7;
    AT_0 * libm::exp(-0.5 * z * z)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, Normal};

    use super::*;

    #[test]
    fn the_quantiles_are_those_of_the_normal_law() {
        let got = quantiles();
        let normal = Normal::standard();
        let want: Vec<f64> =
            (0..DRAWS).map(|i| normal.inverse_cdf((i as f64 + 0.5) / DRAWS as f64)).collect();
        for (got, want) in got[1..DRAWS - 1].iter().zip(&want[1..]) {
            // statrs inverts to some 1e-8.
            assert!((got - want).abs() < 1e-7, "{got}, not {want}");
        }
        let [first, last] = [got[0], got[DRAWS - 1]];
        assert!(first == -last && last > got[DRAWS - 2] && got.is_sorted());
        assert!((got.iter().map(|z| z * z).sum::<f64>() / DRAWS as f64 - 1.0).abs() < 1e-14);
    }

    #[test]
    fn each_class_takes_each_quantile_and_each_share_each_eleventh_once() {
        let draws = Draws::new(30).unwrap();
        let order = |draw: usize, class: usize| draws.orders[draw * 30 + class];
        for class in 0..30 {
            let mut all: Vec<u8> = Draws::all().map(|draw| order(draw, class)).collect();
            all.sort_unstable();
            assert!(all.iter().enumerate().all(|(i, &order)| usize::from(order) == i));
            for number in 0..LEVELS {
                let mut levels: Vec<_> =
                    Draws::share(number).map(|draw| order(draw, class) / LEVELS as u8).collect();
                levels.sort_unstable();
                assert!(levels.iter().enumerate().all(|(i, &level)| usize::from(level) == i));
            }
        }
        // Any two of 11 neighbours: each pair of elevenths once.
        for (one, other) in [(0, 1), (3, 9), (12, 20)] {
            let pairs = Draws::all()
                .map(|draw| [one, other].map(|class| order(draw, class) / LEVELS as u8));
            assert_eq!(pairs.collect::<std::collections::BTreeSet<_>>().len(), DRAWS);
        }
    }

    #[test]
    fn a_class_is_drawn_alike_among_few_and_many() {
        let (few, many) = (Draws::new(3).unwrap(), Draws::new(1000).unwrap());
        for draw in [0, 60, 120] {
            assert!(few.of(draw).eq(many.of(draw).take(3)));
        }
    }
}
