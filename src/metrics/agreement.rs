//! Precision, recall and F1.

use std::marker::PhantomData;

use super::{
    Average, Better, Figure, Measure,
    prior::{Prior, add_all, sums},
    row::{Outcome, Outputs, Row, is_one},
    sum::ExactSum,
};
use crate::{error::Error, nn::TargetKind};

/// What of a class or bit was predicted, and what was there: weights of rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Rows that have it and for which it was predicted.
    hits: f64,
    /// Rows for which it was predicted.
    predicted: f64,
    /// Rows that have it.
    actual: f64,
}

impl Counts {
    /// Whether no row has it or was predicted to have it.
    fn is_absent(self) -> bool {
        self.predicted == 0.0 && self.actual == 0.0
    }
}

/// A fraction of counts.
pub(super) trait Fraction: Clone + std::fmt::Debug + 'static {
    const NAME: &'static str;
    /// Why it is undefined if the denominator is 0.
    const UNDEFINED: &'static str;
    /// The numerator and the denominator.
    fn of(counts: Counts) -> [f64; 2];
}

/// Of the rows for which it was predicted, those that have it.
#[derive(Clone, Debug)]
pub(super) struct OfPredicted;

impl Fraction for OfPredicted {
    const NAME: &'static str = "precision";
    const UNDEFINED: &'static str = "is predicted for no row";

    fn of(counts: Counts) -> [f64; 2] {
        [counts.hits, counts.predicted]
    }
}

/// Of the rows that have it, those for which it was predicted.
#[derive(Clone, Debug)]
pub(super) struct OfActual;

impl Fraction for OfActual {
    const NAME: &'static str = "recall";
    const UNDEFINED: &'static str = "is the target of no row";

    fn of(counts: Counts) -> [f64; 2] {
        [counts.hits, counts.actual]
    }
}

/// The harmonic mean of precision and recall.
#[derive(Clone, Debug)]
pub(super) struct OfBoth;

impl Fraction for OfBoth {
    const NAME: &'static str = "f1";
    const UNDEFINED: &'static str = "is neither predicted for nor the target of any row";

    fn of(counts: Counts) -> [f64; 2] {
        [2.0 * counts.hits, counts.predicted + counts.actual]
    }
}

pub(super) type Precision = Agreement<OfPredicted>;
pub(super) type Recall = Agreement<OfActual>;
pub(super) type F1 = Agreement<OfBoth>;

/// The counts of all classes or bits.
#[derive(Clone, Debug)]
pub(super) struct Agreement<F> {
    average: Average,
    hits: Vec<ExactSum>,
    predicted: Vec<ExactSum>,
    fraction: PhantomData<F>,
}

impl<F: Fraction> Agreement<F> {
    pub fn new(outputs: Outputs, average: Average) -> Result<Self, Error> {
        Ok(Self {
            average: average.of(outputs)?,
            hits: sums(outputs.number)?,
            predicted: sums(outputs.number)?,
            fraction: PhantomData,
        })
    }

    fn fraction(&self, prior: &Prior, all: &dyn Fn(usize) -> Counts) -> Result<f64, Error> {
        let (number, classes) = (prior.outputs.number, prior.outputs.kind() == TargetKind::Classes);
        let undefined = |which| {
            Err(Error::UndefinedMetric {
                metric: F::NAME,
                reason: format!("{which} {}", F::UNDEFINED),
            })
        };
        let of = |output: usize| match F::of(all(output)) {
            [_, 0.0] => undefined(format!("{} {output}", if classes { "class" } else { "bit" })),
            [above, below] => Ok(above / below),
        };
        let (mut sum, mut weights) = (0.0, 0.0);
        match self.average {
            Average::Of(output) => return of(output),
            Average::Macro | Average::Usual => {
                for output in (0..number).filter(|&i| !(classes && all(i).is_absent())) {
                    sum += of(output)?;
                    weights += 1.0;
                }
            }
            Average::Weighted => {
                for output in (0..number).filter(|&output| all(output).actual > 0.0) {
                    let weight = all(output).actual;
                    sum += weight * of(output)?;
                    weights += weight;
                }
            }
            Average::Micro => {
                for output in 0..number {
                    let [above, below] = F::of(all(output));
                    sum += above;
                    weights += below;
                }
            }
        }
        if weights == 0.0 {
            return undefined(if classes { "any class" } else { "any bit" }.to_owned());
        }
        Ok(sum / weights)
    }
}

impl<F: Fraction> Measure for Agreement<F> {
    const KINDS: &'static [TargetKind] = &[TargetKind::Classes, TargetKind::Binary];
    const BASELINE: &'static str = "majority class";
    const BETTER: Better = Better::Larger;

    fn add(&mut self, row: &Row<'_>) {
        match row.outcome {
            Outcome::Class { probabilities, label } => {
                let class = row.predicted(probabilities);
                self.predicted[class].add(row.weight);
                if class == label as usize {
                    self.hits[class].add(row.weight);
                }
            }
            Outcome::Bits { probabilities, bits } => {
                for (bit, (&p, &t)) in probabilities.iter().zip(bits).enumerate() {
                    if row.predicts(p) {
                        self.predicted[bit].add(row.weight);
                        self.hits[bit].add(if is_one(t) { row.weight } else { 0.0 });
                    }
                }
            }
            Outcome::Values { .. } => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        add_all(&mut self.hits, &other.hits);
        add_all(&mut self.predicted, &other.predicted);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let found = |output: usize| Counts {
            hits: self.hits[output].value(),
            predicted: self.predicted[output].value(),
            actual: prior.weight_of(output),
        };
        let (majority, rows) = (prior.majority(), prior.weight());
        let constant = |output: usize| {
            let actual = prior.weight_of(output);
            let always = match prior.outputs.kind() {
                TargetKind::Classes => output == majority,
                _ => actual > rows - actual,
            };
            let counts = Counts { hits: actual, predicted: rows, actual };
            if always { counts } else { Counts { actual, ..Counts::default() } }
        };
        // Where a constant prediction has no such figure, there is no baseline.
        let baseline = self.fraction(prior, &constant).ok();
        Ok(Figure { value: self.fraction(prior, &found)?, baseline })
    }
}
