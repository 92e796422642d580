//! The learning rate in force, which may be another than the schedule's.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{Optimiser, Schedule};
use crate::error::Error;

/// Where the learning rate of a step comes from. It is part of a trainer's state: see
/// [`Trainer::scale_learning_rate`](crate::train::Trainer::scale_learning_rate) and
/// [`Trainer::set_learning_rate`](crate::train::Trainer::set_learning_rate). By default it is the
/// optimiser's schedule as it stands.
///
/// ```
/// use thinnet::train::LearningRate;
///
/// assert_eq!(LearningRate::default(), LearningRate::Scaled { factor: 1.0 });
/// let scaled = LearningRate::Scaled { factor: 0.1 };
/// assert_eq!(scaled.to_string(), "0.1 times the schedule's");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
#[non_exhaustive]
pub enum LearningRate {
    /// factor times the rate of the optimiser's schedule.
    Scaled {
        /// The factor: finite and at least 0.
        #[serde(deserialize_with = "factor")]
        factor: f64,
    },
    /// The same rate at every step.
    Fixed {
        /// The rate: finite and at least 0.
        #[serde(deserialize_with = "rate")]
        rate: f64,
    },
}

impl Default for LearningRate {
    fn default() -> Self {
        Self::Scaled { factor: 1.0 }
    }
}

/// For example, `0.1 times the schedule's`.
impl fmt::Display for LearningRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:?}` prints 1e30 as it is rather than as 31 digits.
        match self {
            Self::Scaled { factor } => write!(f, "{factor:?} times the schedule's"),
            Self::Fixed { rate } => write!(f, "{rate:?} at every step"),
        }
    }
}

fn check(what: &'static str, value: f64) -> Result<f64, Error> {
    let expected = "a finite number of at least 0";
    let fits = value.is_finite() && value >= 0.0;
    fits.then_some(value).ok_or(Error::OutOfRange { what, value, expected })
}

fn check_factor(factor: f64) -> Result<f64, Error> {
    check("factor of the learning rate", factor)
}

fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check_factor(f64::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check("learning rate", f64::deserialize(deserializer)?).map_err(D::Error::custom)
}

impl LearningRate {
    /// Whether it is the schedule's.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The rate of step `t`, counted from 0, with this schedule.
    pub fn at(self, schedule: &Schedule, t: u64) -> f64 {
        match self {
            Self::Scaled { factor } => factor * schedule.at(t),
            Self::Fixed { rate } => rate,
        }
    }

    /// The same, with every rate multiplied by `by`.
    ///
    /// # Errors
    /// `by` is not finite or negative, or the product is not finite.
    pub(crate) fn times(self, by: f64) -> Result<Self, Error> {
        check_factor(by)?;
        Ok(match self {
            Self::Scaled { factor } => Self::Scaled { factor: check_factor(factor * by)? },
            Self::Fixed { rate } => Self::Fixed { rate: rate * by },
        })
    }

    /// Checks that training with this optimiser can use it at every step.
    pub(crate) fn check(self, optimiser: &Optimiser) -> Result<(), Error> {
        match self {
            Self::Scaled { factor } => {
                let (_, high) = optimiser.learning_rate().range().unwrap_or_default();
                optimiser.check_rate(check_factor(factor)? * high)
            }
            Self::Fixed { rate } => optimiser.check_rate(rate),
        }
    }
}
