//! The root mean squared error, and R².

use std::marker::PhantomData;

use super::{
    Better, Figure, Measure,
    prior::{Prior, add_all, sums},
    row::{Outcome, Outputs, Row},
    sum::ExactSum,
};
use crate::{error::Error, nn::TargetKind};

/// A figure of an output, made from sums of squares.
pub(super) trait OfSquares: Clone + std::fmt::Debug + 'static {
    const BETTER: Better;
    /// The figure, given the sum of squared errors, that of the squared distances from the mean of
    /// the targets, and the weight of all rows.
    fn of(errors: f64, distances: f64, weight: f64, output: usize) -> Result<f64, Error>;
}

/// The root mean squared error.
#[derive(Clone, Debug)]
pub(super) struct RootOfMean;

impl OfSquares for RootOfMean {
    const BETTER: Better = Better::Smaller;

    fn of(errors: f64, _: f64, weight: f64, _: usize) -> Result<f64, Error> {
        Ok((errors / weight).sqrt())
    }
}

/// The share of the variance that the predictions explain.
#[derive(Clone, Debug)]
pub(super) struct Explained;

impl OfSquares for Explained {
    const BETTER: Better = Better::Larger;

    fn of(errors: f64, distances: f64, _: f64, output: usize) -> Result<f64, Error> {
        if distances == 0.0 {
            let reason = format!("all targets of output {output} are equal");
            return Err(Error::UndefinedMetric { metric: "r2", reason });
        }
        Ok(1.0 - errors / distances)
    }
}

pub(super) type Rmse = Squared<RootOfMean>;
pub(super) type R2 = Squared<Explained>;

/// The sum of w times the squared error, for each output.
#[derive(Clone, Debug)]
pub(super) struct Squared<F> {
    outputs: Outputs,
    errors: Vec<ExactSum>,
    figure: PhantomData<F>,
}

impl<F: OfSquares> Squared<F> {
    pub fn new(outputs: Outputs) -> Result<Self, Error> {
        Ok(Self { outputs, errors: sums(outputs.number)?, figure: PhantomData })
    }
}

impl<F: OfSquares> Measure for Squared<F> {
    const KINDS: &'static [TargetKind] = &[TargetKind::Values];
    const BASELINE: &'static str = "mean of targets";
    const BETTER: Better = F::BETTER;

    fn add(&mut self, row: &Row<'_>) {
        if let Outcome::Values { means, values, .. } = row.outcome {
            let points = self.outputs.points(means);
            for (errors, (&y, &t)) in self.errors.iter_mut().zip(points.iter().zip(values)) {
                let distance = f64::from(t) - y;
                errors.add_product(row.weight, distance * distance);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        add_all(&mut self.errors, &other.errors);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let (outputs, weight) = (prior.outputs.number, prior.weight());
        let [mut value, mut baseline] = [0.0; 2];
        for (output, errors) in self.errors.iter().enumerate() {
            let distances = prior.squared_distances(output);
            value += F::of(errors.value(), distances, weight, output)?;
            baseline += F::of(distances, distances, weight, output)?;
        }
        let mean = |sum| sum / outputs as f64;
        Ok(Figure { value: mean(value), baseline: Some(mean(baseline)) })
    }
}
