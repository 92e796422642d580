//! Activations. Each unit is a file, with its forward and backward formulas side by side.

mod identity;
mod leaky_relu;
mod logistic;
mod normal;
mod relu;
mod silu;
mod tanh;

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    named::{from_name, names},
    thin::Unit,
};
use identity::Identity;
use leaky_relu::LeakyRelu;
use logistic::Logistic;
use relu::Relu;
use silu::Silu;
use tanh::Tanh;

/// The non-linearity of a hidden layer, y = f(z).
///
/// | | f(z) | f'(z) | active |
/// |---|---|---|---|
/// | `Relu` | max(0, z) | 1 if z > 0 | z > 0, or NaN |
/// | `LeakyRelu(a)` | z if z >= 0, else a z | 1 if z > 0, else a | every kept unit |
/// | `Logistic` | 1 / (1 + e^-z) | y (1 - y) | every kept unit |
/// | `Tanh` | tanh z | 1 - y² | every kept unit |
/// | `Identity` | z | 1 | every kept unit |
/// | `Silu` | z s, with s = 1 / (1 + e^-z) | s + z s (1 - s) | every kept unit |
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
    /// z / (1 + e^-z), also called Swish (Ramachandran, Zoph and Le 2017).
    Silu,
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
    Silu => "silu",
}
from_name!(Activation, "activation");

impl Activation {
    /// f(z) in f64: the formula itself, and the reference for the vector code.
    ///
    /// ```
    /// use thinnet::nn::Activation;
    ///
    /// assert_eq!(Activation::Relu.value(-2.0), 0.0);
    /// ```
    pub fn value(self, z: f64) -> f64 {
        self.dispatch(Value(z))
    }

    /// f'(z) in f64, as in the table above; the reference for the vector code.
    ///
    /// ```
    /// use thinnet::nn::Activation;
    ///
    /// assert_eq!(Activation::Relu.derivative(-2.0), 0.0);
    /// assert_eq!(Activation::Logistic.derivative(0.0), 0.25);
    /// ```
    pub fn derivative(self, z: f64) -> f64 {
        self.dispatch(Derivative(z))
    }
}

/// [`Activation::value`] as a visitor of the unit.
struct Value(f64);

impl UnitVisitor for Value {
    type Output = f64;

    fn visit<U: Unit>(self, unit: U) -> f64 {
        unit.plain_value(self.0)
    }
}

/// [`Activation::derivative`] as a visitor of the unit.
struct Derivative(f64);

impl UnitVisitor for Derivative {
    type Output = f64;

    fn visit<U: Unit>(self, unit: U) -> f64 {
        unit.plain_derivative(self.0)
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
            Self::Silu => visitor.visit(Silu),
        }
    }
}

/// 1 / (1 + e^-z) in f64.
fn plain_logistic(z: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-z))
}

/// z times a factor that vanishes faster than z grows: 0 where the factor is, even if z is infinite.
fn plain_product(z: f64, factor: f64) -> f64 {
    if factor == 0.0 { 0.0 } else { z * factor }
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
