//! The quantile loss, or pinball loss.

use super::{
    Figure, Measure,
    collected::Collected,
    prior::Prior,
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{
    error::Error,
    nn::{Loss, PredictionKind, TargetKind, pinball},
};

/// The sum of w times the quantile losses of a row, and all targets, for the baseline.
#[derive(Clone, Debug)]
pub(super) struct PinballLoss {
    outputs: Outputs,
    sum: ExactSum,
    targets: Collected,
}

impl PinballLoss {
    pub fn new(outputs: Outputs) -> Result<Self, Error> {
        let targets = Collected::new(outputs.number);
        Ok(Self { outputs, sum: ExactSum::default(), targets })
    }
}

impl Measure for PinballLoss {
    const KINDS: &'static [TargetKind] = &[TargetKind::Values];
    const BASELINE: &'static str = "quantiles of targets";

    fn supports(loss: Loss) -> bool {
        loss.prediction_kind() == PredictionKind::Quantiles
    }

    fn reserve(&mut self, rows: usize) -> Result<(), Error> {
        self.targets.reserve(rows)
    }

    fn add(&mut self, row: &Row<'_>) {
        if let Outcome::Values { means: quantiles, values, .. } = row.outcome {
            for (&level, quantiles) in
                self.outputs.levels().iter().zip(quantiles.chunks(values.len()))
            {
                for (&y, &t) in quantiles.iter().zip(values) {
                    self.sum.add_product(row.weight, pinball(level.into(), f64::from(t) - y));
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
        let (levels, targets) = (self.outputs.levels(), self.outputs.number);
        let mean = |sum: f64| sum / (self.outputs.predictions() as f64 * prior.weight());
        let quantiles = self.targets.quantiles(prior, levels)?;
        let baseline = self.targets.sum_of(prior, |t, _, target| {
            let each = levels.iter().zip(quantiles.chunks(targets));
            each.map(|(&level, quantiles)| pinball(level.into(), t - quantiles[target])).sum()
        });
        Ok(Figure { value: mean(self.sum.value()), baseline: Some(mean(baseline)) })
    }
}
