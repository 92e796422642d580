//! z.

use crate::{
    simd::{Lanes, Supported},
    thin::{Slope, Unit, moments::Moments},
};

/// [`Activation::Identity`](super::Activation::Identity)
#[derive(Clone, Copy)]
pub(in crate::nn) struct Identity;

impl Unit for Identity {
    type Slope = Self;
    fn slope(self) -> Self {
        self
    }

    type Moments = Self;
    fn moments(self, _: Supported) -> Self {
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
}

impl Slope for Identity {
    const KEPT: bool = false;
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, _: L::F) -> L::F {
        l.splat(1.0)
    }
}

impl Moments for Identity {
    #[inline(always)]
    fn by_quadrature<L: Lanes>(self, _: L, _: L::F) -> u16 {
        0
    }
    #[inline(always)]
    fn of<L: Lanes>(self, _: L, z: (L::F, L::F), _: (L::F, L::F)) -> (L::F, L::F) {
        z
    }
}
