//! The Brier score.

use super::{
    Figure, Measure,
    prior::Prior,
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{error::Error, nn::TargetKind};

/// The sum of w times the row's squared distances.
#[derive(Clone, Debug)]
pub(super) struct Brier {
    /// What the sum over a row's outputs is divided by.
    each: f64,
    sum: ExactSum,
}

impl Brier {
    pub fn new(outputs: Outputs) -> Result<Self, Error> {
        let each = match outputs.kind() {
            // Both classes are equally far away.
            TargetKind::Classes if outputs.is_two_classes() => 2.0,
            TargetKind::Classes => 1.0,
            _ => outputs.number as f64,
        };
        Ok(Self { each, sum: ExactSum::default() })
    }
}

impl Measure for Brier {
    const KINDS: &'static [TargetKind] = &[TargetKind::Classes, TargetKind::Binary];
    const BASELINE: &'static str = "prior probabilities";
    const ONLY_BITS: bool = false;

    fn add(&mut self, row: &Row<'_>) {
        let squares: f64 = match row.outcome {
            Outcome::Class { probabilities, label } => {
                let target = |class| f64::from(class == label as usize);
                let distances =
                    probabilities.iter().enumerate().map(|(class, p)| p - target(class));
                distances.map(|d| d * d).sum()
            }
            Outcome::Bits { probabilities, bits } => {
                let distances = probabilities.iter().zip(bits).map(|(&p, &t)| p - f64::from(t));
                distances.map(|d| d * d).sum()
            }
            Outcome::Values { .. } => 0.0,
        };
        self.sum.add_product(row.weight, squares);
    }

    fn merge(&mut self, other: &Self) {
        self.sum.add_all(&other.sum);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let all = self.each * prior.weight();
        let distances = (0..prior.outputs.number).map(|output| prior.squared_distances(output));
        Ok(Figure { value: self.sum.value() / all, baseline: Some(distances.sum::<f64>() / all) })
    }
}
