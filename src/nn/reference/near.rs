//! Numbers that carry a bound on the error of f32 arithmetic.
//!
//! This is running error analysis (Higham, Accuracy and Stability of Numerical Algorithms,
//! section 3.3): every operation adds its own rounding error to the errors of its operands. The
//! tolerance thus fits each case, including cancellation and layer widths, and no constant has
//! to be guessed.

use std::ops::{Mul, Sub};

/// Half a unit in the last place of f32 as a relative error, plus one percent for the products of
/// errors, which the bounds leave out.
const ROUND: f64 = 1.01 * f64::EPSILON * (1u64 << 28) as f64;
/// The errors of the engine's exp (2), tanh and logistic (3 units in the last place, at two
/// roundings per unit), with one unit to spare.
const TRANSCENDENTAL: f64 = 8.0 * ROUND;
/// A bound on the second derivatives of the activations and of their derivatives, for ELU with
/// alpha up to 2.
const CURVATURE: f64 = 2.0;
/// Below the range of normal numbers, errors are absolute.
pub const TINY: f64 = f32::MIN_POSITIVE as f64;
/// Above this, f32 is close to overflow and nothing is known any more.
const MAX_SIZE: f64 = 1e36;

/// A number, and a bound on how far the engine's result can be from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    pub value: f64,
    pub error: f64,
}

impl Near {
    pub const ZERO: Self = Self::exact(0.0);

    /// The result of any computation with a number that can overflow.
    pub const UNKNOWN: Self = Self { value: 0.0, error: f64::INFINITY };

    pub const fn exact(value: f64) -> Self {
        Self { value, error: 0.0 }
    }

    fn new(value: f64, error: f64) -> Self {
        if value.abs() + error < MAX_SIZE { Self { value, error } } else { Self::UNKNOWN }
    }

    /// A number known to lie between the two.
    pub fn between(low: f64, high: f64) -> Self {
        Self::new((low + high) / 2.0, (high - low) / 2.0)
    }

    /// The lowest and the highest value that the engine's number can have.
    pub fn ends(self) -> (f64, f64) {
        (self.value - self.error, self.value + self.error)
    }

    /// The largest magnitude that the engine's number can have.
    fn size(self) -> f64 {
        self.value.abs() + self.error
    }

    pub fn is_known(self) -> bool {
        self.size() < MAX_SIZE
    }

    /// Whether the engine's number is within the bound.
    pub fn allows(self, got: f32) -> bool {
        (f64::from(got) - self.value).abs() <= 1.01 * self.error + TINY
    }

    /// The same number after this many roundings.
    pub fn rounded(self, times: f64) -> Self {
        Self::new(self.value, self.error + times * ROUND * self.size() + TINY * ROUND)
    }

    /// The sum in any order; each term is rounded at most once per addition.
    pub fn sum(terms: impl Iterator<Item = Self>) -> Self {
        let (mut value, mut error, mut size, mut count) = (0.0, 0.0, 0.0, 0.0);
        // Adding 0 is exact, and the engine skips it.
        for term in terms.filter(|&term| term != Self::ZERO) {
            value += term.value;
            error += term.error;
            size += term.size();
            count += 1.0;
        }
        if size < MAX_SIZE { Self::new(value, error + count * ROUND * size) } else { Self::UNKNOWN }
    }

    /// f(z) for an increasing f.
    pub fn increasing(self, f: impl Fn(f64) -> f64) -> Self {
        if !self.is_known() {
            return Self::UNKNOWN;
        }
        let (low, high) = self.ends();
        Self::between(f(low), f(high))
    }

    /// f(z) for an f whose second derivative is at most [`CURVATURE`], except at steps.
    pub fn curved(self, f: impl Fn(f64) -> f64) -> Self {
        if !self.is_known() {
            return Self::UNKNOWN;
        }
        let (low, high) = self.ends();
        let value = f(self.value);
        // f may rise or fall further between the ends, at most this far.
        let between = 2.0 * CURVATURE * self.error * self.error;
        let error = (f(low) - value).abs().max((f(high) - value).abs()) + between;
        Self::new(value, error)
    }

    /// The same number as approximated by the engine.
    pub fn approximated(self) -> Self {
        self.within(TRANSCENDENTAL)
    }

    /// The same number, as approximated by the engine through numbers of at most this size.
    pub fn approximated_as_if(self, size: f64) -> Self {
        Self::new(self.value, self.error + TRANSCENDENTAL * size.max(self.size()) + TINY)
    }

    fn within(self, relative: f64) -> Self {
        Self::new(self.value, self.error + relative * self.size() + TINY)
    }

    /// e^z divided by the sum of e^z over all z, and ln of that sum.
    pub fn softmax(z: &[Self]) -> (Vec<Self>, Self) {
        let top = z.iter().map(|z| z.value).fold(f64::NEG_INFINITY, f64::max);
        let worst = z.iter().map(|z| z.error).fold(0.0, f64::max);
        if worst > 1.0 {
            // Too uncertain for a useful bound.
            return (vec![Self::UNKNOWN; z.len()], Self::UNKNOWN);
        }
        // The engine's own top cancels, except for the rounding of the subtraction.
        let powers: Vec<(f64, f64)> = z
            .iter()
            .map(|z| {
                let below = z.value - top;
                let error = z.error + ROUND * (below.abs() + 2.0 * worst);
                ((below - error).exp(), (below + error).exp())
            })
            .collect();
        let low: f64 = powers.iter().map(|power| power.0).sum();
        let high: f64 = powers.iter().map(|power| power.1).sum();
        let of_sum = (z.len() as f64 + 2.0) * ROUND + TRANSCENDENTAL;
        // Lowest when the others are highest, and vice versa.
        let p = |&(l, h): &(f64, f64)| {
            let p = Self::between(l / (l + (high - h)), h / (h + (low - l).max(0.0)));
            p.within(of_sum + TRANSCENDENTAL)
        };
        let ln = Self::between(low.ln(), high.ln()).rounded(1.0);
        let ln = Self::new(ln.value + top, ln.error + of_sum + worst + ROUND * top.abs());
        (powers.iter().map(p).collect(), ln)
    }
}

impl Mul for Near {
    type Output = Self;

    fn mul(self, by: Self) -> Self {
        if !self.is_known() || !by.is_known() {
            return Self::UNKNOWN;
        }
        if self == Self::ZERO || by == Self::ZERO {
            return Self::ZERO;
        }
        let error = self.value.abs() * by.error + self.error * by.size();
        Self::new(self.value * by.value, error).rounded(1.0)
    }
}

impl Sub for Near {
    type Output = Self;

    fn sub(self, by: Self) -> Self {
        Self::new(self.value - by.value, self.error + by.error).rounded(1.0)
    }
}
