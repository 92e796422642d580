//! How well probabilities match the observed accuracy.

use serde::Serialize;

use super::{
    Figure, Measure,
    prior::Prior,
    row::{Outcome, Outputs, Row, is_one, most_probable},
    sum::ExactSum,
};
use crate::{
    error::{Error, at_most, check_weight},
    memory::reserve,
    nn::TargetKind,
};

/// The most bins.
const MAX_BINS: usize = 1 << 20;

/// Predictions sorted by confidence, the probability of what is predicted, into bins of equal
/// width: bin m of M takes confidences above m / M and up to (m + 1) / M, and the first also 0.
///
/// In a calibrated network, the accuracy of the predictions in a bin equals their mean confidence.
/// The expected calibration error (Guo et al. 2017) is the mean over all predictions of the
/// absolute difference of the two in their bin:
///
/// `sum over bins of (weight of the bin / weight of all) abs(accuracy - mean confidence)`
///
/// ```
/// use thinnet::metrics::Calibration;
///
/// let mut calibration = Calibration::new(10)?;
/// for right in [true, true, true, false] {
///     calibration.add(0.85, right, 1.0)?;
/// }
/// assert!((calibration.error()? - 0.1).abs() < 1e-12);
/// let bin = calibration.bins().nth(8).unwrap();
/// assert_eq!((bin.rows, bin.accuracy), (4, Some(0.75)));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Calibration {
    bins: Vec<Sums>,
    rows: usize,
}

/// The sums over the predictions of a bin.
#[derive(Clone, Debug, Default)]
struct Sums {
    rows: usize,
    weight: ExactSum,
    right: ExactSum,
    confidence: ExactSum,
}

/// The predictions in a bin of a [`Calibration`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CalibrationBin {
    /// Their number.
    pub rows: usize,
    /// The sum of their weights.
    pub weight: f64,
    /// The fraction of the weight that is right; `None` if the bin has no weight.
    pub accuracy: Option<f64>,
    /// The mean confidence; `None` if the bin has no weight.
    pub confidence: Option<f64>,
}

impl Calibration {
    /// Makes empty bins.
    ///
    /// # Errors
    /// There are no bins or more than 2^20, or not enough memory.
    pub fn new(bins: usize) -> Result<Self, Error> {
        if bins == 0 {
            return Err(Error::Zero { what: "bins of a calibration", expected: "at least one" });
        }
        at_most("bins of a calibration", MAX_BINS, bins)?;
        let mut sums = reserve("bins of a calibration", bins)?;
        sums.resize(bins, Sums::default());
        Ok(Self { bins: sums, rows: 0 })
    }

    /// Adds a prediction: the probability of the predicted class, whether it is right, and its
    /// weight, 1 for all to count the same.
    ///
    /// # Errors
    /// The confidence is not from 0 to 1, or the weight is negative or not finite.
    pub fn add(&mut self, confidence: f64, right: bool, weight: f64) -> Result<(), Error> {
        if !(0.0..=1.0).contains(&confidence) {
            let (what, expected) = ("confidence", "a number from 0 to 1");
            let row = self.rows;
            return Err(Error::RowNumber { what, row, column: None, value: confidence, expected });
        }
        check_weight(weight, self.rows)?;
        self.count(confidence, right, weight);
        Ok(())
    }

    /// [`Self::add`] of numbers that have been checked.
    fn count(&mut self, confidence: f64, right: bool, weight: f64) {
        let bins = self.bins.len();
        let bin = ((confidence * bins as f64) as usize).min(bins - 1);
        // A confidence at the edge, or that the product rounded up, is in the bin below.
        let above = bin == 0 || confidence > bin as f64 / bins as f64;
        let bin = &mut self.bins[if above { bin } else { bin - 1 }];
        self.rows += 1;
        bin.rows += 1;
        bin.weight.add(weight);
        bin.right.add(if right { weight } else { 0.0 });
        bin.confidence.add_product(weight, confidence);
    }

    /// Adds the predictions of another calibration.
    ///
    /// # Errors
    /// It has another number of bins.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        crate::error::same_size("bins of a calibration", self.bins.len(), other.bins.len())?;
        self.count_all(other);
        Ok(())
    }

    /// [`Self::merge`] with one that has as many bins.
    fn count_all(&mut self, other: &Self) {
        self.rows += other.rows;
        for (to, from) in self.bins.iter_mut().zip(&other.bins) {
            to.rows += from.rows;
            to.weight.add_all(&from.weight);
            to.right.add_all(&from.right);
            to.confidence.add_all(&from.confidence);
        }
    }

    /// The bins, in ascending order of confidence.
    pub fn bins(&self) -> impl ExactSizeIterator<Item = CalibrationBin> {
        self.bins.iter().map(|bin| {
            let weight = bin.weight.value();
            let mean = |sum: &ExactSum| (weight > 0.0).then(|| sum.value() / weight);
            let [accuracy, confidence] = [&bin.right, &bin.confidence].map(mean);
            CalibrationBin { rows: bin.rows, weight, accuracy, confidence }
        })
    }

    /// The expected calibration error.
    ///
    /// # Errors
    /// There are no predictions, or the sum of their weights is 0.
    pub fn error(&self) -> Result<f64, Error> {
        let [mut distance, mut weight] = [0.0; 2];
        for bin in &self.bins {
            distance += (bin.right.value() - bin.confidence.value()).abs();
            weight += bin.weight.value();
        }
        super::check_rows("calibration_error", self.rows, weight)?;
        Ok(distance / weight)
    }
}

/// The expected calibration error as a [`Metric`](super::Metric).
#[derive(Clone, Debug)]
pub(super) struct CalibrationError(Calibration);

impl CalibrationError {
    pub fn new(_: Outputs, bins: usize) -> Result<Self, Error> {
        Ok(Self(Calibration::new(bins)?))
    }
}

impl Measure for CalibrationError {
    const KINDS: &'static [TargetKind] = &[TargetKind::Classes, TargetKind::Binary];
    const BASELINE: &'static str = "prior probabilities";

    fn add(&mut self, row: &Row<'_>) {
        match row.outcome {
            Outcome::Class { probabilities, label } => {
                let class = most_probable(probabilities);
                self.0.count(probabilities[class], class == label as usize, row.weight);
            }
            Outcome::Bits { probabilities, bits } => {
                for (&p, &t) in probabilities.iter().zip(bits) {
                    self.0.count(p.max(1.0 - p), is_one(p) == is_one(t), row.weight);
                }
            }
            Outcome::Values { .. } => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        self.0.count_all(&other.0);
    }

    fn figure(&self, _: &Prior) -> Result<Figure, Error> {
        // The prior probabilities are right as often as they say. That says nothing about how
        // useful they are.
        Ok(Figure { value: self.0.error()?, baseline: Some(0.0) })
    }
}
