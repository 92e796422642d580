//! How often targets lie in the intervals that were predicted for them.

use super::{
    Figure, check_rows,
    collected::Collected,
    prior::{Prior, add_all, sums},
    row::{Outputs, check_values},
    sum::ExactSum,
};
use crate::{
    error::{Error, check_weight, same_size},
    nn::Loss,
};

/// The fraction of targets within their predicted intervals, whose ends belong to them. Intervals
/// for 95 % should cover 95 % of the targets, and be narrow.
///
/// The baseline is how many targets an interval of the same mean width covers that lies around the
/// mean of the targets in all rows.
///
/// ```
/// use thinnet::metrics::IntervalCoverage;
///
/// let mut coverage = IntervalCoverage::new(1)?;
/// for (interval, target) in [([0.0, 1.0], 0.5), ([2.0, 3.0], 2.5), ([4.0, 5.0], 6.0)] {
///     coverage.add(&[interval], &[target], 1.0)?;
/// }
/// let figure = coverage.figure()?;
/// assert_eq!((figure.value, figure.baseline), (2.0 / 3.0, Some(1.0 / 3.0)));
/// assert_eq!(coverage.mean_width(0)?, 1.0);
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// The intervals are those of [`Estimate::predictive_interval`](crate::predict::Estimate) or of two
/// quantiles.
#[derive(Clone, Debug)]
pub struct IntervalCoverage {
    covered: ExactSum,
    /// The sum of w times the width, for each output.
    widths: Vec<ExactSum>,
    prior: Prior,
    targets: Collected,
}

impl IntervalCoverage {
    /// Makes one without rows, for rows of so many outputs.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn new(outputs: usize) -> Result<Self, Error> {
        Ok(Self {
            covered: ExactSum::default(),
            widths: sums(outputs)?,
            prior: Prior::new(Outputs { loss: Loss::SquaredError, number: outputs })?,
            targets: Collected::new(outputs),
        })
    }

    /// Adds a row: the lower and upper end for each output, the targets, and the row's weight, 1 for
    /// all rows to count the same.
    ///
    /// # Errors
    /// There is not one interval and one target for each output; a target is not finite; an end is
    /// NaN or the lower one is above the upper one, or a width is not finite; the weight is negative
    /// or not finite; there is not enough memory. Then nothing has changed.
    pub fn add(
        &mut self,
        intervals: &[[f64; 2]],
        targets: &[f32],
        weight: f64,
    ) -> Result<(), Error> {
        let (outputs, row) = (self.prior.outputs, self.prior.rows);
        same_size("intervals of a row", outputs.number, intervals.len())?;
        let width = |&[low, high]: &[f64; 2]| high - low;
        let bad = |interval: &[f64; 2]| !(width(interval).is_finite() && width(interval) >= 0.0);
        if let Some(column) = intervals.iter().position(bad) {
            let (what, expected) = ("width of an interval", "a finite number of at least 0");
            let value = width(&intervals[column]);
            return Err(Error::RowNumber { what, row, column: Some(column), value, expected });
        }
        check_values(outputs.number, targets, row)?;
        check_weight(weight, row)?;
        self.targets.reserve(1)?;
        self.prior.add_numbers(targets, weight);
        self.targets.add(targets, weight);
        for (output, interval) in intervals.iter().enumerate() {
            let target = f64::from(targets[output]);
            if (interval[0]..=interval[1]).contains(&target) {
                self.covered.add(weight);
            }
            self.widths[output].add_product(weight, width(interval));
        }
        Ok(())
    }

    /// Adds the rows of another one.
    ///
    /// # Errors
    /// It has another number of outputs, or there is not enough memory. Then nothing has changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        same_size("outputs", self.prior.outputs.number, other.prior.outputs.number)?;
        self.targets.reserve(other.targets.rows())?;
        self.covered.add_all(&other.covered);
        add_all(&mut self.widths, &other.widths);
        self.prior.merge(&other.prior);
        self.targets.merge(&other.targets);
        Ok(())
    }

    /// The mean width of an output's intervals.
    ///
    /// # Errors
    /// There is no such output, there are no rows, or the sum of their weights is 0.
    pub fn mean_width(&self, output: usize) -> Result<f64, Error> {
        crate::error::below("output", self.widths.len(), output)?;
        self.check()?;
        Ok(self.widths[output].value() / self.prior.weight())
    }

    /// The fraction of targets that are covered.
    ///
    /// # Errors
    /// There are no rows, or the sum of their weights is 0.
    pub fn figure(&self) -> Result<Figure, Error> {
        self.check()?;
        let weight = self.prior.weight();
        let share = |covered: f64| covered / (self.widths.len() as f64 * weight);
        let around_mean = self.targets.sum_of(&self.prior, |t, mean, output| {
            f64::from((t - mean).abs() <= 0.5 * self.widths[output].value() / weight)
        });
        let baseline = Some(share(around_mean));
        Ok(Figure { value: share(self.covered.value()), baseline })
    }

    fn check(&self) -> Result<(), Error> {
        check_rows("interval_coverage", self.prior.rows, self.prior.weight())
    }
}
