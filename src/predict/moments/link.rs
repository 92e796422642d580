//! From normal logits to predictions: mean, variance and mean entropy.

use std::ops::Range;

use super::{
    average::Average,
    draws::Draws,
    logistic::{Bit, Logistic},
};
use crate::{
    error::Error,
    nn::{self, LinkFunction, Temperature},
    simd::Supported,
    tensor::AlignedBuffer,
    thin::{PANEL, Panels},
};

/// Masks of at least this weight use all draws of the logits; lighter ones, which are
/// many, use one share each.
const HEAVY: f64 = 1.0 / 16.0;

/// A link, one row at a time.
#[derive(Clone, Debug)]
pub(super) struct Link {
    of: nn::Link,
    /// The mean and standard deviation of each of the row's logits, divided by the temperature.
    z: [AlignedBuffer<f64>; 2],
    /// Scratch memory for one draw.
    drawn: [AlignedBuffer<f64>; 2],
    /// The means of the row's predictions.
    pub mean: AlignedBuffer<f64>,
    /// The variances of the row's predictions.
    pub variance: AlignedBuffer<f64>,
    logistic: Logistic,
    /// Allocated by the first softmax with a number of classes other than two.
    draws: Option<Draws>,
}

impl Link {
    pub fn new(outputs: usize) -> Result<Self, Error> {
        let zeros = || AlignedBuffer::zeroed(outputs);
        Ok(Self {
            of: nn::Link::LOGITS,
            z: [zeros()?, zeros()?],
            drawn: [zeros()?, zeros()?],
            mean: zeros()?,
            variance: zeros()?,
            logistic: Logistic::new(),
            draws: None,
        })
    }

    /// Switches to this link.
    pub fn set(&mut self, link: nn::Link) -> Result<(), Error> {
        self.of = link;
        let classes = self.mean.len();
        if link.function == LinkFunction::Softmax && classes != 2 && self.draws.is_none() {
            self.draws = Some(Draws::new(classes)?);
        }
        Ok(())
    }

    /// Loads the logits of row `row` of a pass; without deviations they are exact.
    pub fn take(&mut self, row: usize, means: &Panels, deviations: Option<&Panels>) {
        let [z, s] = &mut self.z;
        take(z, row, means);
        match deviations {
            Some(deviations) => take(s, row, deviations),
            None => s.fill(0.0),
        }
        let temperature = self.of.temperature;
        if temperature != Temperature::ONE {
            for number in z.iter_mut().chain(s.iter_mut()) {
                *number /= f64::from(temperature.get());
            }
        }
    }

    /// Computes the moments of the predictions into `mean` and `variance` and returns the
    /// mean entropy. `number` and `weight` are those of the row's mask.
    pub fn moments(&mut self, isa: Supported, number: usize, weight: f64) -> f64 {
        match (self.of.function, &self.draws) {
            (LinkFunction::Identity, _) => self.identity(0..self.mean.len()),
            (LinkFunction::Exponential, _) => self.rates(0..self.mean.len()),
            (LinkFunction::Normals, _) => {
                let targets = self.mean.len() / 2;
                self.identity(0..targets);
                self.rates(targets..2 * targets)
            }
            (LinkFunction::Logistic, _) => self.bits(),
            (LinkFunction::Softmax, None) => self.two_classes(),
            (LinkFunction::Softmax, Some(_)) => {
                let heavy = weight >= HEAVY;
                self.classes(isa, if heavy { Draws::all() } else { Draws::share(number) })
            }
        }
    }

    /// The logits of some outputs.
    fn identity(&mut self, outputs: Range<usize>) -> f64 {
        for output in outputs {
            let (z, s) = (self.z[0][output], self.z[1][output]);
            let (mean, variance) = (&mut self.mean[output], &mut self.variance[output]);
            *mean = z;
            *variance = if z.is_finite() { s * s } else { f64::NAN };
        }
        0.0
    }

    /// e^z of a normal z, a log-normal distribution: the mean is e^(m + s²/2), and the variance is
    /// that squared, times e^(s²) - 1.
    fn rates(&mut self, outputs: Range<usize>) -> f64 {
        for output in outputs {
            let (z, s) = (self.z[0][output], self.z[1][output]);
            let (mean, variance) = (&mut self.mean[output], &mut self.variance[output]);
            *mean = libm::exp(z + 0.5 * s * s);
            let relative = libm::sqrt(libm::expm1(s * s));
            // The product of the deviations may be finite where that of the squares is not.
            let deviation = if s == 0.0 { 0.0 } else { *mean * relative };
            *variance = if z.is_finite() { deviation * deviation } else { f64::NAN };
        }
        0.0
    }

    fn bits(&mut self) -> f64 {
        let [z, s] = &self.z;
        let to = self.mean.iter_mut().zip(self.variance.iter_mut());
        let mut sum = 0.0;
        for ((mean, variance), (&z, &s)) in to.zip(z.iter().zip(s.iter())) {
            let bit = self.logistic.bit(z, s);
            (*mean, *variance) = (bit.mean, bit.variance);
            sum += bit.entropy;
        }
        sum
    }

    /// Softmax over two classes, which is the logistic of the difference of their logits.
    fn two_classes(&mut self) -> f64 {
        let [z, s] = &self.z;
        let Bit { mean, rest, variance, entropy } =
            self.logistic.bit(z[0] - z[1], libm::hypot(s[0], s[1]));
        self.mean.copy_from_slice(&[mean, rest]);
        self.variance.fill(variance);
        entropy
    }

    /// Softmax of independent normal logits, averaged over the draws.
    fn classes(&mut self, isa: Supported, range: Range<usize>) -> f64 {
        let Self { z: [z, s], drawn, mean, variance, draws: Some(draws), .. } = self else {
            return f64::NAN;
        };
        // Without deviations all draws are the same.
        let known = s.iter().all(|&s| s == 0.0);
        let range = if known { range.start..range.start + 1 } else { range };
        let [x, e] = drawn;
        isa.dispatch(Average { draws, range, z, s, drawn: [x, e], mean, variance })
    }
}

/// Row `row` of the panels, in f64.
fn take(to: &mut [f64], row: usize, from: &Panels) {
    for (n, to) in to.chunks_mut(PANEL).enumerate() {
        for (to, &from) in to.iter_mut().zip(from.at(n, row)) {
            *to = from.into();
        }
    }
}

#[cfg(test)]
mod tests;
