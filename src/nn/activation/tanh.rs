//! tanh z.

use super::normal::squashed;
use crate::{
    simd::{Lanes, math},
    thin::{Slope, Unit},
};

/// [`Activation::Tanh`](super::Activation::Tanh)
#[derive(Clone, Copy)]
pub(super) struct Tanh;

impl Unit for Tanh {
    type Slope = Self;
    fn slope(self) -> Self {
        self
    }

    fn plain_value(self, z: f64) -> f64 {
        libm::tanh(z)
    }
    fn plain_derivative(self, z: f64) -> f64 {
        // 1 - tanh² z, without cancellation.
        libm::cosh(z).powi(-2)
    }

    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        math::tanh(l, z)
    }
    /// tanh z = 2 logistic(2 z) - 1.
    #[inline(always)]
    fn moments<L: Lanes>(self, l: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
        squashed(l, self, 2.0, mean, deviation)
    }
}

impl Slope for Tanh {
    const KEPT: bool = false;
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, y: L::F) -> L::F {
        l.sub(l.splat(1.0), l.mul(y, y))
    }
}
