//! tanh z.

use super::normal::Squashed;
use crate::{
    simd::{Lanes, Supported, math},
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

    type Moments = Squashed;
    /// tanh z = 2 logistic(2 z) - 1.
    fn moments(self, _: Supported) -> Squashed {
        Squashed { slope: 2.0 }
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
}

impl Slope for Tanh {
    const KEPT: bool = false;
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, y: L::F) -> L::F {
        l.sub(l.splat(1.0), l.mul(y, y))
    }
}
