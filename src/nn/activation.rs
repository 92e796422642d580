//! Activations, with each unit's forward and backward formulas side by side.

mod normal;

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    named::{from_name, names},
    simd::{Lanes, math},
    thin::Unit,
};
use normal::{Rectified, rectified, squashed};

/// The non-linearity of a hidden layer, y = f(z).
///
/// | | f(z) | f'(z) | active |
/// |---|---|---|---|
/// | `Relu` | max(0, z) | 1 if z > 0 | z > 0, or NaN |
/// | `LeakyRelu(a)` | z if z >= 0, else a z | 1 if z > 0, else a | every kept unit |
/// | `Logistic` | 1 / (1 + e^-z) | y (1 - y) | every kept unit |
/// | `Tanh` | tanh z | 1 - y² | every kept unit |
/// | `Identity` | z | 1 | every kept unit |
///
/// In files and on the command line, an activation is written as its name. `leaky_relu(0.2)`
/// includes the slope; without one, the slope is PyTorch's default, 0.01.
///
/// ```
/// use thinnet::nn::{Activation, NegativeSlope};
///
/// assert_eq!("tanh".parse::<Activation>()?, Activation::Tanh);
/// let leaky = Activation::LeakyRelu(NegativeSlope::new(0.2)?);
/// assert_eq!("leaky_relu(0.2)".parse::<Activation>()?, leaky);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Activation {
    /// max(0, z)
    Relu,
    /// z, or the slope times z if z is below 0 (Maas, Hannun and Ng 2013).
    LeakyRelu(NegativeSlope),
    /// 1 / (1 + e^-z)
    Logistic,
    /// tanh z
    Tanh,
    /// z
    Identity,
}

/// The slope of [`Activation::LeakyRelu`] for negative z, which is positive and finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NegativeSlope(f32);

// The slope is never NaN.
impl Eq for NegativeSlope {}

impl Hash for NegativeSlope {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl NegativeSlope {
    /// PyTorch's default, 0.01.
    pub const DEFAULT: Self = Self(0.01);

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
    pub fn new(slope: f32) -> Result<Self, Error> {
        if slope > 0.0 && slope.is_finite() {
            return Ok(Self(slope));
        }
        Err(Error::NegativeSlope { slope: slope.to_string(), expected: "a finite number above 0" })
    }

    /// The slope as a number.
    pub const fn get(self) -> f32 {
        self.0
    }
}

names! {
    /// All activations, with the leaky ReLU at its default slope.
    ALL of Activation;
    /// The name without the slope.
    name;
    Relu => "relu",
    LeakyRelu(NegativeSlope::DEFAULT) => "leaky_relu" also "leaky_relu(SLOPE)",
    Logistic => "logistic",
    Tanh => "tanh",
    Identity => "identity",
}
from_name!(Activation, "activation");

impl Activation {
    /// f(z) in f64: the formula itself, and the reference for the vector code.
    pub fn value(self, z: f64) -> f64 {
        match self {
            // Unlike f64::max, this propagates NaN.
            Self::Relu => {
                if z < 0.0 {
                    0.0
                } else {
                    z
                }
            }
            Self::LeakyRelu(NegativeSlope(slope)) => {
                if z < 0.0 {
                    f64::from(slope) * z
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

/// Code that is generic over the unit of an activation known only at run time.
pub(crate) trait UnitVisitor {
    /// The return type.
    type Output;
    /// Runs the code with this unit.
    fn visit<U: Unit>(self, unit: U) -> Self::Output;
}

impl Activation {
    /// Runs `visitor` with this activation's unit.
    pub(crate) fn dispatch<W: UnitVisitor>(self, visitor: W) -> W::Output {
        match self {
            Self::Relu => visitor.visit(Relu),
            Self::LeakyRelu(NegativeSlope(slope)) => visitor.visit(LeakyRelu { slope }),
            Self::Logistic => visitor.visit(Logistic),
            Self::Tanh => visitor.visit(Tanh),
            Self::Identity => visitor.visit(Identity),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeakyRelu(NegativeSlope(slope)) => write!(f, "{}({slope})", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

impl From<Activation> for String {
    fn from(activation: Activation) -> Self {
        activation.to_string()
    }
}

impl TryFrom<String> for Activation {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let slope = name.strip_prefix("leaky_relu(").and_then(|rest| rest.strip_suffix(')'));
        if let Some((text, slope)) = slope.and_then(|text| Some((text, text.parse().ok()?))) {
            // The error quotes the text as written: as an f32, 1e39 is infinite and 1e-50 is 0.
            let expected = "a number above 0 that single precision can hold";
            let refused = |_| Error::NegativeSlope { slope: text.to_owned(), expected };
            return NegativeSlope::new(slope).map(Self::LeakyRelu).map_err(refused);
        }
        Self::from_name(name)
    }
}

/// [`Activation::Relu`]
#[derive(Clone, Copy)]
struct Relu;
/// [`Activation::LeakyRelu`]
#[derive(Clone, Copy)]
struct LeakyRelu {
    slope: f32,
}
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
        // Called for active units only.
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
    #[inline(always)]
    fn moments<L: Lanes>(self, l: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
        let Rectified { mean, part, .. } = rectified(l, mean, deviation);
        (mean, l.mul(deviation, l.sqrt(part)))
    }
}

impl Unit for LeakyRelu {
    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        l.select(l.less(z, l.splat(0.0)), l.mul(l.splat(self.slope), z), z)
    }
    #[inline(always)]
    fn slope<L: Lanes>(self, l: L, y: L::F) -> L::F {
        // y has the same sign as z; the slope at 0 is as in PyTorch.
        l.select(l.less(l.splat(0.0), y), l.splat(1.0), l.splat(self.slope))
    }
    /// With r = max(0, z), f(z) = a z + (1 - a) r, and Cov(z, r) = s² Φ(m / s) by Stein's lemma.
    #[inline(always)]
    fn moments<L: Lanes>(self, l: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
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

impl Unit for Logistic {
    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        math::logistic(l, z)
    }
    #[inline(always)]
    fn slope<L: Lanes>(self, l: L, y: L::F) -> L::F {
        l.mul(y, l.sub(l.splat(1.0), y))
    }
    #[inline(always)]
    fn moments<L: Lanes>(self, l: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
        squashed(l, self, 1.0, mean, deviation)
    }
}

impl Unit for Tanh {
    #[inline(always)]
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        math::tanh(l, z)
    }
    #[inline(always)]
    fn slope<L: Lanes>(self, l: L, y: L::F) -> L::F {
        l.sub(l.splat(1.0), l.mul(y, y))
    }
    /// tanh z = 2 logistic(2 z) - 1.
    #[inline(always)]
    fn moments<L: Lanes>(self, l: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
        squashed(l, self, 2.0, mean, deviation)
    }
}

impl Unit for Identity {
    #[inline(always)]
    fn value<L: Lanes>(self, _: L, z: L::F) -> L::F {
        z
    }
    #[inline(always)]
    fn slope<L: Lanes>(self, l: L, _: L::F) -> L::F {
        l.splat(1.0)
    }
    #[inline(always)]
    fn moments<L: Lanes>(self, _: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
        (mean, deviation)
    }
}
