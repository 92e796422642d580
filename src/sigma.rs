//! The standard deviation of Gaussian noise.

use std::{fmt, str::FromStr};

use serde::de::Error as _;

use crate::{error::Error, rate::Keep};

/// The standard deviation of multiplicative Gaussian noise: a unit is multiplied by a number
/// from N(1, sigma²) (section 10 of the paper).
///
/// `Sigma::from(keep)` gives the noise the variance of dropout in the inverted form with that
/// keep rate p: sigma = sqrt((1 - p) / p). The paper compares dropout with p = 0.5 and
/// sigma = 1.
///
/// ```
/// use thinnet::{Keep, Sigma};
///
/// assert_eq!(Sigma::from(Keep::HALF), Sigma::new(1.0)?);
/// assert_eq!(Sigma::from(Keep::ONE), Sigma::ZERO);
/// assert!(Sigma::new(-0.5).is_err());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Sigma(f32);

impl Sigma {
    /// No noise.
    pub const ZERO: Self = Self(0.0);
    /// The largest standard deviation, 65536; any noise of use is far below it.
    pub const MAX: Self = Self(65536.0);

    /// A standard deviation, rounded to f32.
    ///
    /// # Errors
    /// `sigma` is NaN, or outside 0 to [`Sigma::MAX`].
    pub fn new(sigma: f64) -> Result<Self, Error> {
        if !(0.0..=f64::from(Self::MAX.0)).contains(&sigma) {
            return Err(Error::Sigma { value: sigma });
        }
        // `abs` turns -0 into 0.
        Ok(Self(sigma.abs() as f32))
    }

    /// The standard deviation.
    pub const fn get(self) -> f32 {
        self.0
    }
}

impl From<Keep> for Sigma {
    /// sqrt((1 - p) / p)
    fn from(keep: Keep) -> Self {
        let p = keep.get();
        Self(libm::sqrt((1.0 - p) / p) as f32)
    }
}

impl TryFrom<f64> for Sigma {
    type Error = Error;

    /// Same as [`Sigma::new`].
    fn try_from(sigma: f64) -> Result<Self, Error> {
        Self::new(sigma)
    }
}

impl FromStr for Sigma {
    type Err = Error;

    /// Parses a decimal number that [`Sigma::new`] accepts.
    fn from_str(text: &str) -> Result<Self, Error> {
        let sigma = text.parse().map_err(|_| Error::SigmaText { text: text.to_owned() })?;
        Self::new(sigma)
    }
}

impl fmt::Display for Sigma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl serde::Serialize for Sigma {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f32(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Sigma {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_a_standard_deviation() {
        for value in [-0.1, 65536.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(matches!(Sigma::new(value), Err(Error::Sigma { .. })), "{value}");
        }
        for text in ["", "x", "1,5", "nan", "-1"] {
            let error = text.parse::<Sigma>().unwrap_err();
            assert!(error.to_string().contains("expected a number from 0 to 65536"), "{error}");
        }
        assert_eq!(Sigma::new(-0.0).unwrap().get().to_bits(), 0);
        assert_eq!("0.5".parse::<Sigma>().unwrap().get(), 0.5);
    }

    #[test]
    fn a_keep_rate_gives_the_variance_of_inverted_dropout() {
        for k in [1, 13107, 32768, 52429, 65535, 65536] {
            let keep = Keep::from_k(k).unwrap();
            // r / p is 1 / p with probability p: its variance is p / p² - 1.
            let variance = 1.0 / keep.get() - 1.0;
            let sigma = f64::from(Sigma::from(keep).get());
            assert!((sigma * sigma - variance).abs() <= 2.0 * f64::from(f32::EPSILON) * variance);
        }
    }

    #[test]
    fn text_and_files_give_the_same_number_back() {
        for sigma in [0.0, 0.1, 1.0 / 3.0, 1.0, 65536.0].map(|x| Sigma::new(x).unwrap()) {
            assert_eq!(sigma.to_string().parse::<Sigma>().unwrap(), sigma);
            let json = serde_json::to_string(&sigma).unwrap();
            assert_eq!(serde_json::from_str::<Sigma>(&json).unwrap(), sigma);
        }
        assert!(serde_json::from_str::<Sigma>("-1").is_err());
    }
}
