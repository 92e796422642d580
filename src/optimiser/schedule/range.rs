//! The rates that a schedule can give, and the check of its parameters.

use super::{Schedule, one_cycle_ends};

/// The requirement that an invalid parameter violates.
pub(in crate::optimiser) type Expected = &'static str;

/// The most schedules within one another. Readers of settings files allow no more than some
/// hundred levels.
const MAX_LEVELS: usize = 16;

fn rate(rate: f64) -> Result<f64, Expected> {
    rate.is_finite().then_some(rate).ok_or("finite rates")
}

fn time(time: f64) -> Result<(), Expected> {
    (time.is_finite() && time > 0.0).then_some(()).ok_or("a finite time above 0")
}

fn steps(steps: u64) -> Result<(), Expected> {
    (steps > 0).then_some(()).ok_or("at least one step")
}

fn factor(factor: f64) -> Result<(), Expected> {
    (factor > 0.0 && factor <= 1.0).then_some(()).ok_or("a factor above 0 and at most 1")
}

/// The smallest and the largest of some rates, if all are finite.
fn between(rates: impl IntoIterator<Item = f64>) -> Result<(f64, f64), Expected> {
    let all = (f64::INFINITY, f64::NEG_INFINITY);
    rates.into_iter().try_fold(all, |(low, high), next| {
        let next = rate(next)?;
        Ok((low.min(next), high.max(next)))
    })
}

impl Schedule {
    /// The smallest and the largest rate that the schedule can give.
    ///
    /// # Errors
    /// A parameter is invalid; the error is the requirement it violates.
    pub(in crate::optimiser) fn range(&self) -> Result<(f64, f64), Expected> {
        self.range_within(MAX_LEVELS)
    }

    /// The range of a schedule that may have so many levels.
    fn range_within(&self, levels: usize) -> Result<(f64, f64), Expected> {
        let Some(levels) = levels.checked_sub(1) else {
            return Err("at most 16 schedules within one another");
        };
        match *self {
            Self::Constant { value } => between([value]),
            Self::Linear { from, to, steps: n } | Self::Cosine { from, to, steps: n } => {
                steps(n)?;
                between([from, to])
            }
            Self::Exponential { from, factor: by, steps: n }
            | Self::StepDecay { from, factor: by, every: n } => {
                steps(n)?;
                factor(by)?;
                between([from, 0.0])
            }
            Self::PiecewiseConstant { from, ref changes } => {
                let mut before = 0;
                for change in changes {
                    if change.step <= before {
                        return Err("changes at ascending steps, the first at step 1 or later");
                    }
                    before = change.step;
                }
                between(changes.iter().map(|change| change.rate).chain([from]))
            }
            Self::OneCycle { from, peak, to, steps, rise } => {
                let (top, last) = one_cycle_ends(steps, rise);
                if !(top > 0.0 && top < last) {
                    return Err("a peak after the first step and before the last");
                }
                between([from, peak, to])
            }
            Self::InverseTime { from, time: t } => {
                time(t)?;
                between([from, 0.0])
            }
            Self::Saturating { from, to, time: t } => {
                time(t)?;
                between([from, to])
            }
            Self::WarmUp { from, steps: n, ref then } => {
                steps(n)?;
                let (low, high) = then.range_within(levels)?;
                between([from, low, high])
            }
            Self::Sequence { ref phases, ref then } => {
                let (mut low, mut high) = then.range_within(levels)?;
                for phase in phases {
                    steps(phase.steps)?;
                    let (l, h) = phase.schedule.range_within(levels)?;
                    (low, high) = between([low, high, l, h])?;
                }
                Ok((low, high))
            }
        }
    }
}
