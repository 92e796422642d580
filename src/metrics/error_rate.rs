//! The error rate and the accuracy.

use super::{
    Better, Figure, Measure,
    prior::Prior,
    row::{Outcome, Outputs, Row, is_one},
    sum::ExactSum,
};
use crate::{error::Error, nn::TargetKind};

/// The weight of wrong predictions.
#[derive(Clone, Debug)]
pub(super) struct ErrorRate {
    wrong: ExactSum,
}

impl ErrorRate {
    pub fn new(_: Outputs) -> Result<Self, Error> {
        Ok(Self { wrong: ExactSum::default() })
    }
}

impl Measure for ErrorRate {
    const KINDS: &'static [TargetKind] = &[TargetKind::Classes, TargetKind::Binary];
    const BASELINE: &'static str = "majority class";

    fn add(&mut self, row: &Row<'_>) {
        let wrong = match row.outcome {
            Outcome::Class { probabilities, label } => {
                usize::from(row.predicted(probabilities) != label as usize)
            }
            Outcome::Bits { probabilities, bits } => {
                let pairs = probabilities.iter().zip(bits);
                pairs.filter(|&(&p, &t)| row.predicts(p) != is_one(t)).count()
            }
            Outcome::Values { .. } => 0,
        };
        self.wrong.add_product(row.weight, wrong as f64);
    }

    fn merge(&mut self, other: &Self) {
        self.wrong.add_all(&other.wrong);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let all = prior.weight();
        let (each, baseline) = match prior.outputs.kind() {
            TargetKind::Classes => (1.0, all - prior.weight_of(prior.majority())),
            _ => {
                let rarer = |bit| prior.weight_of(bit).min(all - prior.weight_of(bit));
                let bits = prior.outputs.number;
                (bits as f64, (0..bits).map(rarer).sum())
            }
        };
        let rate = |wrong: f64| wrong / (each * all);
        Ok(Figure { value: rate(self.wrong.value()), baseline: Some(rate(baseline)) })
    }
}

/// 1 - the error rate.
#[derive(Clone, Debug)]
pub(super) struct Accuracy(ErrorRate);

impl Accuracy {
    pub fn new(outputs: Outputs) -> Result<Self, Error> {
        Ok(Self(ErrorRate::new(outputs)?))
    }
}

impl Measure for Accuracy {
    const KINDS: &'static [TargetKind] = ErrorRate::KINDS;
    const BASELINE: &'static str = ErrorRate::BASELINE;
    const BETTER: Better = Better::Larger;

    fn add(&mut self, row: &Row<'_>) {
        self.0.add(row);
    }

    fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let Figure { value, baseline } = self.0.figure(prior)?;
        Ok(Figure { value: 1.0 - value, baseline: baseline.map(|error| 1.0 - error) })
    }
}
