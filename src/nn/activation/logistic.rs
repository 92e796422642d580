//! 1 / (1 + e^-z).

use super::{normal::Squashed, plain_logistic};
use crate::{
    simd::{Lanes, Supported, math},
    thin::{Slope, Unit},
};

/// [`Activation::Logistic`](super::Activation::Logistic)
#[derive(Clone, Copy)]
pub(super) struct Logistic;

impl Unit for Logistic {
    type Slope = Self;
    fn slope(self) -> Self {
        self
    }

    type Moments = Squashed;
    fn moments(self, _: Supported) -> Squashed {
        Squashed { slope: 1.0 }
    }

    fn plain_value(self, z: f64) -> f64 {
        plain_logistic(z)
    }
    fn plain_derivative(self, z: f64) -> f64 {
        // s (1 - s)
        plain_logistic(z) * plain_logistic(-z)
    }

    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        math::logistic(l, z)
    }
}

impl Slope for Logistic {
    const KEPT: bool = false;
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, y: L::F) -> L::F {
        l.mul(y, l.sub(l.splat(1.0), y))
    }
}
