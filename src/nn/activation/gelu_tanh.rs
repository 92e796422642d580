//! GELU with the normal integral approximated by a tanh, as in PyTorch's `approximate="tanh"`.

use super::{
    normal::{RectifierLike, Shape},
    plain_logistic, plain_product,
};
use crate::{
    simd::{Lanes, Supported, math},
    thin::{Kept, Unit},
};

/// [`Activation::GeluTanh`](super::Activation::GeluTanh)
#[derive(Clone, Copy)]
pub(super) struct GeluTanh;

/// With (1 + tanh u) / 2 = logistic(2 u), f(z) = z logistic(c z + d z³).
const C: f64 = 1.595_769_121_605_730_7; // 2 sqrt(2 / pi)
const D: f64 = C * 0.044_715;

/// Beyond this, on either side, the logistic or 1 minus it is 0 in f32.
const FAR: f32 = 12.0;

impl Unit for GeluTanh {
    type Slope = Kept;
    fn slope(self) -> Kept {
        Kept
    }

    type Moments = RectifierLike;
    fn moments(self, isa: Supported) -> RectifierLike {
        RectifierLike::new(isa, &self, Shape::SMOOTH)
    }

    fn plain_value(self, z: f64) -> f64 {
        plain_product(z, plain_logistic(z * (C + D * z * z)))
    }
    fn plain_derivative(self, z: f64) -> f64 {
        let u = z * (C + D * z * z);
        let gate = plain_logistic(u);
        gate + plain_product(z * (C + 3.0 * D * z * z), gate * plain_logistic(-u))
    }

    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        let at = math::at_most(l, math::at_least(l, z, -FAR), FAR);
        let cubic = l.mul_add(l.mul(at, at), l.splat(D as f32), l.splat(C as f32));
        // The bound keeps minus infinity from meeting 0.
        l.mul(math::at_least(l, z, -FAR), math::logistics(l, l.mul(at, cubic)).0)
    }
    /// With s the logistic, f'(z) = s + z (c + 3 d z²) s (1 - s).
    #[inline(always)]
    fn value_and_derivative<L: Lanes>(self, l: L, z: L::F) -> (L::F, L::F) {
        let at = math::at_most(l, math::at_least(l, z, -FAR), FAR);
        let square = l.mul(at, at);
        let cubic = l.mul_add(square, l.splat(D as f32), l.splat(C as f32));
        let (gate, rest) = math::logistics(l, l.mul(at, cubic));
        let inner = l.mul_add(square, l.splat(3.0 * D as f32), l.splat(C as f32));
        let slope = l.mul_add(l.mul(l.mul(at, inner), gate), rest, gate);
        (l.mul(math::at_least(l, z, -FAR), gate), slope)
    }
}
