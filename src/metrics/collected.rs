//! The targets of all rows, for baselines that need the mean before the first distance.

use super::prior::Prior;
use crate::{error::Error, memory::reserve, metrics::sum::ExactSum};

/// Targets and weights in the order of the rows.
#[derive(Clone, Debug)]
pub(super) struct Collected {
    outputs: usize,
    /// `[rows][outputs]`
    targets: Vec<f32>,
    /// `[rows]`
    weights: Vec<f64>,
}

impl Collected {
    pub fn new(outputs: usize) -> Self {
        Self { outputs, targets: Vec::new(), weights: Vec::new() }
    }

    /// Makes room for more rows.
    pub fn reserve(&mut self, rows: usize) -> Result<(), Error> {
        let shape = [self.weights.len().saturating_add(rows), self.outputs];
        let too_large = || Error::TooLarge { what: "targets", shape };
        let numbers = rows.checked_mul(self.outputs).ok_or_else(too_large)?;
        self.targets.try_reserve(numbers).map_err(|_| too_large())?;
        self.weights.try_reserve(rows).map_err(|_| too_large())
    }

    pub fn rows(&self) -> usize {
        self.weights.len()
    }

    pub fn add(&mut self, targets: &[f32], weight: f64) {
        self.targets.extend(targets);
        self.weights.push(weight);
    }

    pub fn merge(&mut self, other: &Self) {
        self.targets.extend(&other.targets);
        self.weights.extend(&other.weights);
    }

    /// The quantiles of each output's targets as `[levels][outputs]`, for ascending levels: of level q
    /// the least target t for which the weight of the targets up to t is at least q times that of all.
    pub fn quantiles(&self, prior: &Prior, levels: &[f32]) -> Result<Vec<f64>, Error> {
        let mut found = reserve("quantiles of targets", levels.len() * self.outputs)?;
        found.resize(levels.len() * self.outputs, 0.0);
        let mut sorted: Vec<(f32, f64)> = reserve("targets", self.rows())?;
        for output in 0..self.outputs {
            let targets = self.targets.iter().skip(output).step_by(self.outputs);
            sorted.clear();
            sorted.extend(targets.copied().zip(self.weights.iter().copied()));
            sorted.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
            let mut rest = sorted.iter();
            let (mut target, mut weight) = (0.0, ExactSum::default());
            for (place, &level) in levels.iter().enumerate() {
                while weight.value() < f64::from(level) * prior.weight()
                    && let Some(&(next, of_next)) = rest.next()
                {
                    target = next;
                    weight.add(of_next);
                }
                found[place * self.outputs + output] = target.into();
            }
        }
        Ok(found)
    }

    /// The sum over rows and outputs of w times a function of the target, the mean of its output, and
    /// the output.
    pub fn sum_of(&self, prior: &Prior, of: impl Fn(f64, f64, usize) -> f64) -> f64 {
        let mut sum = ExactSum::default();
        for output in 0..self.outputs {
            let mean = prior.mean(output);
            let targets = self.targets.iter().skip(output).step_by(self.outputs);
            for (&weight, &t) in self.weights.iter().zip(targets) {
                sum.add_product(weight, of(t.into(), mean, output));
            }
        }
        sum.value()
    }
}
