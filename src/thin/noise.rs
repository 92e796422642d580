//! Noise that multiplies each unit by a number of its own, r, in place of a mask.
//!
//! It has no part in the products: the outputs of a layer are computed without it, and then
//! multiplied, both in the next layer's lists and, if a backward pass follows, where product 1 has
//! left f'(z) in z's place. The backward pass then finds f'(z) r there, as it does for a unit whose
//! slope is [`Kept`]. To that end, product 1 takes every unit for one whose slope is kept
//! ([`LeavesSlope`]).

use super::{Kept, Lists, PANEL, Panels, Unit};
use crate::{
    mask::Factors,
    pass::Pass,
    simd::{Lanes, Supported},
};

/// Multiplies the values of lists by r and, if there are any, the slopes at the same units.
pub(crate) fn multiply(pass: Pass, factors: &Factors, x: &mut Lists, slopes: Option<&mut Panels>) {
    let memory = (x.runs_mut(), slopes.map(Panels::runs_mut));
    pass.each(memory, &|b, ((ends, offsets, values), mut slopes)| {
        let mut start = 0;
        for (row, &end) in ends.data[1..].iter().enumerate() {
            let (entries, r) = (start..end as usize, factors.block(row, b));
            let offsets = &offsets.data[entries.clone()];
            for (value, &offset) in values.data[entries].iter_mut().zip(offsets) {
                *value *= r[usize::from(offset) % PANEL];
            }
            if let Some(slopes) = &mut slopes {
                for offset in offsets.iter().map(|&offset| usize::from(offset) % PANEL) {
                    slopes.data[row][offset] *= r[offset];
                }
            }
            start = end as usize;
        }
    });
}

/// A unit, with its slope left in z's place even if it is a function of the unit's value.
#[derive(Clone, Copy)]
pub(crate) struct LeavesSlope<U>(pub U);

impl<U: Unit> Unit for LeavesSlope<U> {
    type Slope = Kept;
    fn slope(self) -> Kept {
        Kept
    }
    type Moments = U::Moments;
    fn moments(self, isa: Supported) -> U::Moments {
        self.0.moments(isa)
    }
    fn plain_value(self, z: f64) -> f64 {
        self.0.plain_value(z)
    }
    fn plain_derivative(self, z: f64) -> f64 {
        self.0.plain_derivative(z)
    }
    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        self.0.value(l, z)
    }
    #[inline(always)]
    fn value_and_derivative<L: Lanes>(self, l: L, z: L::F) -> (L::F, L::F) {
        self.0.value_and_derivative(l, z)
    }
    #[inline(always)]
    fn active<L: Lanes>(self, l: L, z: L::F) -> u16 {
        self.0.active(l, z)
    }
}
