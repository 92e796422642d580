//! The mean absolute error.

use super::{
    Figure, Measure,
    collected::Collected,
    prior::Prior,
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{error::Error, nn::TargetKind};

/// The sum of w times the absolute errors of a row, and all targets, for the baseline.
#[derive(Clone, Debug)]
pub(super) struct Mae {
    outputs: Outputs,
    errors: ExactSum,
    targets: Collected,
}

impl Mae {
    pub fn new(outputs: Outputs) -> Result<Self, Error> {
        let targets = Collected::new(outputs.number);
        Ok(Self { outputs, errors: ExactSum::default(), targets })
    }
}

impl Measure for Mae {
    const KINDS: &'static [TargetKind] = &[TargetKind::Values];
    const BASELINE: &'static str = "mean of targets";

    fn reserve(&mut self, rows: usize) -> Result<(), Error> {
        self.targets.reserve(rows)
    }

    fn add(&mut self, row: &Row<'_>) {
        if let Outcome::Values { means, values, .. } = row.outcome {
            for (&y, &t) in self.outputs.points(means).iter().zip(values) {
                self.errors.add_product(row.weight, (f64::from(t) - y).abs());
            }
            self.targets.add(values, row.weight);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.errors.add_all(&other.errors);
        self.targets.merge(&other.targets);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let mean = |sum: f64| sum / (prior.outputs.number as f64 * prior.weight());
        let baseline = self.targets.sum_of(prior, |t, mean, _| (t - mean).abs());
        Ok(Figure { value: mean(self.errors.value()), baseline: Some(mean(baseline)) })
    }
}
