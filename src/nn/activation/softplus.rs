//! ln(1 + e^z).

use super::{
    normal::{RectifierLike, Shape},
    plain_logistic,
};
use crate::{
    simd::{Lanes, Supported, math},
    thin::{Kept, Unit},
};

/// [`Activation::Softplus`](super::Activation::Softplus)
#[derive(Clone, Copy)]
pub(super) struct Softplus;

impl Unit for Softplus {
    type Slope = Kept;
    fn slope(self) -> Kept {
        Kept
    }

    type Moments = RectifierLike;
    fn moments(self, isa: Supported) -> RectifierLike {
        RectifierLike::new(isa, &self, Shape::SMOOTH)
    }

    fn plain_value(self, z: f64) -> f64 {
        z.max(0.0) + libm::log1p(libm::exp(-z.abs()))
    }
    fn plain_derivative(self, z: f64) -> f64 {
        plain_logistic(z)
    }

    /// max(0, z) + ln(1 + e^-|z|), which never overflows.
    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        let zero = l.splat(0.0);
        let negative = l.less(z, zero);
        let e = math::exp(l, l.select(negative, z, l.sub(zero, z)));
        l.add(math::at_least(l, z, 0.0), math::ln_1p(l, e))
    }
    #[inline(always)]
    fn value_and_derivative<L: Lanes>(self, l: L, z: L::F) -> (L::F, L::F) {
        (self.value(l, z), math::logistics(l, z).0)
    }
}
