//! The keep rate: the paper's p.

use std::{fmt, str::FromStr};

use serde::de::Error as _;

use crate::error::Error;

/// The probability that a unit **stays**: the paper's p, so
/// `0 < keep <= 1`.
///
/// It is stored as `k / 65536` with `k = round(65536 keep)`. Scaling uses the stored
/// rate, so that in exact arithmetic the expectation of a dropped-out and rescaled
/// activation equals its input.
///
/// In text, and therefore in settings files, it is a decimal number: `"0.8".parse()` and
/// serde accept any rate that [`Keep::new`] accepts, and serde writes the shortest number
/// that reads back as this rate, with at most five decimals. Model files hold k.
///
/// Most libraries take the *drop* probability instead: PyTorch's `Dropout(0.2)` is
/// `Keep::from_drop(0.2)`.
///
/// ```
/// use thinnet::Keep;
///
/// let keep = Keep::new(0.8)?;
/// assert_eq!(keep.k(), 52429);
/// assert_eq!(keep, Keep::from_drop(0.2)?);
/// assert_eq!(keep, "0.8".parse()?);
/// assert_eq!(Keep::HALF.scale(), 2.0);
/// assert!(Keep::new(0.0).is_err());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keep {
    k: u32,
}

impl Keep {
    /// The denominator of the stored rate.
    pub const ONE_K: u32 = 1 << 16;
    /// Every unit stays: no dropout.
    pub const ONE: Self = Self { k: Self::ONE_K };
    /// Each unit stays with probability 0.5, the paper's usual hidden rate.
    pub const HALF: Self = Self { k: Self::ONE_K / 2 };

    /// The representable rate nearest to `keep`.
    ///
    /// # Errors
    /// `keep` is 0, negative, NaN or above 1; or it is so close to 0 that it rounds to
    /// 0, or below 1 but rounds to 1.
    pub fn new(keep: f64) -> Result<Self, Error> {
        if !(keep > 0.0 && keep <= 1.0) {
            return Err(Error::KeepOutOfRange { value: keep });
        }
        // Within 0..=65536, so the cast is exact.
        let k = (keep * f64::from(Self::ONE_K)).round() as u32;
        if k == 0 || (k == Self::ONE_K && keep < 1.0) {
            return Err(Error::KeepNotRepresentable { value: keep, rounded: k });
        }
        Ok(Self { k })
    }

    /// The keep rate for a drop probability, as most libraries take it.
    ///
    /// # Errors
    /// `drop` is below 0, not below 1, or NaN; or it is not 0 but so close to 0 or 1
    /// that it rounds to it.
    pub fn from_drop(drop: f64) -> Result<Self, Error> {
        let refused = || Error::DropRate { value: drop };
        if !(0.0..1.0).contains(&drop) {
            return Err(refused());
        }
        match Self::new(1.0 - drop) {
            Ok(keep) if keep.drops() == (drop > 0.0) => Ok(keep),
            _ => Err(refused()),
        }
    }

    /// The rate `k / 65536`, as files store it.
    ///
    /// # Errors
    /// `k` is 0 or greater than 65536.
    pub fn from_k(k: u32) -> Result<Self, Error> {
        if k == 0 || k > Self::ONE_K {
            return Err(Error::KeepNumerator { k });
        }
        Ok(Self { k })
    }

    /// The stored numerator k, from 1 to 65536.
    pub const fn k(self) -> u32 {
        self.k
    }

    /// The stored rate k / 65536.
    pub fn get(self) -> f64 {
        f64::from(self.k) / f64::from(Self::ONE_K)
    }

    /// The scale factor of inverted dropout, 65536 / k, rounded once to f32.
    pub fn scale(self) -> f32 {
        (f64::from(Self::ONE_K) / f64::from(self.k)) as f32
    }

    /// The number with the fewest decimals that is stored as this rate.
    pub(crate) fn decimal(self) -> f64 {
        shortest(self.get(), |keep| Self::new(keep).ok() == Some(self))
    }

    /// The drop rate with the fewest decimals that is stored as this rate.
    pub(crate) fn drop_decimal(self) -> f64 {
        shortest(1.0 - self.get(), |drop| Self::from_drop(drop).ok() == Some(self))
    }

    /// Whether units can be dropped at all, that is, whether the rate is below 1.
    pub const fn drops(self) -> bool {
        self.k < Self::ONE_K
    }
}

/// `rate`, rounded to the fewest decimals (at least one) for which `is_it` is true.
fn shortest(rate: f64, is_it: impl Fn(f64) -> bool) -> f64 {
    // With five decimals the error is less than half of 1/65536.
    (1..=5)
        .filter_map(|digits| format!("{rate:.digits$}").parse().ok())
        .find(|&rounded| is_it(rounded))
        .unwrap_or(rate)
}

impl TryFrom<f64> for Keep {
    type Error = Error;

    /// Same as [`Keep::new`].
    fn try_from(keep: f64) -> Result<Self, Error> {
        Self::new(keep)
    }
}

impl FromStr for Keep {
    type Err = Error;

    /// Parses a decimal number that [`Keep::new`] accepts.
    fn from_str(text: &str) -> Result<Self, Error> {
        let keep = text.parse().map_err(|_| Error::KeepText { text: text.to_owned() })?;
        Self::new(keep)
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} ({}/65536)", self.get(), self.k)
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keep({}/65536)", self.k)
    }
}

impl serde::Serialize for Keep {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.decimal())
    }
}

impl<'de> serde::Deserialize<'de> for Keep {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_a_keep_rate() {
        for value in [0.0, -0.0, -0.5, 1.0000001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let message = Keep::new(value).unwrap_err().to_string();
            assert!(message.contains(&format!("{value}")), "{message}");
        }
        assert!(matches!(Keep::new(1e-9), Err(Error::KeepNotRepresentable { rounded: 0, .. })));
        assert!(matches!(
            Keep::new(1.0 - 1e-9),
            Err(Error::KeepNotRepresentable { rounded: 65536, .. })
        ));
        for value in [-0.1, 1.0, 1.5, 1e-17, 1.0 - 1e-9, f64::NAN] {
            let message = Keep::from_drop(value).unwrap_err().to_string();
            assert!(message.contains(&format!("drop rate {value}")), "{message}");
        }
        assert_eq!(Keep::from_drop(0.0).unwrap(), Keep::ONE);
        assert!(Keep::from_k(0).is_err() && Keep::from_k(65537).is_err());
    }

    #[test]
    fn every_rate_comes_back_from_its_shortest_text() {
        for (k, text) in
            [(52429, "0.8"), (32768, "0.5"), (21845, "0.33333"), (65536, "1"), (1, "0.00002")]
        {
            assert_eq!(Keep::from_k(k).unwrap().decimal().to_string(), text);
        }
        let digits =
            |rate: f64| rate.to_string().split_once('.').map_or(0, |(_, digits)| digits.len());
        for k in 1..=Keep::ONE_K {
            let keep = Keep::from_k(k).unwrap();
            assert_eq!(keep.decimal().to_string().parse::<Keep>().unwrap(), keep);
            assert_eq!(Keep::from_drop(keep.drop_decimal()).unwrap(), keep);
            assert!(digits(keep.decimal()) <= 5 && digits(keep.drop_decimal()) <= 5, "{keep}");
        }
        for text in ["half", "", "1/2", "0,5"] {
            let message = text.parse::<Keep>().unwrap_err().to_string();
            assert_eq!(
                message,
                format!("keep rate `{text}`: expected a number above 0 and at most 1")
            );
        }
        for text in ["NaN", "0", "1.5", "0.0000001"] {
            let message = text.parse::<Keep>().unwrap_err().to_string();
            assert_eq!(
                message,
                Keep::try_from(text.parse::<f64>().unwrap()).unwrap_err().to_string()
            );
        }
    }

    #[test]
    fn stores_the_nearest_rate_and_scales_by_it() {
        for k in [1, 2, 655, 32768, 52429, 65535, 65536] {
            let keep = Keep::from_k(k).unwrap();
            assert_eq!(Keep::new(keep.get()).unwrap(), keep);
            assert!((f64::from(keep.scale()) * keep.get() - 1.0).abs() < 1e-7);
        }
    }
}
