//! Activations. Each unit is a file, with its forward and backward formulas side by side, and a
//! line in the list below.

mod elu;
mod gelu;
mod gelu_tanh;
mod identity;
mod leaky_relu;
mod logistic;
mod normal;
mod relu;
mod silu;
mod softplus;
mod tanh;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::units::units;
use crate::{
    named::{from_name, text_in_files},
    thin::Unit,
};
pub use elu::EluAlpha;
pub(super) use identity::Identity;
pub use leaky_relu::NegativeSlope;

units! {
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
    /// | `Gelu` | z Φ(z) | Φ(z) + z φ(z) | every kept unit |
    /// | `GeluTanh` | z s, with s = 1 / (1 + e^-u), u = c z + d z³ | s + z (c + 3 d z²) s (1 - s) | every kept unit |
    /// | `Elu(a)` | z if z >= 0, else a (e^z - 1) | 1 if z > 0, else a e^z | every kept unit |
    /// | `Softplus` | ln(1 + e^z) | 1 / (1 + e^-z) | every kept unit |
    ///
    /// φ is the standard normal density and Φ its integral, Φ(z) = (1 + erf(z / sqrt 2)) / 2, which
    /// is computed to within 8 units in the last place. c = 2 sqrt(2 / pi) and d = 0.044715 c.
    ///
    /// In files and on the command line, an activation is written as its name. `leaky_relu(0.2)`
    /// includes the slope, `elu(0.5)` alpha; without them, they are PyTorch's defaults, 0.01 and 1.
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
        Relu = "relu" in relu,
        /// z, or the slope times z if z is below 0 (Maas, Hannun and Ng 2013).
        LeakyRelu(slope: NegativeSlope) = "leaky_relu" also "leaky_relu(SLOPE)" in leaky_relu,
        /// 1 / (1 + e^-z)
        Logistic = "logistic" in logistic,
        /// tanh z
        Tanh = "tanh" in tanh,
        /// z
        Identity = "identity" in identity,
        /// z / (1 + e^-z), also called Swish (Ramachandran, Zoph and Le 2017).
        Silu = "silu" in silu,
        /// z Φ(z) (Hendrycks and Gimpel 2016).
        Gelu = "gelu" in gelu,
        /// z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z³))) / 2: PyTorch's `GELU(approximate="tanh")`.
        GeluTanh = "gelu_tanh" in gelu_tanh,
        /// z, or alpha times e^z - 1 if z is below 0 (Clevert, Unterthiner and Hochreiter 2015).
        /// [`Predictor::moments`](crate::predict::Predictor::moments) refuses an alpha above 1e18.
        Elu(alpha: EluAlpha) = "elu" also "elu(ALPHA)" in elu,
        /// ln(1 + e^z). PyTorch returns z above its `threshold` of 20, which is the same in f32.
        Softplus = "softplus" in softplus,
    }

    /// All activations, with leaky ReLU and ELU at their defaults.
    ALL;

    /// Code that is generic over the unit of an activation known only at run time.
    pub(crate) trait UnitVisitor of Unit;
}
from_name!(Activation, "activation");
text_in_files!(Activation);

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

/// 1 / (1 + e^-z) in f64.
fn plain_logistic(z: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-z))
}

/// z times a factor that vanishes faster than z grows: 0 where the factor is, even if z is infinite.
fn plain_product(z: f64, factor: f64) -> f64 {
    if factor == 0.0 { 0.0 } else { z * factor }
}
