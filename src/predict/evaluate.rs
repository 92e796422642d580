//! Evaluation of a network on rows with targets.

use std::fmt;

use serde::Serialize;

use super::{Network, Predictor, Workspace, method::finite_number};
use crate::{
    abridged::Few,
    data::{Batch, Dataset},
    error::{Error, check_total_weight},
    memory::reserve,
    metrics::{ExactSum, Metrics, Row, is_one},
    nn::{Decision, Targets},
    thin::Panels,
};

/// The error rate and loss of a network on a data set.
///
/// In JSON it is an object of these fields; serialising a non-finite loss is an error, as
/// in [`Prediction`](super::Prediction).
///
/// ```
/// use thinnet::{data::Dataset, nn::{Loss, Mlp}, predict::{Predictor, evaluate}, tensor::Matrix};
///
/// let mut mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// mlp.set_weights(0, &[1.0, 0.0])?;
/// let data = Dataset::new(Matrix::from_rows(&[5.0, 6.0, 7.0, -8.0], 4, 1)?, vec![0, 0, 1, 1])?;
/// let predictor = Predictor::new(mlp);
/// let mut workspace = predictor.workspace(4)?;
/// let found = evaluate(&predictor, &data, &mut workspace)?;
/// assert_eq!((&found.wrong[..], found.error_rate), (&[2][..], Some(0.25)));
///
/// // Row 2 counts as much as the others together.
/// let data = data.with_weights(vec![1.0, 1.0, 3.0, 1.0])?;
/// assert_eq!(evaluate(&predictor, &data, &mut workspace)?.error_rate, Some(0.5));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// The number of rows, at least one.
    pub rows: usize,
    /// The rows whose class, or at least one of whose bits, is wrong, ascending; none if the targets are
    /// values. Unless the network has a [decision threshold](crate::nn::Mlp::set_threshold), of equally probable
    /// classes the first counts as the prediction, and a bit is 1 if its probability is above 0.5.
    pub wrong: Vec<usize>,
    /// The fraction of rows whose class is wrong, or of wrong bits, by weight; `None` if the targets
    /// are values.
    pub error_rate: Option<f64>,
    /// The mean of the network's loss, by weight.
    #[serde(serialize_with = "finite_number")]
    pub loss: f64,
}

impl fmt::Debug for Evaluation {
    /// Formats the first few wrong rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluation")
            .field("rows", &self.rows)
            .field("wrong", &Few(self.wrong.iter()))
            .field("error_rate", &self.error_rate)
            .field("loss", &self.loss)
            .finish()
    }
}

/// Predicts every row of `data`, in batches as large as the workspace takes, and compares it with its
/// targets. Rows count by their [weights](Dataset::with_weights).
///
/// A row's loss is the training loss, without its weighting of classes or label smoothing, at the
/// network's temperature T. It is computed from the logits z; for classes as (z_c - z_t) / T - ln p_c
/// with label t and most probable class c. So it is unbounded, whereas -ln p_t fails when p_t
/// underflows.
///
/// # Errors
/// There are no rows, or the sum of their weights is 0 or infinite; the data has a width or targets
/// that the network does not have; [`Error::NonFinite`] as for [`Predictor::predict`], with the row's
/// number in `data`. If non-finite inputs are allowed, a row with a probability that is NaN counts as
/// wrong, and the loss is NaN.
pub fn evaluate<M: Network>(
    predictor: &Predictor<M>,
    data: &Dataset,
    workspace: &mut Workspace,
) -> Result<Evaluation, Error> {
    each_row(predictor, data, workspace, |_, _, _| Ok(()))
}

/// Like [`evaluate`], and also adds every row with its weight to `metrics`, for classes and bits with
/// its loss as the log loss.
///
/// ```
/// use thinnet::{
///     data::Dataset,
///     metrics::{Metric, Metrics},
///     nn::{Loss, Mlp},
///     predict::{Predictor, evaluate_with},
///     tensor::Matrix,
/// };
///
/// // A network that always answers class 0, and one row in four of class 1.
/// let mut mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// mlp.set_weights(0, &[0.0, 0.0])?;
/// let data = Dataset::new(Matrix::from_rows(&[5.0, 6.0, 7.0, 8.0], 4, 1)?, vec![0, 0, 1, 0])?;
/// let predictor = Predictor::new(mlp);
/// let mut metrics = Metrics::new(&[Metric::RocAuc], Loss::SoftmaxCrossEntropy, 2)?;
/// let found = evaluate_with(&predictor, &data, &mut metrics, &mut predictor.workspace(4)?)?;
/// let auc = metrics.figure(Metric::RocAuc)?;
/// assert_eq!((found.error_rate, auc.value, auc.baseline), (Some(0.25), 0.5, Some(0.5)));
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// As for [`evaluate`]; also as for [`Metrics::add`], if the metrics are for another network or
/// a probability is NaN. Then the rows before are in the metrics.
pub fn evaluate_with<M: Network>(
    predictor: &Predictor<M>,
    data: &Dataset,
    metrics: &mut Metrics,
    workspace: &mut Workspace,
) -> Result<Evaluation, Error> {
    let threshold = predictor.raw().threshold();
    let kind = predictor.raw().loss().prediction_kind();
    let mut y_of_row = reserve("predictions of a row", predictor.raw().outputs())?;
    each_row(predictor, data, workspace, |y, row, loss| {
        y_of_row.clear();
        y_of_row.extend(y.iter().map(|&y| f64::from(y)));
        let measured = Row::of_predictions(kind, &y_of_row, data.targets(), row);
        let measured = match data.targets() {
            Targets::Classes(_) | Targets::Binary(_) => measured.log_loss(loss),
            Targets::Values(_) => measured,
        };
        metrics.add(&measured.weight(weight_of(data, row)).threshold(threshold))
    })
}

fn weight_of(data: &Dataset, row: usize) -> f64 {
    data.weights().map_or(1.0, |weights| weights[row])
}

/// The sum of the weights of rows, of which there is at least one.
fn total_weight(data: &Dataset) -> Result<f64, Error> {
    let mut sum = ExactSum::default();
    (0..data.rows()).for_each(|row| sum.add(weight_of(data, row)));
    check_total_weight(sum.value())
}

/// Evaluates, and calls `row` with the prediction, the number and the loss of each row.
fn each_row<M: Network>(
    predictor: &Predictor<M>,
    data: &Dataset,
    workspace: &mut Workspace,
    mut row: impl FnMut(&[f32], usize, f64) -> Result<(), Error>,
) -> Result<Evaluation, Error> {
    let mlp = predictor.raw();
    let (rows, targets, loss) = (data.rows(), data.targets(), mlp.loss());
    targets.check(loss, mlp.outputs(), rows)?;
    let temperature = f64::from(mlp.temperature().get());
    let decision = Decision(mlp.threshold());
    if rows == 0 {
        return Err(Error::Zero { what: "rows of the data", expected: "at least one" });
    }
    let total = total_weight(data)?;
    let max_rows = workspace.predictions.rows().max(1);
    let (mut wrong, mut wrong_weight) = (reserve("row numbers", rows)?, ExactSum::default());
    let mut losses = ExactSum::default();
    let mut of_logits = reserve("losses of a batch", max_rows.min(rows))?;
    let mut z_of_row = reserve("logits of a row", mlp.outputs())?;
    for batch in Batch::new(data.inputs()).chunks(max_rows)? {
        let first = batch.first_row() as usize;
        predictor.forward(&batch, workspace).map_err(|error| error.in_batch(first))?;
        let Workspace { flow, predictions, .. } = &mut *workspace;
        let z = &mut flow.z[mlp.depth() - 1];
        // What is needed of the logits, before the link overwrites them.
        of_logits.clear();
        for i in 0..batch.rows() {
            of_logits.push(match targets {
                Targets::Classes(labels) => {
                    below_largest(z, i, labels[first + i], mlp.outputs()) / temperature
                }
                _ => {
                    z_of_row.clear();
                    z_of_row
                        .extend((0..mlp.outputs()).map(|n| f64::from(z.get(i, n)) / temperature));
                    loss.plain(&z_of_row, targets, first + i)?
                }
            });
        }
        mlp.link().predictions(predictor.isa, z, predictions);
        for (i, &of_logits) in of_logits.iter().enumerate() {
            let (number, y) = (first + i, predictions.at(i));
            predictor.context().gate_predictions(loss.link_function(), number, y)?;
            let (share, loss) = match targets {
                Targets::Classes(labels) => {
                    let top = most(y.len(), |class| y[class]);
                    // NaN matches no label.
                    let right = decision.class(y) == labels[number] as usize && !y[top].is_nan();
                    (f64::from(u8::from(!right)), of_logits - libm::log(y[top].into()))
                }
                Targets::Binary(bits) => (share_of_wrong(decision, y, bits.at(number)), of_logits),
                Targets::Values(_) => (0.0, of_logits),
            };
            if share > 0.0 {
                wrong.push(number);
            }
            let weight = weight_of(data, number);
            // 0 times an infinite loss would be NaN.
            if weight > 0.0 {
                wrong_weight.add_product(weight, share);
                losses.add_product(weight, loss);
            }
            row(y, number, loss)?;
        }
    }
    let error_rate = match targets {
        Targets::Values(_) => None,
        _ => Some(wrong_weight.value() / total),
    };
    Ok(Evaluation { rows, wrong, error_rate, loss: losses.value() / total })
}

/// How much the logit of a row's label is below its largest one.
fn below_largest(z: &Panels, row: usize, label: u32, classes: usize) -> f64 {
    let largest = most(classes, |class| z.get(row, class));
    f64::from(z.get(row, largest)) - f64::from(z.get(row, label as usize))
}

/// The fraction of bits that are wrong. NaN matches no bit.
fn share_of_wrong(decision: Decision, p: &[f32], bits: &[f32]) -> f64 {
    let wrong = |&(&p, &t): &(&f32, &f32)| p.is_nan() || decision.bit(p.into()) != is_one(t);
    p.iter().zip(bits).filter(wrong).count() as f64 / p.len() as f64
}

/// The class with the largest number, the first of equal ones; the first NaN if there is
/// one.
fn most(classes: usize, of: impl Fn(usize) -> f32) -> usize {
    (1..classes).fold(0, |best, class| {
        let (a, b) = (of(best), of(class));
        if b > a || b.is_nan() && !a.is_nan() { class } else { best }
    })
}
