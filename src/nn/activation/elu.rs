//! z above 0, and alpha (e^z - 1) below.

use super::normal::{RectifierLike, Shape};
use crate::{
    nn::parameter::parameter,
    simd::{Lanes, Supported, math},
    thin::{Kept, Unit},
};

parameter! {
    /// The alpha of [`Activation::Elu`](super::Activation::Elu), which is positive and finite.
    EluAlpha of "elu alpha", AboveZero;
    /// PyTorch's default, 1.
    DEFAULT = 1.0;
    /// Checks alpha.
    ///
    /// # Errors
    /// Alpha is not positive or not finite.
    ///
    /// ```
    /// use thinnet::nn::{Activation, EluAlpha};
    ///
    /// let elu = Activation::Elu(EluAlpha::new(0.5)?);
    /// assert_eq!(elu.to_string(), "elu(0.5)");
    /// assert_eq!("elu(0.5)".parse::<Activation>()?, elu);
    /// assert!(EluAlpha::new(-1.0).is_err());
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    new;
}

/// The variance could overflow with a larger alpha; its moments are NaN, which a prediction
/// refuses.
const MAX_ALPHA: f32 = 1e18;

/// [`Activation::Elu`](super::Activation::Elu)
#[derive(Clone, Copy)]
pub(super) struct Elu {
    pub alpha: f32,
}

impl Unit for Elu {
    type Slope = Kept;
    fn slope(self) -> Kept {
        Kept
    }

    type Moments = RectifierLike;
    fn moments(self, isa: Supported) -> RectifierLike {
        let alpha = if self.alpha > MAX_ALPHA { f32::NAN } else { self.alpha };
        let shape = Shape { floor: -alpha, kinks: [1.0 - alpha, -alpha] };
        RectifierLike::new(isa, &self, shape)
    }

    fn plain_value(self, z: f64) -> f64 {
        if z < 0.0 { f64::from(self.alpha) * libm::expm1(z) } else { z }
    }
    fn plain_derivative(self, z: f64) -> f64 {
        if z > 0.0 { 1.0 } else { f64::from(self.alpha) * libm::exp(z) }
    }

    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        let below = l.mul(l.splat(self.alpha), math::exp_m1(l, z));
        l.select(l.less(z, l.splat(0.0)), below, z)
    }
    /// The derivative at 0 is alpha, as in PyTorch.
    #[inline(always)]
    fn value_and_derivative<L: Lanes>(self, l: L, z: L::F) -> (L::F, L::F) {
        let (zero, one) = (l.splat(0.0), l.splat(1.0));
        let (alpha, power) = (l.splat(self.alpha), math::exp_m1(l, z));
        let slope = l.mul(alpha, l.add(power, one));
        let y = l.select(l.less(z, zero), l.mul(alpha, power), z);
        (y, l.select(l.less(zero, z), one, slope))
    }
}
