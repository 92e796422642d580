//! Schedules for the learning rate and the momentum.

mod display;
mod range;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

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
///
/// Schedules compose: a warm-up goes before any of them, and a sequence has several, one after the
/// other. A schedule inside another one counts t from its own first step.
///
/// ```
/// use thinnet::train::Schedule;
///
/// // 500 steps from 0 to 0.1, 1500 steps at 0.1, then half a cosine wave down to 0.
/// let cosine = Schedule::Cosine { from: 0.1, to: 0.0, steps: 8000 };
/// let rate = Schedule::sequence([(1500, Schedule::constant(0.1))], cosine).with_warm_up(0.0, 500);
/// assert_eq!([0, 250, 500, 1999, 2000, 10_000].map(|t| rate.at(t)), [0.0, 0.05, 0.1, 0.1, 0.1, 0.0]);
///
/// // The same in a settings file.
/// let text = r#"{
///     "kind": "warm_up", "from": 0.0, "steps": 500,
///     "then": {
///         "kind": "sequence",
///         "phases": [{ "steps": 1500, "schedule": { "kind": "constant", "value": 0.1 } }],
///         "then": { "kind": "cosine", "from": 0.1, "to": 0.0, "steps": 8000 }
///     }
/// }"#;
/// assert_eq!(serde_json::from_str::<Schedule>(text)?, rate);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// value
    Constant {
        /// The rate.
        value: f64,
    },
    /// from + (to - from) t / steps, and `to` from then on.
    Linear {
        /// The rate at step 0.
        from: f64,
        /// The rate from step `steps` on.
        to: f64,
        /// The number of steps from one to the other, at least one.
        steps: u64,
    },
    /// to + (from - to) (1 + cos(π t / steps)) / 2, and `to` from then on
    /// (Loshchilov and Hutter 2016, without restarts).
    Cosine {
        /// The rate at step 0.
        from: f64,
        /// The rate from step `steps` on.
        to: f64,
        /// The number of steps from one to the other, at least one.
        steps: u64,
    },
    /// from factor^(t / steps). With `steps` 1 it is PyTorch's `ExponentialLR`.
    Exponential {
        /// The rate at step 0.
        from: f64,
        /// What the rate is multiplied by in the course of `steps` steps: above 0 and at most 1.
        factor: f64,
        /// The number of steps that the factor is for, at least one.
        steps: u64,
    },
    /// from factor^floor(t / every), PyTorch's `StepLR`.
    StepDecay {
        /// The rate at step 0.
        from: f64,
        /// What the rate is multiplied by after every `every` steps: above 0 and at most 1.
        factor: f64,
        /// The number of steps at the same rate, at least one.
        every: u64,
    },
    /// `from` up to the first change, then the rate of the last change whose step was reached.
    PiecewiseConstant {
        /// The rate at step 0.
        from: f64,
        /// The changes, in ascending order of their steps.
        changes: Vec<RateChange>,
    },
    /// Half a cosine wave from `from` to `peak`, and another from there to `to`, which is reached at
    /// the last of the `steps` steps and kept from then on (Smith and Topin 2017). The formula is
    /// that of PyTorch's `OneCycleLR` with two phases: with a = rise steps - 1 and
    /// b = steps - 1, the rate is
    ///
    /// - peak + (from - peak) (1 + cos(π t / a)) / 2 where t <= a,
    /// - to + (peak - to) (1 + cos(π (t - a) / (b - a))) / 2 where a < t <= b.
    ///
    /// [`Schedule::one_cycle`] has PyTorch's defaults. PyTorch also cycles the momentum by default:
    /// that is the schedule from 0.95 to a "peak" of 0.85 and back to 0.95.
    OneCycle {
        /// The rate at step 0.
        from: f64,
        /// The rate at which the first wave ends and the second begins.
        peak: f64,
        /// The rate at the last step, and from then on.
        to: f64,
        /// The number of steps, at least two.
        steps: u64,
        /// The fraction of the steps that the first wave takes: the peak must come after the first
        /// step and before the last.
        rise: f64,
    },
    /// from / (1 + t / time): the learning rate in the authors' published code, where time is
    /// 10,000.
    InverseTime {
        /// The rate at step 0.
        from: f64,
        /// The number of steps after which the rate has halved.
        time: f64,
    },
    /// to - (to - from) e^(-t / time): the momentum in the authors' published code, which is
    /// 0.99 - 0.49 e^(-t / 100000).
    Saturating {
        /// The rate at step 0.
        from: f64,
        /// The rate in the limit.
        to: f64,
        /// The time constant: the number of steps in which it goes most of the way.
        time: f64,
    },
    /// A straight line from `from` to the first rate of `then`, and then `then`:
    /// from + (then(0) - from) t / steps where t < steps, and then(t - steps) from there on. There
    /// is no jump between them.
    WarmUp {
        /// The rate at step 0.
        from: f64,
        /// The number of steps of the warm-up, at least one.
        steps: u64,
        /// The schedule after the warm-up.
        then: Box<Schedule>,
    },
    /// Each phase for its number of steps, then `then`, as with PyTorch's `SequentialLR`. The rate
    /// jumps between two phases unless the next one begins where the last one ends.
    Sequence {
        /// The phases, in order.
        phases: Vec<Phase>,
        /// The schedule after the last phase.
        then: Box<Schedule>,
    },
}

/// A change of the rate in a [`Schedule::PiecewiseConstant`].
///
/// ```
/// use thinnet::train::{RateChange, Schedule};
///
/// let changes = vec![RateChange { step: 300, rate: 0.01 }, RateChange { step: 400, rate: 0.001 }];
/// let rate = Schedule::PiecewiseConstant { from: 0.1, changes };
/// assert_eq!([0, 299, 300, 400].map(|t| rate.at(t)), [0.1, 0.1, 0.01, 0.001]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateChange {
    /// The first step with the new rate, at least 1.
    pub step: u64,
    /// The new rate.
    pub rate: f64,
}

/// A phase of a [`Schedule::Sequence`].
///
/// ```
/// use thinnet::train::{Phase, Schedule};
///
/// let rising = Phase { steps: 10, schedule: Schedule::Linear { from: 0.0, to: 1.0, steps: 10 } };
/// let rate = Schedule::Sequence { phases: vec![rising], then: Schedule::constant(0.5).into() };
/// assert_eq!([0, 9, 10].map(|t| rate.at(t)), [0.0, 0.9, 0.5]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The number of its steps, at least one.
    pub steps: u64,
    /// The rates of these steps, of which the first has the number 0.
    pub schedule: Schedule,
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let schedule = Self::deserialize(deserializer)?;
        match schedule.range() {
            Ok(_) => Ok(schedule),
            Err(expected) => Err(D::Error::custom(Error::Schedule {
                what: "schedule",
                schedule: schedule.to_string(),
                expected,
            })),
        }
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// The part of the way from one number to another. In this form both ends are exact.
fn line(from: f64, to: f64, part: f64) -> f64 {
    from * (1.0 - part) + to * part
}

/// The part of half a cosine wave from one number to another.
fn half_wave(from: f64, to: f64, part: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * part))
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

    /// [`Schedule::OneCycle`] with the defaults of PyTorch's `OneCycleLR`: from peak / 25 up to
    /// `peak` in 0.3 of the steps, and down to peak / 250,000.
    pub const fn one_cycle(peak: f64, steps: u64) -> Self {
        let from = peak / 25.0;
        Self::OneCycle { from, peak, to: from / 1e4, steps, rise: 0.3 }
    }

    /// This schedule after a warm-up from `from` to its first rate: see [`Schedule::WarmUp`].
    #[must_use]
    pub fn with_warm_up(self, from: f64, steps: u64) -> Self {
        Self::WarmUp { from, steps, then: Box::new(self) }
    }

    /// Schedules for so many steps each, then another one: see [`Schedule::Sequence`].
    pub fn sequence(phases: impl IntoIterator<Item = (u64, Self)>, then: Self) -> Self {
        let phase = |(steps, schedule)| Phase { steps, schedule };
        Self::Sequence { phases: phases.into_iter().map(phase).collect(), then: Box::new(then) }
    }

    /// This schedule, begun at step `start`, and its first rate before that: for a run that goes on
    /// from another one ([`continue_from`](crate::train::TrainerBuilder::continue_from)).
    ///
    /// ```
    /// use thinnet::train::Schedule;
    ///
    /// let rate = Schedule::Linear { from: 0.25, to: 0.0, steps: 2 }.starting_at(1000);
    /// assert_eq!([999, 1000, 1001, 1002].map(|t| rate.at(t)), [0.25, 0.25, 0.125, 0.0]);
    /// ```
    #[must_use]
    pub fn starting_at(self, start: u64) -> Self {
        match start {
            0 => self,
            _ => Self::sequence([(start, Self::constant(self.at(0)))], self),
        }
    }

    /// The rate at step `t`.
    pub fn at(&self, t: u64) -> f64 {
        let part = |steps: u64| if t >= steps { 1.0 } else { t as f64 / steps as f64 };
        match *self {
            Self::Constant { value } => value,
            Self::Linear { from, to, steps } => line(from, to, part(steps)),
            Self::Cosine { from, to, steps } => half_wave(from, to, part(steps)),
            Self::Exponential { from, factor, steps } => {
                from * libm::pow(factor, t as f64 / steps as f64)
            }
            Self::StepDecay { from, factor, every } => {
                from * libm::pow(factor, (t / every.max(1)) as f64)
            }
            Self::PiecewiseConstant { from, ref changes } => {
                let reached = changes.partition_point(|change| change.step <= t);
                changes[..reached].last().map_or(from, |change| change.rate)
            }
            Self::OneCycle { from, peak, to, steps, rise } => {
                let (top, last) = one_cycle_ends(steps, rise);
                let t = (t as f64).min(last);
                if t <= top {
                    half_wave(from, peak, t / top)
                } else {
                    half_wave(peak, to, (t - top) / (last - top))
                }
            }
            Self::InverseTime { from, time } => from / (1.0 + t as f64 / time),
            Self::Saturating { from, to, time } => to - (to - from) * libm::exp(-(t as f64) / time),
            Self::WarmUp { from, steps, ref then } => match t.checked_sub(steps) {
                Some(t) => then.at(t),
                None => line(from, then.at(0), part(steps)),
            },
            Self::Sequence { ref phases, ref then } => {
                let mut t = t;
                for phase in phases {
                    match t.checked_sub(phase.steps) {
                        Some(rest) => t = rest,
                        None => return phase.schedule.at(t),
                    }
                }
                then.at(t)
            }
        }
    }
}

/// The steps, not always whole, at which the first and the second wave of a one-cycle end.
fn one_cycle_ends(steps: u64, rise: f64) -> (f64, f64) {
    (rise * steps as f64 - 1.0, steps as f64 - 1.0)
}

#[cfg(test)]
mod tests;
