//! How often targets lie between their lowest and their highest predicted quantile.

use super::{
    Better, Figure, Measure,
    collected::Collected,
    prior::Prior,
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{
    error::Error,
    nn::{Loss, TargetKind},
};

/// The sum of w of the targets that are covered, and all targets, for the baseline.
#[derive(Clone, Debug)]
pub(super) struct QuantileCoverage {
    outputs: Outputs,
    covered: ExactSum,
    targets: Collected,
}

impl QuantileCoverage {
    pub fn new(outputs: Outputs) -> Result<Self, Error> {
        let targets = Collected::new(outputs.number);
        Ok(Self { outputs, covered: ExactSum::default(), targets })
    }
}

/// Whether `t` is from the first to the last of the target's quantiles, `[levels][targets]`. Nothing is,
/// if the two have crossed.
fn covers(quantiles: &[f64], targets: usize, target: usize, t: f64) -> bool {
    let last = quantiles.len() - targets + target;
    (quantiles[target]..=quantiles[last]).contains(&t)
}

impl Measure for QuantileCoverage {
    const KINDS: &'static [TargetKind] = &[TargetKind::Values];
    const BASELINE: &'static str = "quantiles of targets";
    const BETTER: Better = Better::Neither;

    fn supports(loss: Loss) -> bool {
        matches!(loss, Loss::Quantile(levels) if levels.as_slice().len() > 1)
    }

    fn reserve(&mut self, rows: usize) -> Result<(), Error> {
        self.targets.reserve(rows)
    }

    fn add(&mut self, row: &Row<'_>) {
        if let Outcome::Values { means: quantiles, values, .. } = row.outcome {
            for (target, &t) in values.iter().enumerate() {
                if covers(quantiles, values.len(), target, t.into()) {
                    self.covered.add(row.weight);
                }
            }
            self.targets.add(values, row.weight);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.covered.add_all(&other.covered);
        self.targets.merge(&other.targets);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let targets = self.outputs.number;
        let share = |weight: f64| weight / (targets as f64 * prior.weight());
        let quantiles = self.targets.quantiles(prior, self.outputs.levels())?;
        let covered = |t, _, target| f64::from(u8::from(covers(&quantiles, targets, target, t)));
        let baseline = Some(share(self.targets.sum_of(prior, covered)));
        Ok(Figure { value: share(self.covered.value()), baseline })
    }
}
