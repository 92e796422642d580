//! The temperature that fits held-out rows best.

use super::{Network, Predictor, Workspace};
use crate::{
    data::{Batch, Dataset},
    error::{Error, check_weights},
    metrics::ExactSum,
    nn::{Loss, Targets, Temperature},
    tensor::{Matrix, MatrixView},
};

/// The smallest and the largest temperature that is fitted.
const LIMITS: [f64; 2] = [1e-3, 1e3];

/// The search ends when ln T changes by no more than this, a thousandth of what f32 can tell apart.
const PRECISION: f64 = 1e-10;

/// The most steps of the search: at least every second one halves the interval or the step.
const MAX_STEPS: usize = 200;

impl Temperature {
    /// Fits the temperature to held-out rows: the T with the lowest log loss of link(z / T), where z
    /// are the logits, one row each, and the loss is that of the network they come from (Guo et al.
    /// 2017). Rows have a weight of 1 without `weights`.
    ///
    /// The rows should not be those that the network was trained on, on which it is more often right
    /// than on others. A thousand are usually enough, since there is only one number to fit.
    ///
    /// The log loss is a convex function of 1 / T. The root of its derivative is found by Newton's
    /// method in f64, with bisection as a safeguard, and rounded to f32. All sums over rows are
    /// exact, so the result does not depend on the order of the rows.
    ///
    /// ```
    /// use thinnet::{nn::{Loss, Targets, Temperature}, tensor::MatrixView};
    ///
    /// // The network says 98 % for class 1, but three rows in four are.
    /// let logits = MatrixView::new(&[0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0], 4, 2)?;
    /// let targets = Targets::Classes(&[1, 0, 1, 1]);
    /// let fitted = Temperature::fit(Loss::SoftmaxCrossEntropy, logits, targets, None)?;
    /// assert_eq!(fitted.get(), (4.0 / 3.0f64.ln()) as f32);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The network's predictions are not probabilities; a logit is not finite; the targets or weights
    /// do not fit the logits; there are no rows, or none has a weight above 0. [`Error::NoTemperature`]
    /// if the best T is not between 0.001 and 1000: it is 0 if the largest logit is that of the label
    /// in every row, and infinite if the logits say nothing about the labels.
    pub fn fit(
        loss: Loss,
        logits: MatrixView<'_>,
        targets: Targets<'_>,
        weights: Option<&[f64]>,
    ) -> Result<Self, Error> {
        check_loss(loss)?;
        targets.check(loss, logits.columns(), logits.rows())?;
        for row in 0..logits.rows() {
            if let Some(column) = logits.at(row).iter().position(|z| !z.is_finite()) {
                let value = logits.at(row)[column];
                return Err(Error::NonFinite { what: "logit", row, column, value });
            }
        }
        let mut weight = ExactSum::default();
        if let Some(weights) = weights {
            check_weights(logits.rows(), weights)?;
            weights.iter().for_each(|&of_row| weight.add(of_row));
        } else {
            weight.add(logits.rows() as f64);
        }
        if weight.value() == 0.0 {
            let expected = "rows with a weight above 0";
            return Err(Error::NoTemperature { reason: "there are no rows", expected });
        }
        Rows { logits, targets, weights }.fit()
    }
}

/// Checks that a network with this loss can have a temperature.
fn check_loss(loss: Loss) -> Result<(), Error> {
    if loss.link_function().gives_probabilities() {
        return Ok(());
    }
    let expected = "a loss whose predictions are probabilities, to fit a temperature";
    Err(Error::LossKind { loss: loss.name(), expected })
}

/// Rows that have been checked.
#[derive(Clone, Copy)]
struct Rows<'a> {
    logits: MatrixView<'a>,
    targets: Targets<'a>,
    weights: Option<&'a [f64]>,
}

/// The first and the second derivative of a log loss with respect to 1 / T.
type Derivatives = [f64; 2];

impl Rows<'_> {
    fn fit(self) -> Result<Temperature, Error> {
        let fail = |reason, expected| Err(Error::NoTemperature { reason, expected });
        if self.sum(Self::at_zero) >= 0.0 {
            return fail(
                "the log loss is lowest at an infinite temperature, because the logits do not tell \
                 the labels apart",
                "logits that are larger for the label than for others on average",
            );
        }
        if self.sum(Self::at_infinity) == 0.0 {
            return fail(
                "the log loss is lowest at a temperature of 0, because every row is classified \
                 correctly",
                "held-out rows with a few errors",
            );
        }
        // The search is for x = ln(1 / T).
        let [mut high, mut low] = LIMITS.map(|t| -libm::log(t));
        if self.derivatives(low)[0] >= 0.0 {
            return fail("the best temperature is above 1000", "one from 0.001 to 1000");
        }
        if self.derivatives(high)[0] <= 0.0 {
            return fail("the best temperature is below 0.001", "one from 0.001 to 1000");
        }
        let (mut x, mut before) = (0.0, high - low);
        for _ in 0..MAX_STEPS {
            let [first, second] = self.derivatives(x);
            if first < 0.0 {
                low = x;
            } else {
                high = x;
            }
            let newton = x - first / second;
            let converges = newton > low && newton < high && (newton - x).abs() <= 0.5 * before;
            let next = if converges { newton } else { 0.5 * (low + high) };
            before = (next - x).abs();
            x = next;
            if first == 0.0 || before <= PRECISION {
                break;
            }
        }
        Temperature::new(libm::exp(-x))
    }

    /// The derivatives of the log loss of all rows with respect to x = ln(1 / T).
    fn derivatives(self, x: f64) -> Derivatives {
        let inverse = libm::exp(x);
        let [mut first, mut second] = [(); 2].map(|()| ExactSum::default());
        for row in 0..self.logits.rows() {
            let [a, b] = self.derivatives_of(row, inverse);
            first.add_product(self.weight(row), a);
            second.add_product(self.weight(row), b);
        }
        let [first, second] = [first.value(), second.value()];
        [inverse * first, inverse * (first + inverse * second)]
    }

    fn weight(self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// The weighted sum of a number of each row.
    fn sum(self, of: impl Fn(Self, usize) -> f64) -> f64 {
        let mut sum = ExactSum::default();
        for row in 0..self.logits.rows() {
            sum.add_product(self.weight(row), of(self, row));
        }
        sum.value()
    }

    /// The first derivative of a row's log loss at 1 / T = 0.
    fn at_zero(self, row: usize) -> f64 {
        self.derivatives_of(row, 0.0)[0]
    }

    /// The limit of the first derivative of a row's log loss as 1 / T goes to infinity: 0 if no
    /// logit is on the wrong side.
    fn at_infinity(self, row: usize) -> f64 {
        let z = self.logits.at(row);
        match self.targets {
            Targets::Classes(classes) => largest(z) - f64::from(z[classes[row] as usize]),
            Targets::Binary(bits) => {
                let wrong = |(&z, &t): (&f32, &f32)| {
                    let (z, t) = (f64::from(z), f64::from(t));
                    if z > 0.0 { (1.0 - t) * z } else { -t * z }
                };
                z.iter().zip(bits.at(row)).map(wrong).sum::<f64>() / z.len() as f64
            }
            Targets::Values(_) => 0.0,
        }
    }

    /// The derivatives of a row's log loss at a value of 1 / T.
    fn derivatives_of(self, row: usize, inverse: f64) -> Derivatives {
        let z = self.logits.at(row);
        match self.targets {
            Targets::Classes(classes) => of_class(z, classes[row] as usize, inverse),
            Targets::Binary(bits) => {
                let [mut first, mut second] = [0.0; 2];
                for (&z, &t) in z.iter().zip(bits.at(row)) {
                    let [a, b] = of_bit(z.into(), t.into(), inverse);
                    first += a;
                    second += b;
                }
                [first, second].map(|sum| sum / z.len() as f64)
            }
            Targets::Values(_) => [0.0; 2],
        }
    }
}

fn largest(z: &[f32]) -> f64 {
    z.iter().fold(f64::NEG_INFINITY, |top, &z| top.max(z.into()))
}

/// With p = softmax(z / T), the mean of z under p less z of the label, and the variance of z under p.
fn of_class(z: &[f32], label: usize, inverse: f64) -> Derivatives {
    let top = largest(z);
    let [mut sum, mut first, mut second] = [0.0; 3];
    for &z in z {
        let below = f64::from(z) - top;
        let e = libm::exp(inverse * below);
        sum += e;
        first += e * below;
        second += e * below * below;
    }
    let mean = first / sum;
    [mean - (f64::from(z[label]) - top), (second / sum - mean * mean).max(0.0)]
}

/// With p = logistic(z / T), (p - t) z and p (1 - p) z².
fn of_bit(z: f64, t: f64, inverse: f64) -> Derivatives {
    let p = 1.0 / (1.0 + libm::exp(-inverse * z));
    [(p - t) * z, p * (1.0 - p) * z * z]
}

impl<M: Network> Predictor<M> {
    /// Fits a temperature to held-out rows, with their targets and [weights](Dataset::with_weights):
    /// see [`Temperature::fit`]. The logits are those of [`Self::logits`], so the result does not
    /// depend on the temperature that the network has. They are kept in memory, and computed for as
    /// many rows at a time as the workspace takes.
    ///
    /// ```
    /// use thinnet::{data::Dataset, nn::{Loss, Mlp}, predict::Predictor, tensor::Matrix};
    ///
    /// let mut mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// mlp.set_weights(0, &[0.0, 3.0])?;
    /// let x = Matrix::from_rows(&[1.0, -1.0, 1.0, -1.0], 4, 1)?;
    /// let held_out = Dataset::new(x, vec![1, 0, 0, 0])?;
    /// let predictor = Predictor::new(&mlp);
    /// let fitted = predictor.fit_temperature(&held_out, &mut predictor.workspace(4)?)?;
    /// assert!(fitted.get() > 1.0); // it was too sure
    /// mlp.set_temperature(fitted)?;
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Self::logits`], except that there may be more rows than the workspace takes, and as
    /// for [`Temperature::fit`].
    pub fn fit_temperature(
        &self,
        held_out: &Dataset,
        workspace: &mut Workspace,
    ) -> Result<Temperature, Error> {
        let (mlp, targets, rows) = (self.raw(), held_out.targets(), held_out.rows());
        check_loss(mlp.loss())?;
        targets.check(mlp.loss(), mlp.outputs(), rows)?;
        let mut logits = Matrix::zeroed(rows, mlp.outputs())?;
        let mut done = 0;
        let batch = Batch::new(held_out.inputs());
        for part in batch.chunks(workspace.predictions.rows().max(1))? {
            let found = self.logits(&part, workspace).map_err(|error| error.in_batch(done))?;
            for row in 0..part.rows() {
                logits.at_mut(done + row).copy_from_slice(found.at(row));
            }
            done += part.rows();
        }
        Temperature::fit(mlp.loss(), logits.view(), targets, held_out.weights())
    }
}
