//! z above 0, and a z below.

use super::normal::rectified;
use crate::{
    nn::parameter::parameter,
    simd::{Lanes, Supported},
    thin::{Slope, Unit, moments::Moments},
};

parameter! {
    /// The slope of [`Activation::LeakyRelu`](super::Activation::LeakyRelu) for negative z, which
    /// is positive and finite.
    NegativeSlope of "leaky_relu slope", AboveZero;
    /// PyTorch's default, 0.01.
    DEFAULT = 0.01;
    /// Checks the slope.
    ///
    /// # Errors
    /// The slope is not positive or not finite.
    ///
    /// ```
    /// use thinnet::nn::{Activation, NegativeSlope};
    ///
    /// let leaky = Activation::LeakyRelu(NegativeSlope::new(0.2)?);
    /// assert_eq!(leaky.to_string(), "leaky_relu(0.2)");
    /// assert_eq!("leaky_relu(0.2)".parse::<Activation>()?, leaky);
    /// assert!(NegativeSlope::new(0.0).is_err()); // that is a ReLU
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    new;
}

/// [`Activation::LeakyRelu`](super::Activation::LeakyRelu)
#[derive(Clone, Copy)]
pub(super) struct LeakyRelu {
    pub slope: f32,
}

impl Unit for LeakyRelu {
    type Slope = Self;
    fn slope(self) -> Self {
        self
    }

    type Moments = Self;
    fn moments(self, _: Supported) -> Self {
        self
    }

    fn plain_value(self, z: f64) -> f64 {
        if z < 0.0 { f64::from(self.slope) * z } else { z }
    }
    fn plain_derivative(self, z: f64) -> f64 {
        if z > 0.0 { 1.0 } else { f64::from(self.slope) }
    }

    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        l.select(l.less(z, l.splat(0.0)), l.mul(l.splat(self.slope), z), z)
    }
}

impl Slope for LeakyRelu {
    const KEPT: bool = false;
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, y: L::F) -> L::F {
        // y has the same sign as z; the slope at 0 is as in PyTorch.
        l.select(l.less(l.splat(0.0), y), l.splat(1.0), l.splat(self.slope))
    }
}

impl Moments for LeakyRelu {
    #[inline(always)]
    fn by_quadrature<L: Lanes>(self, _: L, _: L::F) -> u16 {
        0
    }
    /// With r = max(0, z), f(z) = a z + (1 - a) r, and Cov(z, r) = s² Φ(m / s) by Stein's lemma.
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, (mean, deviation): (L::F, L::F), _: (L::F, L::F)) -> (L::F, L::F) {
        let r = rectified(l, mean, deviation);
        let (a, rest) = (l.splat(self.slope), l.splat(1.0 - self.slope));
        let y = l.mul_add(a, mean, l.mul(rest, r.mean));
        let both = l.mul(l.mul(l.splat(2.0), rest), r.above);
        let part = l.mul_add(l.mul(rest, rest), r.part, l.mul(a, l.add(a, both)));
        // It is never negative, but rounding can make it so.
        let part = l.select(l.less(part, l.splat(0.0)), l.splat(0.0), part);
        (y, l.mul(deviation, l.sqrt(part)))
    }
}
