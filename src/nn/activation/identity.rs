//! z.

use crate::{
    simd::Lanes,
    thin::{Slope, Unit},
};

/// [`Activation::Identity`](super::Activation::Identity)
#[derive(Clone, Copy)]
pub(super) struct Identity;

impl Unit for Identity {
    type Slope = Self;
    fn slope(self) -> Self {
        self
    }

    fn plain_value(self, z: f64) -> f64 {
        z
    }
    fn plain_derivative(self, _: f64) -> f64 {
        1.0
    }

    #[inline(always)]
    fn value<L: Lanes>(self, _: L, z: L::F) -> L::F {
        z
    }
    #[inline(always)]
    fn moments<L: Lanes>(self, _: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
        (mean, deviation)
    }
}

impl Slope for Identity {
    const KEPT: bool = false;
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, _: L::F) -> L::F {
        l.splat(1.0)
    }
}
