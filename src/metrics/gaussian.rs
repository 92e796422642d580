//! The negative log-likelihood of normal distributions.

use std::f64::consts::TAU;

use super::{
    Figure, Measure,
    prior::Prior,
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{
    error::Error,
    nn::{Loss, PredictionKind, TargetKind},
};

/// The sum of w times the negative log-likelihoods of a row.
#[derive(Clone, Debug)]
pub(super) struct GaussianNll {
    sum: ExactSum,
}

impl GaussianNll {
    pub fn new(_: Outputs) -> Result<Self, Error> {
        Ok(Self { sum: ExactSum::default() })
    }
}

/// `(ln 2 pi v + d² / v) / 2`
pub(super) fn normal(d: f64, v: f64) -> f64 {
    0.5 * (libm::log(TAU) + libm::log(v) + d * d / v)
}

impl Measure for GaussianNll {
    const KINDS: &'static [TargetKind] = &[TargetKind::Values];
    const BASELINE: &'static str = "mean and variance of targets";

    fn supports(loss: Loss) -> bool {
        loss.prediction_kind() == PredictionKind::Normals
    }

    fn add(&mut self, row: &Row<'_>) {
        if let Outcome::Values { means, variances, values } = row.outcome
            && row.weight > 0.0
        {
            for ((&y, &v), &t) in means.iter().zip(variances).zip(values) {
                self.sum.add_product(row.weight, normal(f64::from(t) - y, v));
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sum.add_all(&other.sum);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let (targets, weight) = (prior.outputs.number, prior.weight());
        let value = self.sum.value() / (targets as f64 * weight);
        // With the mean and the variance of the targets, the mean of d² / v is 1.
        let of_target = |target: usize| {
            let variance = prior.squared_distances(target) / weight;
            0.5 * (1.0 + libm::log(TAU) + libm::log(variance))
        };
        let baseline = (0..targets).map(of_target).sum::<f64>() / targets as f64;
        // All targets may be equal.
        Ok(Figure { value, baseline: baseline.is_finite().then_some(baseline) })
    }
}
