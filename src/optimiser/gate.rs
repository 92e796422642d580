//! Checks of the optimisers' settings. The kernels compute in f32, so each number is checked as
//! an f32 too.

use super::Schedule;
use crate::error::Error;

const WHAT: &str = "learning rate";

/// Checks that a schedule's rates are at least 0 and that the largest fits.
fn schedule(
    what: &'static str,
    schedule: &Schedule,
    fits: impl Fn(f64) -> bool,
    all: &'static str,
) -> Result<(), Error> {
    let expected = match schedule.range() {
        Ok((low, high)) if low >= 0.0 && fits(high) => return Ok(()),
        Ok(_) => all,
        Err(expected) => expected,
    };
    Err(Error::Schedule { what, schedule: schedule.to_string(), expected })
}

/// The learning rates that an optimiser can use.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// What a rate is divided by.
    divisor: f64,
    expected: &'static str,
}

impl Rates {
    /// Those that the kernels can compute with.
    pub const FINITE: Self = Self { divisor: 1.0, expected: "finite numbers of at least 0" };

    /// Those that are divided by 1 - beta1 at the first step.
    pub fn of_moments(beta1: f64) -> Self {
        // As the kernel has it.
        let divisor = 1.0 - f64::from(beta1 as f32);
        Self { divisor, expected: "numbers from 0 to 3.4e38 * (1 - beta1)" }
    }

    fn fit(self, high: f64) -> bool {
        ((high / self.divisor) as f32).is_finite()
    }

    /// Checks the rates of a schedule.
    pub fn check_schedule(self, rates: &Schedule) -> Result<(), Error> {
        schedule(WHAT, rates, |high| self.fit(high), self.expected)
    }

    /// Checks a rate.
    pub fn check(self, rate: f64) -> Result<(), Error> {
        let Self { expected, .. } = self;
        let fits = rate >= 0.0 && self.fit(rate);
        fits.then_some(()).ok_or(Error::OutOfRange { what: WHAT, value: rate, expected })
    }
}

/// Checks a momentum.
pub fn momentum(momentum: &Schedule) -> Result<(), Error> {
    schedule("momentum", momentum, |high| (high as f32) < 1.0, "numbers of at least 0 and below 1")
}

/// Checks a decay rate of a moment.
pub fn beta(what: &'static str, beta: f64) -> Result<(), Error> {
    let expected = "a number of at least 0 and below 1, in single precision too";
    let fits = (0.0..1.0).contains(&beta) && (beta as f32) < 1.0;
    fits.then_some(()).ok_or(Error::OutOfRange { what, value: beta, expected })
}

/// Checks a number that must not be negative.
fn not_negative(what: &'static str, value: f64) -> Result<(), Error> {
    let expected = "a number from 0 to 3.4e38, also after division by the square of the keep rate of a \
                    layer's inputs if it is for the paper's weights";
    let fits = (0.0..=f64::from(f32::MAX)).contains(&value);
    fits.then_some(()).ok_or(Error::OutOfRange { what, value, expected })
}

/// Checks a weight decay.
pub fn weight_decay(decay: f64) -> Result<(), Error> {
    not_negative("weight decay", decay)
}

/// Checks the first value of Adagrad's accumulator.
pub fn initial_accumulator(value: f64) -> Result<(), Error> {
    not_negative("initial accumulator", value)
}

/// Checks the epsilon that is added to a divisor. It may not be 0, because a parameter without a
/// gradient so far has divisor 0.
pub fn epsilon(epsilon: f64) -> Result<(), Error> {
    let expected = "a number from 1.2e-38 to 3.4e38, also after division by the keep rate of a layer's \
                    inputs if it is for the paper's weights";
    let fits = (f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX)).contains(&epsilon);
    fits.then_some(()).ok_or(Error::OutOfRange { what: "epsilon", value: epsilon, expected })
}

/// Whether a decoupled weight decay can be used with learning rates of at most `rate`.
fn shrinks(decay: f64, rate: f64) -> bool {
    decay * rate <= f64::from(f32::MAX)
}

/// Checks the decoupled weight decay that goes with a learning rate.
pub fn shrinkage(decay: f64, rate: &Schedule) -> Result<(), Error> {
    let (_, high) = rate.range().unwrap_or_default();
    let expected = "at most 3.4e38 when multiplied by the learning rate";
    let error = Error::OutOfRange { what: "weight decay", value: decay, expected };
    shrinks(decay, high).then_some(()).ok_or(error)
}

/// Checks a learning rate that goes with a decoupled weight decay.
pub fn shrinking_rate(decay: f64, rate: f64) -> Result<(), Error> {
    let expected = "at most 3.4e38 when multiplied by the weight decay";
    let error = Error::OutOfRange { what: WHAT, value: rate, expected };
    shrinks(decay, rate).then_some(()).ok_or(error)
}
