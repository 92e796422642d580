//! A schedule in words.

use std::fmt;

use super::Schedule;

/// The most changes or phases that are shown.
const SHOWN: usize = 8;

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
            Self::Exponential { from, factor, steps } => {
                write!(f, "{from:?} * {factor:?}^(t / {steps}) at step t")
            }
            Self::StepDecay { from, factor, every } => {
                write!(f, "{from:?}, multiplied by {factor:?} every {every} steps")
            }
            Self::PiecewiseConstant { from, changes } => {
                write!(f, "{from:?}")?;
                for change in changes.iter().take(SHOWN) {
                    write!(f, ", {:?} from step {}", change.rate, change.step)?;
                }
                more(f, changes.len(), ", ", "changes")
            }
            Self::OneCycle { from, peak, to, steps, rise } => write!(
                f,
                "{from:?} to {peak:?} to {to:?} in two half cosine waves over {steps} steps, the \
                 first over {rise:?} of them"
            ),
            Self::InverseTime { from, time } => {
                write!(f, "{from:?} / (1 + t / {time:?}) at step t")
            }
            Self::Saturating { from, to, time } => {
                write!(f, "{to:?} - ({to:?} - {from:?}) e^(-t / {time:?}) at step t")
            }
            Self::WarmUp { from, steps, then } => {
                let to = then.at(0);
                write!(f, "{from:?} to {to:?} in a straight line over {steps} steps, then {then}")
            }
            Self::Sequence { phases, then } => {
                for phase in phases.iter().take(SHOWN) {
                    match &phase.schedule {
                        several @ (Self::WarmUp { .. } | Self::Sequence { .. }) => {
                            write!(f, "({several})")?;
                        }
                        one => write!(f, "{one}")?,
                    }
                    write!(f, " for {} steps, then ", phase.steps)?;
                }
                more(f, phases.len(), "", "phases, then ")?;
                write!(f, "{then}")
            }
        }
    }
}

/// Says how many there are besides those that were shown.
fn more(f: &mut fmt::Formatter<'_>, all: usize, before: &str, what: &str) -> fmt::Result {
    match all.saturating_sub(SHOWN) {
        0 => Ok(()),
        rest => write!(f, "{before}{rest} more {what}"),
    }
}
