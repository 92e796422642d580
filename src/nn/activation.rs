//! Activations: each unit's formula forward and backward, side by side.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    simd::{Lanes, math},
    thin::Unit,
};

/// The non-linearity of a hidden layer, y = f(z).
///
/// | | f(z) | f'(z) | active |
/// |---|---|---|---|
/// | `Relu` | max(0, z) | 1 where z > 0 | z > 0, or NaN |
/// | `Logistic` | 1 / (1 + e^-z) | y (1 - y) | every kept unit |
/// | `Tanh` | tanh z | 1 - y² | every kept unit |
/// | `Identity` | z | 1 | every kept unit |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Activation {
    /// max(0, z)
    Relu,
    /// 1 / (1 + e^-z)
    Logistic,
    /// tanh z
    Tanh,
    /// z
    Identity,
}

impl Activation {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Relu, Self::Logistic, Self::Tanh, Self::Identity];

    /// The name in files and at the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Logistic => "logistic",
            Self::Tanh => "tanh",
            Self::Identity => "identity",
        }
    }

    /// f(z) in f64: the formula, and the twin of the vector code.
    pub fn value(self, z: f64) -> f64 {
        match self {
            // Unlike f64::max, NaN stays NaN.
            Self::Relu => {
                if z < 0.0 {
                    0.0
                } else {
                    z
                }
            }
            Self::Logistic => 1.0 / (1.0 + libm::exp(-z)),
            Self::Tanh => libm::tanh(z),
            Self::Identity => z,
        }
    }
}

/// Something generic over the unit of an activation that is known at run time.
pub(crate) trait WithUnit {
    /// What it returns.
    type Output;
    /// The code.
    fn with<U: Unit>(self, unit: U) -> Self::Output;
}

impl Activation {
    /// Hands this activation's unit to `work`.
    pub(crate) fn hand_to<W: WithUnit>(self, work: W) -> W::Output {
        match self {
            Self::Relu => work.with(Relu),
            Self::Logistic => work.with(Logistic),
            Self::Tanh => work.with(Tanh),
            Self::Identity => work.with(Identity),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|activation| activation.name() == name).ok_or_else(|| {
            Error::UnknownName {
                what: "activation",
                name: name.to_owned(),
                expected: "relu, logistic, tanh, identity",
            }
        })
    }
}

/// [`Activation::Relu`]
#[derive(Clone, Copy)]
struct Relu;
/// [`Activation::Logistic`]
#[derive(Clone, Copy)]
struct Logistic;
/// [`Activation::Tanh`]
#[derive(Clone, Copy)]
struct Tanh;
/// [`Activation::Identity`]
#[derive(Clone, Copy)]
struct Identity;

impl Unit for Relu {
    #[inline(always)]
    fn value<L: Lanes>(self, _: L, z: L::F) -> L::F {
        // Asked for active units only.
        z
    }
    #[inline(always)]
    fn active<L: Lanes>(self, l: L, z: L::F) -> u16 {
        l.less(l.splat(0.0), z) | l.is_nan(z)
    }
    #[inline(always)]
    fn slope<L: Lanes>(self, l: L, _: L::F) -> L::F {
        l.splat(1.0)
    }
    /// With m and s mean and deviation, a = m / s, φ the standard normal density
    /// and Φ its integral: mean m Φ(a) + s φ(a), variance
    /// s² (Φ(a) + a² Φ(a) Φ(-a) - a φ(a) (Φ(a) - Φ(-a)) - φ(a)²). This form of it
    /// does not cancel where a is large.
    #[inline(always)]
    fn moments<L: Lanes>(self, l: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
        /// From here on, to both sides, nothing of the other side is left.
        const FAR: f32 = 20.0;
        const DENSITY_AT_0: f32 = 0.398_942_3;
        let (zero, one) = (l.splat(0.0), l.splat(1.0));
        let negative = l.less(mean, zero);
        let size = l.select(negative, l.sub(zero, mean), mean);
        // Also where the deviation is 0: the quotient is infinite, or NaN for 0 / 0.
        let a = l.div(size, deviation);
        let a = l.select(l.less(a, l.splat(FAR)), a, l.splat(FAR));
        let tail = math::normal_tail(l, a);
        let rest = l.sub(one, tail);
        let density = math::exp(l, l.mul(l.mul(a, a), l.splat(-0.5)));
        let density = l.mul(density, l.splat(DENSITY_AT_0));
        // Φ(a) and Φ(-a), and a with its sign.
        let (above, below) = (l.select(negative, tail, rest), l.select(negative, rest, tail));
        let a = l.select(negative, l.sub(zero, a), a);
        let y = l.mul_add(mean, above, l.mul(deviation, density));
        let both = l.mul(l.mul(a, a), l.mul(above, below));
        let odd = l.mul(l.mul(a, density), l.sub(above, below));
        let part = l.sub(l.sub(l.add(above, both), odd), l.mul(density, density));
        let variance = l.mul(l.mul(deviation, deviation), part);
        // Rounding can take either below 0, which they never are.
        let y = l.select(l.less(y, zero), zero, y);
        (y, l.select(l.less(variance, zero), zero, variance))
    }
}

impl Unit for Logistic {
    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        math::logistic(l, z)
    }
    #[inline(always)]
    fn active<L: Lanes>(self, _: L, _: L::F) -> u16 {
        u16::MAX
    }
    #[inline(always)]
    fn slope<L: Lanes>(self, l: L, y: L::F) -> L::F {
        l.mul(y, l.sub(l.splat(1.0), y))
    }
}

impl Unit for Tanh {
    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        math::tanh(l, z)
    }
    #[inline(always)]
    fn active<L: Lanes>(self, _: L, _: L::F) -> u16 {
        u16::MAX
    }
    #[inline(always)]
    fn slope<L: Lanes>(self, l: L, y: L::F) -> L::F {
        l.sub(l.splat(1.0), l.mul(y, y))
    }
}

impl Unit for Identity {
    #[inline(always)]
    fn value<L: Lanes>(self, _: L, z: L::F) -> L::F {
        z
    }
    #[inline(always)]
    fn active<L: Lanes>(self, _: L, _: L::F) -> u16 {
        u16::MAX
    }
    #[inline(always)]
    fn slope<L: Lanes>(self, l: L, _: L::F) -> L::F {
        l.splat(1.0)
    }
    #[inline(always)]
    fn moments<L: Lanes>(self, l: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
        (mean, l.mul(deviation, deviation))
    }
}
