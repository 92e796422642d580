//! Masks of the first site that drops, and their weights.
//!
//! The units above the first site share its dropped units, so they are not independent;
//! given a mask they are. With n active units, each of which is dropped with probability
//! q = 1 - p:
//!
//! | n | masks | weights |
//! |---|---|---|
//! | at most 12 | all 2^n | exact |
//! | 13 to 64 | no unit dropped, and each single unit dropped, if that happens in at least an eighth of all cases | exact: p^n, and q p^(n-1) each |
//! | | for the remaining cases, 64 times their probability, at least 8 | equal |
//! | more | none: moments alone | |
//!
//! The masks for the remaining cases are balanced. The numbers of units they drop are the
//! mid-quantiles of the binomial distribution; which units is dealt from a shuffled deck
//! of all units, reshuffled when empty, so that each is dropped equally often, give or
//! take one. They are a function of n, p and the site alone: the stream is that of seed
//! 0, [`Domain::Prediction`], step 0, row 0.

use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{
    mask::{Domain, Streams, permute},
    rate::Keep,
};

/// The maximum number of active units for which masks are used: one word.
pub(super) const MAX_UNITS: usize = 64;

/// The maximum number of active units for which all masks are used.
const ENUMERATED: usize = 12;

/// The number of balanced masks for all cases. They determine a deviation to within 9 %.
const MASKS: usize = 64;

/// The minimum number of masks for rare cases.
const FEWEST: usize = 8;

/// If dropping none or one has at least this probability, these cases get their own
/// masks.
const OFTEN: f64 = 0.125;

const SEED: u64 = 0;

/// The masks for rows with the same number of active units.
#[derive(Clone, Debug)]
pub(super) struct Strata {
    /// What they were made for: number of active units, keep rate, site.
    made_for: Option<(usize, Keep, usize)>,
    /// Bit i is the row's i-th active unit, 1 = kept.
    masks: Vec<u64>,
    weights: Vec<f64>,
}

impl Strata {
    pub fn new() -> Self {
        let room = 1 << ENUMERATED;
        Self { made_for: None, masks: Vec::with_capacity(room), weights: Vec::with_capacity(room) }
    }

    /// The masks for `units` active units, and their weights: none for more than
    /// [`MAX_UNITS`].
    pub fn of(&mut self, units: usize, keep: Keep, site: usize) -> (&[u64], &[f64]) {
        let wanted = Some((units, keep, site));
        if self.made_for != wanted {
            self.masks.clear();
            self.weights.clear();
            if units <= ENUMERATED {
                self.enumerate(units, keep);
            } else if units <= MAX_UNITS {
                self.stratify(units, keep, site);
            }
            self.made_for = wanted;
        }
        (&self.masks, &self.weights)
    }

    fn push(&mut self, mask: u64, weight: f64) {
        self.masks.push(mask);
        self.weights.push(weight);
    }

    /// Lists all masks, starting with the one that keeps every unit.
    fn enumerate(&mut self, units: usize, keep: Keep) {
        let (p, all) = (keep.get(), (1 << units) - 1);
        for dropped in 0..=all {
            let lost = u64::count_ones(dropped);
            let kept = units as i32 - lost as i32;
            self.push(all ^ dropped, libm::pow(p, kept.into()) * libm::pow(1.0 - p, lost.into()));
        }
    }

    fn stratify(&mut self, units: usize, keep: Keep, site: usize) {
        let all = u64::MAX >> (MAX_UNITS - units);
        let law = binomial(units, keep);
        let exact = if law[0] + law[1] >= OFTEN { 2 } else { 0 };
        if exact > 0 {
            self.push(all, law[0]);
            for unit in 0..units {
                self.push(all ^ 1 << unit, law[1] / units as f64);
            }
        }
        let rest: f64 = law[exact..=units].iter().sum();
        let count = ((MASKS as f64 * rest).ceil() as usize).max(FEWEST);
        // The number of units each mask drops.
        let mut lost = [0; MASKS + 1];
        let (mut most, mut below) = (exact, law[exact]);
        for (i, lost) in lost.iter_mut().enumerate().take(count) {
            let part = rest * (i as f64 + 0.5) / count as f64;
            while below < part && most < units {
                most += 1;
                below += law[most];
            }
            *lost = most;
        }
        let mut rng = Streams::new(SEED, Domain::Prediction, site as u64, 0).rng(0);
        permute(&mut rng, &mut lost[..count]);
        let mut pack = Pack::new(units, rng);
        for &lost in &lost[..count] {
            self.push(all ^ pack.deal(lost), rest / count as f64);
        }
    }
}

/// The probabilities of dropping 0, 1, 2, ... of `units` units.
fn binomial(units: usize, keep: Keep) -> [f64; MAX_UNITS + 1] {
    let (p, mut law) = (keep.get(), [0.0; MAX_UNITS + 1]);
    law[0] = libm::pow(p, units as f64);
    for lost in 1..=units {
        let odds = (1.0 - p) / p * (units - lost + 1) as f64 / lost as f64;
        law[lost] = law[lost - 1] * odds;
    }
    law
}

/// A deck of units to drop, in random order.
struct Pack {
    order: [u8; MAX_UNITS],
    units: usize,
    at: usize,
    rng: Xoshiro256PlusPlus,
}

impl Pack {
    fn new(units: usize, rng: Xoshiro256PlusPlus) -> Self {
        Self { order: std::array::from_fn(|unit| unit as u8), units, at: units, rng }
    }

    /// Deals the next `count` units, all different, as bits.
    fn deal(&mut self, count: usize) -> u64 {
        let mut dealt = 0u64;
        while (dealt.count_ones() as usize) < count {
            let left = &self.order[self.at..self.units];
            match left.iter().position(|&unit| dealt >> unit & 1 == 0) {
                Some(next) => {
                    self.order.swap(self.at, self.at + next);
                    dealt |= 1 << self.order[self.at];
                    self.at += 1;
                }
                None => {
                    permute(&mut self.rng, &mut self.order[..self.units]);
                    self.at = 0;
                }
            }
        }
        dealt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [f64; 6] = [0.99999, 0.995, 0.95, 0.8, 0.5, 2e-5];

    #[test]
    fn few_units_have_all_masks_with_their_probabilities() {
        let mut strata = Strata::new();
        for rate in RATES {
            let keep = Keep::new(rate).unwrap();
            for units in 0..=ENUMERATED {
                let (masks, weights) = strata.of(units, keep, 1);
                assert_eq!(masks.len(), 1 << units);
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                for (mask, weight) in masks.iter().zip(weights) {
                    let kept = mask.count_ones() as i32;
                    let want = keep.get().powi(kept) * (1.0 - keep.get()).powi(units as i32 - kept);
                    assert!((weight / want - 1.0).abs() < 1e-12);
                }
                let different: std::collections::BTreeSet<_> = masks.iter().collect();
                assert_eq!(different.len(), masks.len());
            }
        }
    }

    #[test]
    fn more_units_are_dropped_as_often_as_their_rate_says() {
        let mut strata = Strata::new();
        for rate in RATES {
            let keep = Keep::new(rate).unwrap();
            for units in [13, 40, 64] {
                let (masks, weights) = strata.of(units, keep, 0);
                assert!(masks.len() <= 1 + MAX_UNITS + MASKS, "{}", masks.len());
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                for unit in 0..units {
                    let both = masks.iter().zip(weights);
                    let lost = both.filter(|(mask, _)| *mask >> unit & 1 == 0);
                    let lost: f64 = lost.map(|(_, weight)| weight).sum();
                    // A mask more or less than others, and what the quantiles round.
                    let error = (lost - (1.0 - keep.get())).abs();
                    assert!(error < 1.5 / MASKS as f64, "{rate} {units} {unit}: {lost}");
                }
            }
        }
    }

    #[test]
    fn many_units_have_none_and_rows_before_do_not_matter() {
        let (mut strata, keep) = (Strata::new(), Keep::HALF);
        assert!(strata.of(MAX_UNITS + 1, keep, 0).0.is_empty());
        let first = strata.of(30, keep, 0).0.to_vec();
        strata.of(20, keep, 0);
        assert_ne!(strata.of(30, keep, 1).0, first);
        assert_eq!(strata.of(30, keep, 0).0, first);
    }
}
