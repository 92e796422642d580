//! max(0, z).

use super::normal::{Rectified, rectified};
use crate::{
    simd::{Lanes, Supported},
    thin::{Slope, Unit, moments::Moments},
};

/// [`Activation::Relu`](super::Activation::Relu)
#[derive(Clone, Copy)]
pub(super) struct Relu;

impl Unit for Relu {
    type Slope = Self;
    fn slope(self) -> Self {
        self
    }

    type Moments = Self;
    fn moments(self, _: Supported) -> Self {
        self
    }

    fn plain_value(self, z: f64) -> f64 {
        // Unlike f64::max, this propagates NaN.
        if z < 0.0 { 0.0 } else { z }
    }
    fn plain_derivative(self, z: f64) -> f64 {
        f64::from(u8::from(z > 0.0))
    }

    #[inline(always)]
    fn value<L: Lanes>(self, _: L, z: L::F) -> L::F {
        // Called for active units only.
        z
    }
    #[inline(always)]
    fn active<L: Lanes>(self, l: L, z: L::F) -> u16 {
        l.less(l.splat(0.0), z) | l.is_nan(z)
    }
}

impl Slope for Relu {
    const KEPT: bool = false;
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, _: L::F) -> L::F {
        l.splat(1.0)
    }
}

impl Moments for Relu {
    #[inline(always)]
    fn by_quadrature<L: Lanes>(self, _: L, _: L::F) -> u16 {
        0
    }
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, (mean, deviation): (L::F, L::F), _: (L::F, L::F)) -> (L::F, L::F) {
        let Rectified { mean, part, .. } = rectified(l, mean, deviation);
        (mean, l.mul(deviation, l.sqrt(part)))
    }
}
