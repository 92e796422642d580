//! Averages of the parameters over the steps of a run.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    checkpoint::{AVERAGING, TAIL_AVERAGING},
    error::Error,
};

/// An average of the parameters over the steps of a run, which often predicts better than the
/// parameters themselves: [`Trainer::averaged_network`](super::Trainer::averaged_network) returns
/// it. Training does not depend on it.
///
/// After an update that counts, with the parameters w as max-norm has projected them, the average is
///
/// - e <- e + r (w - e)
///
/// where r depends on k, the number of earlier updates that count. For k = 0, r is 1 and e a copy of
/// w, as in PyTorch's `torch.optim.swa_utils.AveragedModel`. All three are numbers of single precision.
///
/// In an exponential moving average, a change of less than 6e-8 of e is lost: e stays away from a
/// constant w by up to 6e-8 / r of it.
///
/// In a mean, r becomes so small that it would stop moving. So e has a second number per parameter,
/// for what its rounding leaves. Of n updates that count, with parameters of a size of at most M and at
/// most D apart, the mean has an error of at most 2^-24 (5 D + M (1 + n / 2^24)): even for 16 million,
/// that of a few roundings.
///
/// An exponential moving average takes 4 bytes per parameter, a mean 8, in checkpoints too. This memory
/// is read and written in every update that counts.
///
/// ```
/// use thinnet::{
///     data::Batch, nn::{Loss, Mlp, Targets}, tensor::MatrixView,
///     train::{Averaging, Schedule, Sgd, Trainer},
/// };
///
/// let mut mlp = Mlp::builder(1).output(1, Loss::SquaredError).build()?;
/// mlp.set_weights(0, &[0.0])?;
/// let sgd = Sgd::new(Schedule::constant(0.125));
/// let builder = Trainer::builder(mlp, sgd, 1).average(Averaging::exponential(0.75));
/// let mut trainer = builder.build()?;
/// let batch = Batch::dense(MatrixView::new(&[1.0], 1, 1)?);
/// let target = Targets::Values(MatrixView::new(&[4.0], 1, 1)?);
/// // The gradient is 2 (w + b - 4), so the weight becomes 1, then 1.5.
/// trainer.step(&batch, target)?;
/// trainer.step(&batch, target)?;
/// assert_eq!(trainer.network()?.weights(0)?, [1.5]);
/// assert_eq!(trainer.averaged_network()?.weights(0)?, [0.75 * 1.0 + 0.25 * 1.5]);
///
/// // The same as a settings file.
/// let text = r#"{ "kind": "exponential", "decay": 0.75 }"#;
/// assert_eq!(serde_json::from_str::<Averaging>(text).unwrap(), Averaging::exponential(0.75));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
#[non_exhaustive]
pub enum Averaging {
    /// An exponential moving average (EMA): r = 1 - decay. With warm-up, r is at least 9 / (10 + k),
    /// as in TensorFlow's `ExponentialMovingAverage` with `num_updates`, so that the first
    /// parameters are forgotten sooner.
    Exponential {
        /// The decay, from 0 to below 1.
        #[serde(deserialize_with = "decay")]
        decay: f64,
        /// Whether r is larger at first.
        #[serde(default)]
        warm_up: bool,
        /// How far apart the updates that count are: with 3, they are numbers 3, 6, 9 and so on.
        #[serde(default = "one", deserialize_with = "every")]
        every: u64,
    },
    /// The mean of the parameters over the tail of a run (Polyak and Juditsky 1992; stochastic weight
    /// averaging, Izmailov et al. 2018): r = 1 / (k + 1).
    Tail {
        /// The number of updates before the tail, none of which counts.
        #[serde(default)]
        from: u64,
        /// How far apart the updates that count are: with 3, they are numbers 3, 6, 9 and so on of
        /// the tail.
        #[serde(default = "one", deserialize_with = "every")]
        every: u64,
    },
}

fn one() -> u64 {
    1
}

fn check_decay(decay: f64) -> Result<f64, Error> {
    let expected = "a number of at least 0 and below 1";
    let fits = (0.0..1.0).contains(&decay);
    fits.then_some(decay).ok_or(Error::OutOfRange {
        what: "decay of the average",
        value: decay,
        expected,
    })
}

fn check_every(every: u64) -> Result<u64, Error> {
    let expected = "at least one";
    (every > 0).then_some(every).ok_or(Error::Zero { what: "updates per average", expected })
}

fn decay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check_decay(f64::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn every<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    check_every(u64::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// For example, `exponential with decay 0.999`.
impl fmt::Display for Averaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every = match *self {
            Self::Exponential { decay, warm_up, every } => {
                write!(f, "exponential with decay {decay:?}")?;
                if warm_up {
                    f.write_str(" and warm-up")?;
                }
                every
            }
            Self::Tail { from, every } => {
                write!(f, "mean after {from} updates")?;
                every
            }
        };
        if every == 1 { Ok(()) } else { write!(f, ", every {every} updates") }
    }
}

impl Averaging {
    /// An exponential moving average over all updates, without warm-up.
    pub const fn exponential(decay: f64) -> Self {
        Self::Exponential { decay, warm_up: false, every: 1 }
    }

    /// The mean of the parameters after each update but the first `from`.
    pub const fn tail(from: u64) -> Self {
        Self::Tail { from, every: 1 }
    }

    /// The name of its setting in checkpoints.
    pub(super) const fn setting(self) -> &'static str {
        match self {
            Self::Exponential { .. } => AVERAGING,
            Self::Tail { .. } => TAIL_AVERAGING,
        }
    }

    /// Whether it keeps what the rounding of the average leaves.
    pub(super) const fn keeps_rest(self) -> bool {
        matches!(self, Self::Tail { .. })
    }

    /// Checks that training can use it.
    pub(super) fn check(self) -> Result<(), Error> {
        match self {
            Self::Exponential { decay, every, .. } => {
                check_decay(decay)?;
                check_every(every)
            }
            Self::Tail { every, .. } => check_every(every),
        }
        .map(drop)
    }

    /// Of so many updates, how many count.
    pub(super) fn count(self, updates: u64) -> u64 {
        match self {
            Self::Exponential { every, .. } => updates / every,
            Self::Tail { from, every } => updates.saturating_sub(from) / every,
        }
    }

    /// r for the parameters after so many updates, and 0 if the last of them does not count.
    pub(super) fn rate(self, updates: u64) -> f32 {
        let count = self.count(updates);
        if updates == 0 || count == self.count(updates - 1) {
            return 0.0;
        }
        let k = (count - 1) as f64;
        let rate = match self {
            _ if count == 1 => 1.0,
            Self::Exponential { decay, warm_up: true, .. } => (1.0 - decay).max(9.0 / (10.0 + k)),
            Self::Exponential { decay, .. } => 1.0 - decay,
            Self::Tail { .. } => 1.0 / (k + 1.0),
        };
        rate as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_updates_that_count_get_their_share() {
        let rates = |average: Averaging| (0..9).map(move |updates| average.rate(updates));
        let all = [0.0, 1.0, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25];
        assert!(rates(Averaging::exponential(0.75)).eq(all));
        let third = Averaging::Exponential { decay: 0.75, warm_up: false, every: 3 };
        assert!(rates(third).eq([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.25, 0.0, 0.0]));
        let tail = Averaging::Tail { from: 3, every: 2 };
        assert!(rates(tail).eq([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.5, 0.0]));
        assert!(rates(Averaging::tail(6)).eq([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.5]));
        // TensorFlow's decay is min(decay, (1 + k) / (10 + k)).
        let warm = Averaging::Exponential { decay: 0.75, warm_up: true, every: 1 };
        assert_eq!(warm.rate(2), 1.0 - 2.0 / 11.0);
        assert_eq!(warm.rate(1 << 20), 0.25);
        for average in [third, tail, warm, Averaging::tail(6)] {
            let counted = rates(average).filter(|&rate| rate > 0.0).count() as u64;
            assert_eq!(average.count(8), counted);
        }
        assert!(Averaging::tail(0).rate(u64::MAX / 2) > 0.0);
    }

    #[test]
    fn averages_are_described() {
        let warm = Averaging::Exponential { decay: 0.999, warm_up: true, every: 10 };
        assert_eq!(warm.to_string(), "exponential with decay 0.999 and warm-up, every 10 updates");
        assert_eq!(Averaging::tail(500).to_string(), "mean after 500 updates");
    }
}
