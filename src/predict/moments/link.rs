//! From normal logits to predictions: mean, variance and mean entropy.

use std::ops::Range;

use super::{
    draws::Draws,
    logistic::{Bit, Logistic},
};
use crate::{
    error::Error,
    nn::Loss,
    tensor::AlignedBuffer,
    thin::{PANEL, Panels},
};

/// Masks of at least this weight have all draws of the logits, lighter ones, of which
/// there are many, a share each.
const HEAVY: f64 = 1.0 / 16.0;

/// A loss's link, one row at a time.
#[derive(Clone, Debug)]
pub(super) struct Link {
    loss: Loss,
    /// Of the row's logits: means, standard deviations.
    z: [AlignedBuffer<f64>; 2],
    /// Of one draw: z, then e^(z - largest z).
    drawn: AlignedBuffer<f64>,
    /// Of the row's predictions.
    pub mean: AlignedBuffer<f64>,
    /// Of the row's predictions.
    pub variance: AlignedBuffer<f64>,
    logistic: Logistic,
    /// Made by the first softmax of other than two classes.
    draws: Option<Draws>,
}

impl Link {
    pub fn new(outputs: usize) -> Result<Self, Error> {
        let zeros = || AlignedBuffer::zeroed(outputs);
        Ok(Self {
            loss: Loss::SquaredError,
            z: [zeros()?, zeros()?],
            drawn: zeros()?,
            mean: zeros()?,
            variance: zeros()?,
            logistic: Logistic::new(),
            draws: None,
        })
    }

    /// Is that of this loss from now on.
    pub fn set_loss(&mut self, loss: Loss) -> Result<(), Error> {
        self.loss = loss;
        let classes = self.mean.len();
        if loss == Loss::SoftmaxCrossEntropy && classes != 2 && self.draws.is_none() {
            self.draws = Some(Draws::new(classes)?);
        }
        Ok(())
    }

    /// Takes the logits of row `row` of a pass; they are known where there are no
    /// deviations.
    pub fn take(&mut self, row: usize, means: &Panels, deviations: Option<&Panels>) {
        let [z, s] = &mut self.z;
        take(z, row, means);
        match deviations {
            Some(deviations) => take(s, row, deviations),
            None => s.fill(0.0),
        }
    }

    /// Moments of the predictions into `mean` and `variance`; returns the mean entropy.
    /// `weight` is that of the row's mask number `number`.
    pub fn moments(&mut self, number: usize, weight: f64) -> f64 {
        match (self.loss, &self.draws) {
            (Loss::SquaredError, _) => self.identity(),
            (Loss::BinaryCrossEntropy, _) => self.bits(),
            (Loss::SoftmaxCrossEntropy, None) => self.two_classes(),
            (Loss::SoftmaxCrossEntropy, Some(_)) => {
                self.classes(if weight >= HEAVY { Draws::all() } else { Draws::share(number) })
            }
        }
    }

    fn identity(&mut self) -> f64 {
        let [z, s] = &self.z;
        let to = self.mean.iter_mut().zip(self.variance.iter_mut());
        for ((mean, variance), (&z, &s)) in to.zip(z.iter().zip(s.iter())) {
            *mean = z;
            *variance = if z.is_finite() { s * s } else { f64::NAN };
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

    /// Softmax of two is the logistic of their difference.
    fn two_classes(&mut self) -> f64 {
        let [z, s] = &self.z;
        let Bit { mean, rest, variance, entropy } =
            self.logistic.bit(z[0] - z[1], libm::hypot(s[0], s[1]));
        self.mean.copy_from_slice(&[mean, rest]);
        self.variance.fill(variance);
        entropy
    }

    /// Softmax of independent normal numbers, over the draws.
    fn classes(&mut self, draws: Range<usize>) -> f64 {
        let Self { z: [z, s], drawn, mean, variance, draws: Some(table), .. } = self else {
            return f64::NAN;
        };
        mean.fill(0.0);
        variance.fill(0.0);
        // Without a deviation all draws are the same.
        let known = s.iter().all(|&s| s == 0.0);
        let draws = if known { draws.start..draws.start + 1 } else { draws };
        let (count, mut entropy) = (draws.len() as f64, 0.0);
        for (number, draw) in draws.enumerate() {
            let mut top = f64::NEG_INFINITY;
            let normal = table.of(draw);
            for ((x, normal), (&z, &s)) in drawn.iter_mut().zip(normal).zip(z.iter().zip(s.iter()))
            {
                *x = z + s * normal;
                // NaN is taken, and stays.
                top = if *x > top || x.is_nan() { *x } else { top };
            }
            // Of e, and of e times its logarithm.
            let (mut sum, mut products) = (0.0, 0.0);
            for x in drawn.iter_mut() {
                let below = *x - top;
                *x = libm::exp(below);
                sum += *x;
                // lim e^x x = 0
                products += if *x == 0.0 { 0.0 } else { *x * below };
            }
            entropy += libm::log(sum) - products / sum;
            let part = 1.0 / (number + 1) as f64;
            let to = mean.iter_mut().zip(variance.iter_mut());
            for ((mean, squares), e) in to.zip(drawn.iter()) {
                let p = e / sum;
                let before = p - *mean;
                *mean += part * before;
                *squares += before * (p - *mean);
            }
        }
        for squares in variance.iter_mut() {
            *squares /= count;
        }
        entropy / count
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
