//! The noise of a dropout site.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{error::Error, named::text_in_files, rate::Keep, sigma::Sigma};

/// The noise on the outputs of a layer, or on the input, in training: each unit's value y is
/// multiplied by a random number r with mean 1.
///
/// | | r | variance of r |
/// |---|---|---|
/// | `None` | 1 | 0 |
/// | `Bernoulli(p)` | 1/p with probability p, else 0: dropout | (1 - p) / p |
/// | `Gaussian(sigma)` | 1 + sigma z with z standard normal (section 10 of the paper) | sigma² |
///
/// As the mean of r is 1, nothing is scaled at test time. Gaussian noise leaves no unit out: a
/// training step skips only what ReLU or the data leave at zero, so it costs more than one with
/// dropout. The paper compares the two at equal variance, `Sigma::from(keep)`.
///
/// In settings files, noise is written as text: `none`, `bernoulli(0.8)` with the keep rate, or
/// `gaussian(0.5)` with sigma.
///
/// ```
/// use thinnet::{Keep, Noise, Sigma};
///
/// let noise = Noise::from(Keep::new(0.8)?);
/// assert_eq!(noise.to_string(), "bernoulli(0.8)");
/// assert_eq!(noise, "bernoulli(0.8)".parse()?);
/// assert_eq!(Noise::from(Keep::ONE), Noise::None);
/// let gaussian = Noise::from(Sigma::from(Keep::HALF));
/// assert_eq!(gaussian, "gaussian(1)".parse()?);
/// assert_eq!(gaussian.variance(), Noise::from(Keep::HALF).variance());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Noise {
    /// No noise. A network also uses this for a keep rate of 1 and for a sigma of 0.
    #[default]
    None,
    /// Dropout: keeps each unit with this probability.
    Bernoulli(Keep),
    /// Multiplies each unit by a number from N(1, sigma²).
    Gaussian(Sigma),
}

impl Noise {
    /// The probability that a unit stays: 1 for noise that drops no unit.
    pub fn keep(self) -> Keep {
        match self {
            Self::Bernoulli(keep) => keep,
            Self::None | Self::Gaussian(_) => Keep::ONE,
        }
    }

    /// Whether units can be dropped.
    pub fn drops(self) -> bool {
        self.keep().drops()
    }

    /// The variance of the number that a unit is multiplied by.
    pub fn variance(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Bernoulli(keep) => (1.0 - keep.get()) / keep.get(),
            Self::Gaussian(sigma) => f64::from(sigma.get()).powi(2),
        }
    }

    /// Whether each unit is multiplied by a number of its own, rather than kept or dropped.
    pub(crate) fn has_factors(self) -> bool {
        match self {
            Self::None | Self::Bernoulli(_) => false,
            Self::Gaussian(_) => true,
        }
    }

    /// Checks that the noise of all sites is dropout or none, for `what`.
    ///
    /// # Errors
    /// A site has other noise.
    pub(crate) fn ensure_dropout(
        what: &'static str,
        noises: impl IntoIterator<Item = Self>,
    ) -> Result<(), Error> {
        match noises.into_iter().enumerate().find(|(_, noise)| noise.has_factors()) {
            Some((site, noise)) => Err(Error::NotDropout { what, site, noise }),
            None => Ok(()),
        }
    }

    /// The same, or `None` if it has no effect.
    pub(crate) fn simplest(self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Bernoulli(keep) => keep.into(),
            Self::Gaussian(sigma) => sigma.into(),
        }
    }
}

impl From<Keep> for Noise {
    /// Dropout with this keep rate.
    fn from(keep: Keep) -> Self {
        if keep.drops() { Self::Bernoulli(keep) } else { Self::None }
    }
}

impl From<Sigma> for Noise {
    /// Gaussian noise with this standard deviation.
    fn from(sigma: Sigma) -> Self {
        if sigma == Sigma::ZERO { Self::None } else { Self::Gaussian(sigma) }
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Bernoulli(keep) => write!(f, "bernoulli({})", keep.decimal()),
            Self::Gaussian(sigma) => write!(f, "gaussian({sigma})"),
        }
    }
}

impl FromStr for Noise {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.strip_suffix(')').and_then(|text| text.split_once('('));
        match parts {
            Some(("bernoulli", keep)) => keep.parse::<Keep>().map(Self::from),
            Some(("gaussian", sigma)) => sigma.parse::<Sigma>().map(Self::from),
            None if text == "none" => Ok(Self::None),
            _ => Err(Error::UnknownName {
                what: "noise",
                name: text.to_owned(),
                expected: "none, bernoulli(KEEP), gaussian(SIGMA)",
            }),
        }
    }
}

text_in_files!(Noise);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_files_give_the_same_noise_back() {
        for k in [1, 21845, 32768, 52429, 65535, 65536] {
            let noise = Noise::from(Keep::from_k(k).unwrap());
            assert_eq!(noise.to_string().parse::<Noise>().unwrap(), noise);
            let json = serde_json::to_string(&noise).unwrap();
            assert_eq!(json, format!("\"{noise}\""));
            assert_eq!(serde_json::from_str::<Noise>(&json).unwrap(), noise);
        }
        for sigma in [0.1, 1.0 / 3.0, 1.0, 65536.0].map(|sigma| Sigma::new(sigma).unwrap()) {
            let noise = Noise::from(sigma);
            assert_eq!(noise.to_string().parse::<Noise>().unwrap(), noise);
            let json = serde_json::to_string(&noise).unwrap();
            assert_eq!(serde_json::from_str::<Noise>(&json).unwrap(), noise);
        }
        assert_eq!("gaussian(0)".parse::<Noise>().unwrap(), Noise::None);
        assert_eq!(Noise::Gaussian(Sigma::ZERO).simplest(), Noise::None);
        assert_eq!("bernoulli(1)".parse::<Noise>().unwrap(), Noise::None);
        assert_eq!(Noise::Bernoulli(Keep::ONE).simplest(), Noise::None);
        assert_eq!(Noise::None.to_string(), "none");
    }

    #[test]
    fn refuses_what_is_not_noise() {
        for (text, message) in [
            ("bernoulli(0)", "keep rate 0: expected a number above 0 and at most 1"),
            ("bernoulli()", "keep rate ``: expected a number above 0 and at most 1"),
            (
                "bernoulli",
                "noise `bernoulli`: expected one of none, bernoulli(KEEP), gaussian(SIGMA)",
            ),
            ("gaussian(-1)", "sigma -1: expected a number from 0 to 65536"),
            ("gaussian(x)", "sigma `x`: expected a number from 0 to 65536"),
            ("none(1)", "noise `none(1)`: expected one of none, bernoulli(KEEP), gaussian(SIGMA)"),
            ("", "noise ``: expected one of none, bernoulli(KEEP), gaussian(SIGMA)"),
        ] {
            assert_eq!(text.parse::<Noise>().unwrap_err().to_string(), message);
        }
    }
}
