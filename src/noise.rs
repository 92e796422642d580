//! The noise of a dropout site.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{error::Error, named::text_in_files, rate::Keep};

/// The noise on the outputs of a layer, or on the input, in training: each unit's value y is
/// multiplied by a random number r with mean 1.
///
/// | | r | variance of r |
/// |---|---|---|
/// | `None` | 1 | 0 |
/// | `Bernoulli(p)` | 1/p with probability p, else 0: dropout | (1 - p) / p |
///
/// In settings files, noise is written as text: `none`, or `bernoulli(0.8)` with the keep rate.
///
/// ```
/// use thinnet::{Keep, Noise};
///
/// let noise = Noise::from(Keep::new(0.8)?);
/// assert_eq!(noise.to_string(), "bernoulli(0.8)");
/// assert_eq!(noise, "bernoulli(0.8)".parse()?);
/// assert_eq!(Noise::from(Keep::ONE), Noise::None);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Noise {
    /// No noise. A network also uses this for a keep rate of 1.
    #[default]
    None,
    /// Dropout: keeps each unit with this probability.
    Bernoulli(Keep),
}

impl Noise {
    /// The probability that a unit stays: 1 for noise that drops no unit.
    pub fn keep(self) -> Keep {
        match self {
            Self::Bernoulli(keep) => keep,
            Self::None => Keep::ONE,
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
        }
    }

    /// The same, or `None` if it has no effect.
    pub(crate) fn simplest(self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Bernoulli(keep) => keep.into(),
        }
    }
}

impl From<Keep> for Noise {
    /// Dropout with this keep rate.
    fn from(keep: Keep) -> Self {
        if keep.drops() { Self::Bernoulli(keep) } else { Self::None }
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Bernoulli(keep) => write!(f, "bernoulli({})", keep.decimal()),
        }
    }
}

impl FromStr for Noise {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.strip_suffix(')').and_then(|text| text.split_once('('));
        match parts {
            Some(("bernoulli", keep)) => keep.parse::<Keep>().map(Self::from),
            None if text == "none" => Ok(Self::None),
            _ => Err(Error::UnknownName {
                what: "noise",
                name: text.to_owned(),
                expected: "none, bernoulli(KEEP)",
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
        assert_eq!("bernoulli(1)".parse::<Noise>().unwrap(), Noise::None);
        assert_eq!(Noise::Bernoulli(Keep::ONE).simplest(), Noise::None);
        assert_eq!(Noise::None.to_string(), "none");
    }

    #[test]
    fn refuses_what_is_not_noise() {
        for (text, message) in [
            ("bernoulli(0)", "keep rate 0: expected a number above 0 and at most 1"),
            ("bernoulli()", "keep rate ``: expected a number above 0 and at most 1"),
            ("bernoulli", "noise `bernoulli`: expected one of none, bernoulli(KEEP)"),
            ("none(1)", "noise `none(1)`: expected one of none, bernoulli(KEEP)"),
            ("", "noise ``: expected one of none, bernoulli(KEEP)"),
        ] {
            assert_eq!(text.parse::<Noise>().unwrap_err().to_string(), message);
        }
    }
}
