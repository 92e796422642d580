//! Schedules for the learning rate and the momentum.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::error::Error;

/// A rate as a function of the step t, counted from 0.
///
/// ```
/// use thinnet::train::Schedule;
///
/// let falling = Schedule::Linear { from: 0.1, to: 0.0, steps: 100 };
/// assert_eq!(falling.at(0), 0.1);
/// assert!((falling.at(50) - 0.05).abs() < 1e-9);
/// assert_eq!(falling.at(1000), 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// value
    Constant {
        /// The rate.
        #[serde(deserialize_with = "rate")]
        value: f64,
    },
    /// from + (to - from) t / steps, and `to` from then on.
    Linear {
        /// The rate at step 0.
        #[serde(deserialize_with = "rate")]
        from: f64,
        /// The rate from step `steps` on.
        #[serde(deserialize_with = "rate")]
        to: f64,
        /// The number of steps from one to the other, at least one.
        #[serde(deserialize_with = "steps")]
        steps: u64,
    },
    /// to + (from - to) (1 + cos(π t / steps)) / 2, and `to` from then on
    /// (Loshchilov and Hutter 2016, without restarts).
    Cosine {
        /// The rate at step 0.
        #[serde(deserialize_with = "rate")]
        from: f64,
        /// The rate from step `steps` on.
        #[serde(deserialize_with = "rate")]
        to: f64,
        /// The number of steps from one to the other, at least one.
        #[serde(deserialize_with = "steps")]
        steps: u64,
    },
    /// from / (1 + t / time): the learning rate in the authors' published code, where time is
    /// 10,000.
    InverseTime {
        /// The rate at step 0.
        #[serde(deserialize_with = "rate")]
        from: f64,
        /// The number of steps after which the rate has halved.
        #[serde(deserialize_with = "time")]
        time: f64,
    },
    /// to - (to - from) e^(-t / time): the momentum in the authors' published code, which is
    /// 0.99 - 0.49 e^(-t / 100000).
    Saturating {
        /// The rate at step 0.
        #[serde(deserialize_with = "rate")]
        from: f64,
        /// The rate in the limit.
        #[serde(deserialize_with = "rate")]
        to: f64,
        /// The time constant: the number of steps in which it goes most of the way.
        #[serde(deserialize_with = "time")]
        time: f64,
    },
}

/// The requirement that an invalid parameter violates.
type Expected = &'static str;

fn check_rate(rate: f64) -> Result<f64, Expected> {
    rate.is_finite().then_some(rate).ok_or("finite rates")
}

fn check_time(time: f64) -> Result<f64, Expected> {
    (time.is_finite() && time > 0.0).then_some(time).ok_or("a finite time above 0")
}

fn check_steps(steps: u64) -> Result<u64, Expected> {
    (steps > 0).then_some(steps).ok_or("at least one step")
}

/// Reads and checks a parameter from a settings file; the error names it.
fn checked<'de, D, T>(
    deserializer: D,
    check: fn(T) -> Result<T, Expected>,
    refuse: impl Fn(T, Expected) -> Error,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Copy,
{
    let value = T::deserialize(deserializer)?;
    check(value).map_err(|expected| D::Error::custom(refuse(value, expected)))
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let what = "rate of a schedule";
    checked(deserializer, check_rate, |value, expected| Error::OutOfRange { what, value, expected })
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let what = "time of a schedule";
    checked(deserializer, check_time, |value, expected| Error::OutOfRange { what, value, expected })
}

fn steps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let what = "steps of a schedule";
    checked(deserializer, check_steps, |_, expected| Error::Zero { what, expected })
}

/// For example, `0.1 to 0.0 in a straight line over 4690 steps`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:?}` prints 1e30 as it is rather than as 31 digits.
        match self {
            Self::Constant { value } => write!(f, "{value:?}"),
            Self::Linear { from, to, steps } => {
                write!(f, "{from:?} to {to:?} in a straight line over {steps} steps")
            }
            Self::Cosine { from, to, steps } => {
                write!(f, "{from:?} to {to:?} in half a cosine wave over {steps} steps")
            }
            Self::InverseTime { from, time } => {
                write!(f, "{from:?} / (1 + t / {time:?}) at step t")
            }
            Self::Saturating { from, to, time } => {
                write!(f, "{to:?} - ({to:?} - {from:?}) e^(-t / {time:?}) at step t")
            }
        }
    }
}

impl Schedule {
    /// The same rate at every step.
    pub const fn constant(value: f64) -> Self {
        Self::Constant { value }
    }

    /// The learning rate in the authors' published code, starting at `from` (theirs is 1.0, for the
    /// paper's form of the weights).
    pub const fn paper_learning_rate(from: f64) -> Self {
        Self::InverseTime { from, time: 1e4 }
    }

    /// The momentum in the authors' published code, from 0.5 to 0.99.
    pub const fn paper_momentum() -> Self {
        Self::Saturating { from: 0.5, to: 0.99, time: 1e5 }
    }

    /// The rate at step `t`.
    pub fn at(self, t: u64) -> f64 {
        let part = |steps: u64| if t >= steps { 1.0 } else { t as f64 / steps as f64 };
        match self {
            Self::Constant { value } => value,
            // In this form both ends are exact.
            Self::Linear { from, to, steps } => from * (1.0 - part(steps)) + to * part(steps),
            Self::Cosine { from, to, steps } => {
                let wave = libm::cos(std::f64::consts::PI * part(steps));
                to + (from - to) * 0.5 * (1.0 + wave)
            }
            Self::InverseTime { from, time } => from / (1.0 + t as f64 / time),
            Self::Saturating { from, to, time } => to - (to - from) * libm::exp(-(t as f64) / time),
        }
    }

    /// The smallest and the largest rate that the schedule can give.
    ///
    /// # Errors
    /// A parameter is invalid; the error is the requirement it violates.
    pub(super) fn range(self) -> Result<(f64, f64), Expected> {
        let (from, to) = match self {
            Self::Constant { value } => (value, value),
            Self::Linear { from, to, steps } | Self::Cosine { from, to, steps } => {
                check_steps(steps)?;
                (from, to)
            }
            Self::InverseTime { from, time } => {
                check_time(time)?;
                (from, 0.0)
            }
            Self::Saturating { from, to, time } => {
                check_time(time)?;
                (from, to)
            }
        };
        let (from, to) = (check_rate(from)?, check_rate(to)?);
        Ok((from.min(to), from.max(to)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_follow_their_formulas() {
        let linear = Schedule::Linear { from: 1.0, to: 0.2, steps: 10 };
        assert_eq!([0, 5, 10, 99].map(|t| linear.at(t)), [1.0, 0.6, 0.2, 0.2]);
        let cosine = Schedule::Cosine { from: 1.0, to: 0.0, steps: 10 };
        assert_eq!([cosine.at(0), cosine.at(10)], [1.0, 0.0]);
        assert!((cosine.at(5) - 0.5).abs() < 1e-15);
        assert_eq!(Schedule::paper_learning_rate(1.0).at(10_000), 0.5);
        let momentum = Schedule::paper_momentum();
        assert_eq!(momentum.at(0), 0.5);
        assert!((momentum.at(100_000) - (0.99 - 0.49 * (-1.0f64).exp())).abs() < 1e-15);
        assert_eq!(Schedule::Linear { from: 1.0, to: 0.5, steps: 1 }.at(1), 0.5);
    }
}
