//! The accuracy of the k most probable classes.

use super::{
    Better, Figure, Measure,
    prior::Prior,
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{error::Error, memory::reserve, nn::TargetKind};

/// The weight of rows whose label is among the k most probable classes.
#[derive(Clone, Debug)]
pub(super) struct TopKAccuracy {
    k: usize,
    hits: ExactSum,
}

impl TopKAccuracy {
    pub fn new(outputs: Outputs, k: usize) -> Result<Self, Error> {
        if k == 0 || k >= outputs.number {
            let (metric, classes) = ("top_k_accuracy", outputs.number);
            let reason =
                format!("k is {k}: expected at least 1 and fewer than the {classes} classes");
            return Err(Error::UndefinedMetric { metric, reason });
        }
        Ok(Self { k, hits: ExactSum::default() })
    }
}

impl Measure for TopKAccuracy {
    const KINDS: &'static [TargetKind] = &[TargetKind::Classes];
    const BASELINE: &'static str = "k most frequent classes";
    const BETTER: Better = Better::Larger;

    fn add(&mut self, row: &Row<'_>) {
        let Outcome::Class { probabilities, label } = row.outcome else { return };
        let label = label as usize;
        // Of equal probabilities, the smaller class comes first.
        let before = |&(class, &p): &(usize, &f64)| {
            p > probabilities[label] || p == probabilities[label] && class < label
        };
        if probabilities.iter().enumerate().filter(before).count() < self.k {
            self.hits.add(row.weight);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.hits.add_all(&other.hits);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let mut weights = reserve("weights of the classes", prior.outputs.number)?;
        weights.extend((0..prior.outputs.number).map(|class| prior.weight_of(class)));
        weights.sort_unstable_by(|a, b| f64::total_cmp(b, a));
        let most: ExactSum = weights[..self.k].iter().copied().sum();
        let share = |sum: &ExactSum| sum.value() / prior.weight();
        Ok(Figure { value: share(&self.hits), baseline: Some(share(&most)) })
    }
}
