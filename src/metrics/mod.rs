//! Metrics: how good predictions are, beside what a constant prediction would give.
//!
//! [`Metrics`] takes the rows one by one, with a [`weight`](Row::weight) each if they are to count
//! differently, and returns a [`Figure`] for each [`Metric`], or says why there is none. Parts of the
//! data can be measured separately, and then [merged](Metrics::merge).
//!
//! Rows are summed exactly, and each sum is rounded once. So a figure has the same bits however the
//! rows are ordered, divided into batches or among threads. The definitions are those of
//! scikit-learn; where that returns a number for a figure that is undefined, such as the recall of a
//! class without rows, this is an error.
//!
//! ```
//! use thinnet::{metrics::{Metric, Metrics, Row}, nn::Loss};
//!
//! // One row in 60 is of class 1, and the network always answers class 0.
//! let wanted = [Metric::ErrorRate, "recall".parse()?, Metric::AveragePrecision];
//! let mut metrics = Metrics::new(&wanted, Loss::SoftmaxCrossEntropy, 2)?;
//! for row in 0..600 {
//!     metrics.add(&Row::class(&[0.98, 0.02], u32::from(row % 60 == 0)))?;
//! }
//! // 1.67 % wrong sounds good, but the baseline is as good.
//! let error = metrics.figure(Metric::ErrorRate)?;
//! assert_eq!((error.value, error.baseline), (10.0 / 600.0, Some(10.0 / 600.0)));
//! assert_eq!(metrics.figure(wanted[1])?.value, 0.0);
//! assert_eq!(metrics.figure(Metric::AveragePrecision)?.value, 10.0 / 600.0);
//! # Ok::<(), thinnet::Error>(())
//! ```
//!
//! Some figures have inputs of their own, and so types of their own: [`Calibration`],
//! [`ConfusionMatrix`], [`IntervalCoverage`] and [`LogLikelihood`]. [`threshold()`] chooses from which
//! probability on the answer is yes, for F1 or for stated costs.

mod absolute;
mod agreement;
mod average;
mod better;
mod brier;
mod calibration;
mod collected;
mod confusion;
mod coverage;
mod error_rate;
mod gaussian;
mod likelihood;
mod log_loss;
mod metric;
mod pinball;
mod poisson;
mod prior;
mod quantile_coverage;
mod ranking;
mod row;
mod squared;
mod sum;
mod threshold;
mod top_k;

use std::fmt;

use serde::Serialize;

pub use average::Average;
pub use better::Better;
pub use calibration::{Calibration, CalibrationBin};
pub use confusion::ConfusionMatrix;
pub use coverage::IntervalCoverage;
pub(crate) use likelihood::check_precision;
pub use likelihood::{LogLikelihood, log_likelihood, normal_log_likelihood};
pub use metric::Metric;
use metric::Running;
use prior::Prior;
pub use ranking::{average_precision, roc_auc};
pub use row::Row;
pub(crate) use row::is_one;
use row::{Outcome, Outputs, first_point};
pub(crate) use sum::ExactSum;
pub use threshold::{Aim, Threshold, threshold};

use crate::{
    error::Error,
    memory::reserve,
    nn::{Loss, TargetKind},
};

/// A figure, and that of a constant prediction.
///
/// ```
/// use thinnet::{metrics::{Metric, Metrics, Row}, nn::Loss};
///
/// let mut metrics = Metrics::new(&[Metric::Rmse], Loss::SquaredError, 1)?;
/// metrics.add(&Row::values(&[1.5], &[1.0]))?;
/// metrics.add(&Row::values(&[2.5], &[3.0]))?;
/// let figure = metrics.figure(Metric::Rmse)?;
/// assert_eq!((figure.value, figure.baseline), (0.5, Some(1.0)));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Figure {
    /// That of the predictions.
    pub value: f64,
    /// That of a constant prediction, of which [`Metric::baseline`] says what it is; `None` if it has
    /// none.
    pub baseline: Option<f64>,
}

/// Several metrics of the same rows.
///
/// Most need memory for a few sums per output. Those that need all rows at once keep, per row, a
/// score for each class or bit (ROC-AUC and average precision), or the targets (the mean absolute
/// error, for its baseline).
///
/// The [module](self) has an example.
#[derive(Clone)]
pub struct Metrics {
    prior: Prior,
    running: Vec<(Metric, Running)>,
    /// Whether a metric needs bits that are 0 or 1.
    only_bits: bool,
    confusion: Option<ConfusionMatrix>,
}

impl fmt::Debug for Metrics {
    /// Formats the metrics and the number of rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("metrics", &self.names())
            .field("rows", &self.prior.rows)
            .finish_non_exhaustive()
    }
}

impl Metrics {
    /// Makes metrics without rows, for a network with this loss and so many outputs.
    ///
    /// # Errors
    /// A network with this loss cannot have so many outputs; a metric does not support the loss, is
    /// about a class that does not exist, or has another number that it cannot have; there is not
    /// enough memory.
    pub fn new(metrics: &[Metric], loss: Loss, outputs: usize) -> Result<Self, Error> {
        let outputs = Outputs { loss, number: loss.targets(outputs)? };
        let mut running = reserve("metrics", metrics.len())?;
        let mut only_bits = false;
        for &metric in metrics {
            if first_point(loss).is_none() && metric.supports(Loss::SquaredError) {
                let expected = "one with the level 0.5, the median, for metrics of values";
                return Err(Error::LossKind { loss: loss.name(), expected });
            }
            if !metric.supports(loss) {
                let (metric, loss, kind) = (metric.to_string(), loss.name(), outputs.kind());
                return Err(Error::MetricKind { metric, loss, kind: kind.name() });
            }
            only_bits |= metric.only_bits();
            running.push((metric, Running::new(metric, outputs)?));
        }
        Ok(Self { prior: Prior::new(outputs)?, running, only_bits, confusion: None })
    }

    /// Also counts a confusion matrix of the rows from now on.
    ///
    /// ```
    /// use thinnet::{metrics::{Metrics, Row}, nn::Loss};
    ///
    /// let mut metrics = Metrics::new(&[], Loss::SoftmaxCrossEntropy, 2)?.with_confusion()?;
    /// metrics.add(&Row::class(&[0.75, 0.25], 1))?;
    /// let matrix = metrics.confusion().unwrap();
    /// assert!(matrix.rows().flatten().eq([0.0, 0.0, 1.0, 0.0]));
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The outputs are not classes, or there is not enough memory.
    pub fn with_confusion(self) -> Result<Self, Error> {
        let Outputs { loss, number } = self.prior.outputs;
        let kind = loss.target_kind();
        if kind != TargetKind::Classes {
            let (metric, loss, kind) = ("confusion matrix".to_owned(), loss.name(), kind.name());
            return Err(Error::MetricKind { metric, loss, kind });
        }
        Ok(Self { confusion: Some(ConfusionMatrix::new(number)?), ..self })
    }

    /// The confusion matrix, if one is counted.
    pub fn confusion(&self) -> Option<&ConfusionMatrix> {
        self.confusion.as_ref()
    }

    /// Adds a row.
    ///
    /// # Errors
    /// The row is not of the network's kind or size; a number is NaN; a probability is not from 0 to
    /// 1, or those of the classes do not add up to 1; a value is infinite; the label is not a class;
    /// a bit is not 0 or 1 (log loss and Brier score alone take those between); the weight is
    /// negative or infinite; there is not enough memory. Then nothing has changed.
    pub fn add(&mut self, row: &Row<'_>) -> Result<(), Error> {
        self.prior.outputs.check(row, self.prior.rows, self.only_bits)?;
        self.running.iter_mut().try_for_each(|(_, running)| running.reserve(1))?;
        self.prior.add(row);
        self.running.iter_mut().for_each(|(_, running)| running.add(row));
        if let (Some(matrix), Outcome::Class { probabilities, label }) =
            (&mut self.confusion, row.outcome)
        {
            matrix.count(label, row.predicted(probabilities), row.weight);
        }
        Ok(())
    }

    /// Adds the rows of other metrics.
    ///
    /// # Errors
    /// They are not the same metrics of the same kind and number of outputs, or there is not enough
    /// memory. Then nothing has changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        let same = self.prior.outputs == other.prior.outputs
            && self.metrics().eq(other.metrics())
            && self.confusion.is_some() == other.confusion.is_some();
        if !same {
            return Err(Error::OtherMetrics { into: self.names(), from: other.names() });
        }
        let rows = other.prior.rows;
        self.running.iter_mut().try_for_each(|(_, running)| running.reserve(rows))?;
        self.prior.merge(&other.prior);
        for ((_, to), (_, from)) in self.running.iter_mut().zip(&other.running) {
            to.merge(from);
        }
        if let (Some(to), Some(from)) = (&mut self.confusion, &other.confusion) {
            to.count_all(from);
        }
        Ok(())
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.prior.rows
    }

    /// The metrics, in the order in which they were given.
    pub fn metrics(&self) -> impl ExactSizeIterator<Item = Metric> + '_ {
        self.running.iter().map(|&(metric, _)| metric)
    }

    /// The figure of a metric.
    ///
    /// # Errors
    /// It is not one of the metrics; there are no rows, or the sum of their weights is 0;
    /// [`Error::UndefinedMetric`] if these rows have no such figure.
    pub fn figure(&self, metric: Metric) -> Result<Figure, Error> {
        let found = self.running.iter().find(|(other, _)| *other == metric);
        let (_, running) = found.ok_or_else(|| Error::OtherMetrics {
            into: self.names(),
            from: format!("{metric} of {}", self.outputs_text()),
        })?;
        check_rows(metric.name(), self.prior.rows, self.prior.weight())?;
        running.figure(&self.prior)
    }

    /// All figures, in the order of the metrics.
    pub fn figures(&self) -> impl ExactSizeIterator<Item = (Metric, Result<Figure, Error>)> + '_ {
        self.metrics().map(|metric| (metric, self.figure(metric)))
    }

    /// The metrics and outputs in words, for messages.
    fn names(&self) -> String {
        let mut names: Vec<_> = self.metrics().map(|metric| metric.to_string()).collect();
        names.extend(self.confusion.is_some().then(|| "confusion matrix".to_owned()));
        format!("{} of {}", names.join(", "), self.outputs_text())
    }

    fn outputs_text(&self) -> String {
        let Outputs { loss, number } = self.prior.outputs;
        format!("{} outputs with loss {loss}", number * loss.outputs_per_target())
    }
}

/// Checks that there are rows to average over.
fn check_rows(metric: &'static str, rows: usize, weight: f64) -> Result<(), Error> {
    if rows == 0 {
        return Err(Error::Zero { what: "rows of a metric", expected: "at least one" });
    }
    if weight == 0.0 {
        let reason = "the weights of all rows are 0".to_owned();
        return Err(Error::UndefinedMetric { metric, reason });
    }
    Ok(())
}

/// A metric while rows are added. The rows have been checked.
trait Measure: Sized {
    /// The targets that it takes.
    const KINDS: &'static [TargetKind];
    /// The constant prediction that its baseline is of.
    const BASELINE: &'static str;
    /// Which figures are better.
    const BETTER: Better = Better::Smaller;
    /// Whether bits must be 0 or 1.
    const ONLY_BITS: bool = true;

    /// Whether it has figures for networks with this loss.
    fn supports(loss: Loss) -> bool {
        Self::KINDS.contains(&loss.target_kind()) && first_point(loss).is_some()
    }

    /// Makes room for more rows, if it keeps them.
    fn reserve(&mut self, _rows: usize) -> Result<(), Error> {
        Ok(())
    }

    /// Adds a row.
    fn add(&mut self, row: &Row<'_>);

    /// Adds the rows of another one with the same settings.
    fn merge(&mut self, other: &Self);

    /// The figure. The sum of the weights is above 0.
    fn figure(&self, prior: &Prior) -> Result<Figure, Error>;
}
