//! The log-likelihood of targets under samples of predictions.

use super::{
    Figure, check_rows,
    gaussian::normal,
    prior::Prior,
    row::{Outputs, check_values},
    sum::ExactSum,
};
use crate::{
    error::{Error, check_weight, same_size},
    nn::Loss,
    tensor::MatrixView,
};

/// The log density of the target `t`, whose D outputs have noise of precision `precision`
/// (1 / variance), tau, under the mixture of T samples y, one per row of `samples`:
///
/// `ln (1/T sum_s exp(-tau/2 |t - y_s|²)) + D/2 ln tau - D/2 ln 2 pi`
///
/// (Gal and Ghahramani 2016, the predictive log-likelihood of regression), computed without
/// overflow. NaN in a sample makes it NaN.
///
/// ```
/// use thinnet::{metrics::log_likelihood, tensor::MatrixView};
///
/// let samples = MatrixView::new(&[1.0, 3.0], 2, 1)?;
/// let found = log_likelihood(samples, &[2.0], 1.0)?;
/// // Both are 1 away: the density of a standard normal at 1.
/// assert!((found - (-0.5 - 0.5 * std::f64::consts::TAU.ln())).abs() < 1e-15);
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// There are no samples; the target does not have one value per column, or has a non-finite value;
/// the precision is not positive and finite.
pub fn log_likelihood(
    samples: MatrixView<'_>,
    target: &[f32],
    precision: f64,
) -> Result<f64, Error> {
    check_precision(precision)?;
    check_samples(samples, samples.columns(), target)?;
    let exponent = |sample: &[f32]| {
        let differences = target.iter().zip(sample).map(|(&t, &y)| f64::from(t) - f64::from(y));
        -0.5 * precision * differences.map(|d| d * d).sum::<f64>()
    };
    let each = libm::log(precision) - libm::log(std::f64::consts::TAU);
    Ok(log_mean(samples, exponent) + 0.5 * target.len() as f64 * each)
}

/// The log density of the target `t` under the mixture of T samples, one per row of `samples`, each of
/// which is D independent normal distributions: D means m, then D variances v.
///
/// `ln (1/T sum_s exp(-1/2 sum_d (ln 2 pi v_sd + (t_d - m_sd)² / v_sd)))`
///
/// computed without overflow. NaN in a sample makes it NaN. Such samples are those of a network with
/// the loss [`GaussianNll`](crate::nn::Loss::GaussianNll).
///
/// ```
/// use thinnet::{metrics::normal_log_likelihood, tensor::MatrixView};
///
/// // Two normal distributions around 1 and 3, with variance 4.
/// let samples = MatrixView::new(&[1.0, 4.0, 3.0, 4.0], 2, 2)?;
/// let found = normal_log_likelihood(samples, &[2.0])?;
/// let want = -0.5 * (std::f64::consts::TAU * 4.0).ln() - 0.125;
/// assert!((found - want).abs() < 1e-15);
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// There are no samples; the target does not have one value for every two columns, or has a non-finite
/// value; a variance is not above 0.
pub fn normal_log_likelihood(samples: MatrixView<'_>, target: &[f32]) -> Result<f64, Error> {
    let targets = target.len();
    same_size("means and variances of a sample", 2 * targets, samples.columns())?;
    check_samples(samples, targets, target)?;
    for row in 0..samples.rows() {
        // NaN is propagated.
        let variances = &samples.at(row)[targets..];
        if let Some(column) = variances.iter().position(|&v| v <= 0.0) {
            let (what, value) = ("variance", variances[column].into());
            let (column, expected) = (Some(column), "a number above 0");
            return Err(Error::RowNumber { what, row, column, value, expected });
        }
    }
    let log_density = |sample: &[f32]| {
        let (means, variances) = sample.split_at(targets);
        let each = target.iter().zip(means).zip(variances);
        each.map(|((&t, &m), &v)| -normal(f64::from(t) - f64::from(m), v.into())).sum()
    };
    Ok(log_mean(samples, log_density))
}

/// Checks that there are samples, and a finite target of so many values.
fn check_samples(samples: MatrixView<'_>, values: usize, target: &[f32]) -> Result<(), Error> {
    same_size("values of the target", values, target.len())?;
    if let Some(column) = target.iter().position(|t| !t.is_finite()) {
        let value = target[column];
        return Err(Error::NonFinite { what: "target", row: 0, column, value });
    }
    if samples.rows() == 0 {
        return Err(Error::Zero { what: "samples", expected: "at least one" });
    }
    Ok(())
}

/// The logarithm of the mean over the samples of e to the power of `exponent`.
fn log_mean(samples: MatrixView<'_>, exponent: impl Fn(&[f32]) -> f64) -> f64 {
    let exponents = || (0..samples.rows()).map(|row| exponent(samples.at(row)));
    // NaN is propagated.
    let top = exponents().fold(f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b });
    let sum = match top {
        // Every sample is infinitely far away.
        f64::NEG_INFINITY => top,
        _ => top + libm::log(exponents().map(|e| libm::exp(e - top)).sum::<f64>()),
    };
    sum - libm::log(samples.rows() as f64)
}

/// Checks the precision of a target's noise.
pub(crate) fn check_precision(precision: f64) -> Result<f64, Error> {
    if precision.is_finite() && precision > 0.0 && (1.0 / precision).is_finite() {
        return Ok(precision);
    }
    let expected = "a finite number above 0";
    Err(Error::OutOfRange { what: "precision", value: precision, expected })
}

/// The mean log-likelihood of the targets of many rows, each of which is
/// [`log_likelihood`] or [`Estimate::log_likelihood`](crate::predict::Estimate::log_likelihood).
///
/// The baseline is that of a normal distribution for each output, the same in all rows, with the
/// mean and the variance of the targets:
///
/// `-1/2 sum over outputs of (1 + ln 2 pi + ln variance)`
///
/// It has none if all targets of an output are equal.
///
/// ```
/// use thinnet::{metrics::{LogLikelihood, log_likelihood}, tensor::MatrixView};
///
/// let mut test = LogLikelihood::new(1)?;
/// for (samples, target) in [([0.9, 1.1], 1.0), ([-1.2, -0.9], -1.0)] {
///     let found = log_likelihood(MatrixView::new(&samples, 2, 1)?, &[target], 100.0)?;
///     test.add(found, &[target], 1.0)?;
/// }
/// let figure = test.figure()?;
/// assert!(Some(figure.value) > figure.baseline);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogLikelihood {
    sum: ExactSum,
    prior: Prior,
}

impl LogLikelihood {
    /// Makes one without rows, for targets of so many outputs.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn new(outputs: usize) -> Result<Self, Error> {
        let outputs = Outputs { loss: Loss::SquaredError, number: outputs };
        Ok(Self { sum: ExactSum::default(), prior: Prior::new(outputs)? })
    }

    /// Adds a row: its log-likelihood, its target, and its weight, 1 for all rows to count the same.
    ///
    /// # Errors
    /// The log-likelihood is NaN; there is not one target for each output, or one is not finite; the
    /// weight is negative or not finite. Then nothing has changed.
    pub fn add(&mut self, log_likelihood: f64, target: &[f32], weight: f64) -> Result<(), Error> {
        let row = self.prior.rows;
        if log_likelihood.is_nan() {
            let (what, expected) = ("log-likelihood", "a number");
            let value = log_likelihood;
            return Err(Error::RowNumber { what, row, column: None, value, expected });
        }
        check_values(self.prior.outputs.number, target, row)?;
        check_weight(weight, row)?;
        self.prior.add_numbers(target, weight);
        if weight > 0.0 {
            self.sum.add_product(weight, log_likelihood);
        }
        Ok(())
    }

    /// Adds the rows of another one.
    ///
    /// # Errors
    /// It has another number of outputs.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        same_size("outputs", self.prior.outputs.number, other.prior.outputs.number)?;
        self.sum.add_all(&other.sum);
        self.prior.merge(&other.prior);
        Ok(())
    }

    /// The mean log-likelihood of a row.
    ///
    /// # Errors
    /// There are no rows, or the sum of their weights is 0.
    pub fn figure(&self) -> Result<Figure, Error> {
        let weight = self.prior.weight();
        check_rows("log_likelihood", self.prior.rows, weight)?;
        let normal = |output: usize| {
            let variance = self.prior.squared_distances(output) / weight;
            -0.5 * (1.0 + libm::log(std::f64::consts::TAU * variance))
        };
        let baseline: f64 = (0..self.prior.outputs.number).map(normal).sum();
        let baseline = baseline.is_finite().then_some(baseline);
        Ok(Figure { value: self.sum.value() / weight, baseline })
    }
}
