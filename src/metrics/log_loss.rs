//! The log loss, or cross-entropy.

use super::{
    Figure, Measure,
    prior::Prior,
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{error::Error, nn::TargetKind};

/// The sum of w times the loss.
#[derive(Clone, Debug)]
pub(super) struct LogLoss {
    sum: ExactSum,
}

impl LogLoss {
    pub fn new(_: Outputs) -> Result<Self, Error> {
        Ok(Self { sum: ExactSum::default() })
    }
}

/// `-t ln p`, with 0 for t = 0 whatever p is.
fn term(t: f64, p: f64) -> f64 {
    if t == 0.0 { 0.0 } else { -t * libm::log(p) }
}

/// The cross-entropy of a bit.
fn of_bit(t: f64, p: f64) -> f64 {
    term(t, p) + term(1.0 - t, 1.0 - p)
}

impl Measure for LogLoss {
    const KINDS: &'static [TargetKind] = &[TargetKind::Classes, TargetKind::Binary];
    const BASELINE: &'static str = "prior probabilities";
    const ONLY_BITS: bool = false;

    fn add(&mut self, row: &Row<'_>) {
        let loss = row.loss.unwrap_or_else(|| match row.outcome {
            Outcome::Class { probabilities, label } => term(1.0, probabilities[label as usize]),
            Outcome::Bits { probabilities, bits } => {
                let pairs = probabilities.iter().zip(bits);
                pairs.map(|(&p, &t)| of_bit(t.into(), p)).sum::<f64>() / bits.len() as f64
            }
            Outcome::Values { .. } => 0.0,
        });
        // A row of weight 0 does not count, even if its loss is infinite.
        if row.weight > 0.0 {
            self.sum.add_product(row.weight, loss);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sum.add_all(&other.sum);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let baseline = match prior.outputs.kind() {
            TargetKind::Classes => (0..prior.outputs.number)
                .map(|class| term(prior.mean(class), prior.mean(class)))
                .sum(),
            _ => prior.mean_of(|share| of_bit(share, share)),
        };
        Ok(Figure { value: self.sum.value() / prior.weight(), baseline: Some(baseline) })
    }
}
