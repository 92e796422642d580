//! z times the logistic of z.

use super::{
    normal::{RectifierLike, Shape},
    plain_logistic, plain_product,
};
use crate::{
    simd::{Lanes, Supported, math},
    thin::{Kept, Unit},
};

/// [`Activation::Silu`](super::Activation::Silu)
#[derive(Clone, Copy)]
pub(super) struct Silu;

/// Beyond this, on either side, the logistic of z or that of -z is 0 in f32.
const FAR: f32 = 110.0;

impl Unit for Silu {
    type Slope = Kept;
    fn slope(self) -> Kept {
        Kept
    }

    type Moments = RectifierLike;
    fn moments(self, isa: Supported) -> RectifierLike {
        RectifierLike::new(isa, &self, Shape::SMOOTH)
    }

    fn plain_value(self, z: f64) -> f64 {
        plain_product(z, plain_logistic(z))
    }
    fn plain_derivative(self, z: f64) -> f64 {
        let gate = plain_logistic(z);
        gate + plain_product(z, gate * plain_logistic(-z))
    }

    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        // The bound keeps minus infinity from meeting 0.
        l.mul(math::at_least(l, z, -FAR), math::logistics(l, z).0)
    }
    /// With s the logistic of z, f'(z) = s + z s (1 - s).
    #[inline(always)]
    fn value_and_derivative<L: Lanes>(self, l: L, z: L::F) -> (L::F, L::F) {
        let (gate, rest) = math::logistics(l, z);
        let z = math::at_least(l, z, -FAR);
        let slope = l.mul_add(l.mul(math::at_most(l, z, FAR), gate), rest, gate);
        (l.mul(z, gate), slope)
    }
}
