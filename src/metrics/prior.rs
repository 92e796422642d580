//! What is known of the targets alone: the baselines.

use super::{
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{error::Error, memory::reserve, nn::TargetKind};

/// Statistics of the targets, from which the baselines are computed.
#[derive(Clone, Debug)]
pub(super) struct Prior {
    pub outputs: Outputs,
    pub rows: usize,
    weight: ExactSum,
    /// For each output, the sum of w t; for classes t is 1 for the label and 0 for the others.
    sums: Vec<ExactSum>,
    /// The same of w t²; empty for classes, for which it is equal.
    squares: Vec<ExactSum>,
}

/// Sums that are 0, one for each output.
pub(super) fn sums(outputs: usize) -> Result<Vec<ExactSum>, Error> {
    let mut sums = reserve("sums of a metric", outputs)?;
    sums.resize(outputs, ExactSum::default());
    Ok(sums)
}

/// Adds each sum of `other` to that of `to`.
pub(super) fn add_all(to: &mut [ExactSum], other: &[ExactSum]) {
    to.iter_mut().zip(other).for_each(|(to, sum)| to.add_all(sum));
}

impl Prior {
    pub fn new(outputs: Outputs) -> Result<Self, Error> {
        let squares = if outputs.kind() == TargetKind::Classes { 0 } else { outputs.number };
        Ok(Self {
            outputs,
            rows: 0,
            weight: ExactSum::default(),
            sums: sums(outputs.number)?,
            squares: sums(squares)?,
        })
    }

    pub fn add(&mut self, row: &Row<'_>) {
        match row.outcome {
            Outcome::Class { label, .. } => {
                self.rows += 1;
                self.weight.add(row.weight);
                self.sums[label as usize].add(row.weight);
            }
            Outcome::Bits { bits: targets, .. } | Outcome::Values { values: targets, .. } => {
                self.add_numbers(targets, row.weight);
            }
        }
    }

    /// Adds a row of bits or values.
    pub fn add_numbers(&mut self, targets: &[f32], weight: f64) {
        self.rows += 1;
        self.weight.add(weight);
        let sums = self.sums.iter_mut().zip(&mut self.squares);
        for (&t, (sum, squares)) in targets.iter().zip(sums) {
            let t = f64::from(t);
            sum.add_product(weight, t);
            // The square of an f32 is an exact f64.
            squares.add_product(weight, t * t);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.weight.add_all(&other.weight);
        add_all(&mut self.sums, &other.sums);
        add_all(&mut self.squares, &other.squares);
    }

    /// The sum of the weights.
    pub fn weight(&self) -> f64 {
        self.weight.value()
    }

    /// The weight of an output's class, or of the rows that have its bit.
    pub fn weight_of(&self, output: usize) -> f64 {
        self.sums[output].value()
    }

    /// The share of an output's class or bit, or the mean of its targets.
    pub fn mean(&self, output: usize) -> f64 {
        self.weight_of(output) / self.weight()
    }

    /// The mean of a function of each output's mean.
    pub fn mean_of(&self, of: impl Fn(f64) -> f64) -> f64 {
        (0..self.outputs.number).map(|output| of(self.mean(output))).sum::<f64>()
            / self.outputs.number as f64
    }

    /// `sum w (t - mean)²` of an output. It is exactly 0 if all targets are equal.
    pub fn squared_distances(&self, output: usize) -> f64 {
        let sums = &self.sums[output];
        let squares = self.squares.get(output).unwrap_or(sums);
        ExactSum::product_less_square(&self.weight, squares, sums) / self.weight()
    }

    /// The class with the largest weight, the first of equal ones.
    pub fn majority(&self) -> usize {
        let weight = |class| self.weight_of(class);
        (1..self.outputs.number)
            .fold(0, |best, class| if weight(class) > weight(best) { class } else { best })
    }
}
