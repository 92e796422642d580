//! Checks of the optimisers' settings. The kernels compute in f32, so each number is checked as
//! an f32 too.

use super::Schedule;
use crate::error::Error;

/// Checks that a schedule's rates are at least 0 and that the largest fits.
fn schedule(
    what: &'static str,
    schedule: Schedule,
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

/// Checks a learning rate.
pub fn learning_rate(rate: Schedule) -> Result<(), Error> {
    let fits = |high: f64| (high as f32).is_finite();
    schedule("learning rate", rate, fits, "finite numbers of at least 0")
}

/// Checks a learning rate that is divided by 1 - beta1.
pub fn learning_rate_over(rate: Schedule, beta1: f64) -> Result<(), Error> {
    let fits = |high: f64| ((high / (1.0 - beta1)) as f32).is_finite();
    schedule("learning rate", rate, fits, "numbers from 0 to 3.4e38 * (1 - beta1)")
}

/// Checks a momentum.
pub fn momentum(momentum: Schedule) -> Result<(), Error> {
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

/// Checks the decoupled weight decay that goes with a learning rate.
pub fn shrinkage(decay: f64, rate: Schedule) -> Result<(), Error> {
    let (_, high) = rate.range().unwrap_or_default();
    let expected = "at most 3.4e38 when multiplied by the learning rate";
    let fits = decay * high <= f64::from(f32::MAX);
    fits.then_some(()).ok_or(Error::OutOfRange { what: "weight decay", value: decay, expected })
}
