//! The deviance of counts.

use super::{
    Figure, Measure,
    collected::Collected,
    prior::Prior,
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{
    error::Error,
    nn::{Loss, TargetKind},
};

/// The sum of w times the deviances of a row, and all targets, for the baseline.
#[derive(Clone, Debug)]
pub(super) struct PoissonDeviance {
    sum: ExactSum,
    targets: Collected,
}

impl PoissonDeviance {
    pub fn new(outputs: Outputs) -> Result<Self, Error> {
        Ok(Self { sum: ExactSum::default(), targets: Collected::new(outputs.number) })
    }
}

/// `2 (t ln(t / y) - t + y)`, with 0 ln 0 = 0.
fn deviance(t: f64, y: f64) -> f64 {
    let product = if t == 0.0 { 0.0 } else { t * libm::log(t / y) };
    2.0 * (product - t + y)
}

impl Measure for PoissonDeviance {
    const KINDS: &'static [TargetKind] = &[TargetKind::Values];
    const BASELINE: &'static str = "mean of targets";

    fn supports(loss: Loss) -> bool {
        loss == Loss::Poisson
    }

    fn reserve(&mut self, rows: usize) -> Result<(), Error> {
        self.targets.reserve(rows)
    }

    fn add(&mut self, row: &Row<'_>) {
        if let Outcome::Values { means, values, .. } = row.outcome {
            // A row of weight 0 does not count, even if its deviance is infinite.
            if row.weight > 0.0 {
                for (&y, &t) in means.iter().zip(values) {
                    self.sum.add_product(row.weight, deviance(t.into(), y));
                }
            }
            self.targets.add(values, row.weight);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sum.add_all(&other.sum);
        self.targets.merge(&other.targets);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let mean = |sum: f64| sum / (prior.outputs.number as f64 * prior.weight());
        let baseline = self.targets.sum_of(prior, |t, mean, _| deviance(t, mean));
        Ok(Figure { value: mean(self.sum.value()), baseline: Some(mean(baseline)) })
    }
}
