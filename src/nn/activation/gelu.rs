//! z times the standard normal integral up to z.

use super::{
    normal::{RectifierLike, Shape},
    plain_product,
};
use crate::{
    simd::{Lanes, Supported, math},
    thin::{Kept, Unit},
};

/// [`Activation::Gelu`](super::Activation::Gelu)
#[derive(Clone, Copy)]
pub(super) struct Gelu;

impl Unit for Gelu {
    type Slope = Kept;
    fn slope(self) -> Kept {
        Kept
    }

    type Moments = RectifierLike;
    fn moments(self, isa: Supported) -> RectifierLike {
        RectifierLike::new(isa, &self, Shape::SMOOTH)
    }

    fn plain_value(self, z: f64) -> f64 {
        plain_product(z, plain_integral(z))
    }
    fn plain_derivative(self, z: f64) -> f64 {
        let density = libm::exp(-0.5 * z * z) / std::f64::consts::TAU.sqrt();
        plain_integral(z) + plain_product(z, density)
    }

    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        // The bound keeps minus infinity from meeting 0.
        l.mul(math::at_least(l, z, -math::NORMAL_FAR), math::normal(l, z).1)
    }
    /// With φ the standard normal density and Φ its integral, f'(z) = Φ(z) + z φ(z).
    #[inline(always)]
    fn value_and_derivative<L: Lanes>(self, l: L, z: L::F) -> (L::F, L::F) {
        let (density, integral) = math::normal(l, z);
        let z = math::at_least(l, z, -math::NORMAL_FAR);
        let slope = l.mul_add(math::at_most(l, z, math::NORMAL_FAR), density, integral);
        (l.mul(z, integral), slope)
    }
}

/// Φ(z) = (1 + erf(z / sqrt 2)) / 2
fn plain_integral(z: f64) -> f64 {
    0.5 * libm::erfc(-std::f64::consts::FRAC_1_SQRT_2 * z)
}
