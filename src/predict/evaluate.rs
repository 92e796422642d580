//! Evaluation of a network on labelled rows.

use std::{borrow::Borrow, fmt};

use serde::Serialize;

use super::{Predictor, Workspace, method::finite_number};
use crate::{
    abridged::Few,
    data::{Batch, Dataset},
    error::Error,
    memory::reserve,
    metrics::{ExactSum, Metrics, Row},
    nn::{Loss, Mlp},
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
/// let found = evaluate(&predictor, &data, &mut predictor.workspace(4)?)?;
/// assert_eq!((&found.wrong[..], found.error_rate()), (&[2][..], 0.25));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// The number of rows, at least one.
    pub rows: usize,
    /// The misclassified rows, ascending; of equally probable classes the first counts as
    /// the prediction.
    pub wrong: Vec<usize>,
    /// Mean of -ln of the label's probability.
    #[serde(serialize_with = "finite_number")]
    pub loss: f64,
}

impl fmt::Debug for Evaluation {
    /// Formats the first few wrong rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluation")
            .field("rows", &self.rows)
            .field("wrong", &Few(self.wrong.iter()))
            .field("loss", &self.loss)
            .finish()
    }
}

impl Evaluation {
    /// The fraction of rows that are wrong.
    pub fn error_rate(&self) -> f64 {
        self.wrong.len() as f64 / self.rows as f64
    }
}

/// Predicts every row of `data`, in batches as large as the workspace takes.
///
/// A row's loss is the training loss, computed from the logits z as z_c - z_t - ln p_c
/// with label t and most probable class c. So it is unbounded, whereas -ln p_t fails when
/// p_t underflows.
///
/// # Errors
/// There are no rows; the network's loss is not softmax cross-entropy; the data has a
/// width or a label that the network does not have; [`Error::NonFinite`] as for
/// [`Predictor::predict`], with the row's number in `data`. If non-finite inputs are
/// allowed, a row whose probabilities are NaN counts as wrong, and the loss is NaN.
pub fn evaluate<M: Borrow<Mlp>>(
    predictor: &Predictor<M>,
    data: &Dataset,
    workspace: &mut Workspace,
) -> Result<Evaluation, Error> {
    each_row(predictor, data, workspace, |_, _, _| Ok(()))
}

/// Like [`evaluate`], and also adds every row to `metrics`, with its loss as the log loss.
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
/// assert_eq!((found.error_rate(), auc.value, auc.baseline), (0.25, 0.5, Some(0.5)));
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// As for [`evaluate`]; also as for [`Metrics::add`], if the metrics are for another network or
/// a probability is NaN. Then the rows before are in the metrics.
pub fn evaluate_with<M: Borrow<Mlp>>(
    predictor: &Predictor<M>,
    data: &Dataset,
    metrics: &mut Metrics,
    workspace: &mut Workspace,
) -> Result<Evaluation, Error> {
    let mut probabilities = reserve("probabilities of a row", predictor.network().outputs())?;
    each_row(predictor, data, workspace, |p, label, loss| {
        probabilities.clear();
        probabilities.extend(p.iter().map(|&p| f64::from(p)));
        metrics.add(&Row::class(&probabilities, label).log_loss(loss))
    })
}

/// Evaluates, and calls `row` with the probabilities, the label and the loss of each row.
fn each_row<M: Borrow<Mlp>>(
    predictor: &Predictor<M>,
    data: &Dataset,
    workspace: &mut Workspace,
    mut row: impl FnMut(&[f32], u32, f64) -> Result<(), Error>,
) -> Result<Evaluation, Error> {
    let mlp = predictor.network();
    let (classes, loss) = (mlp.outputs(), mlp.loss());
    if loss != Loss::SoftmaxCrossEntropy {
        let expected = "softmax_cross_entropy, which has classes";
        return Err(Error::LossKind { loss: loss.name(), expected });
    }
    if let Some(row) = data.labels().iter().position(|&class| class as usize >= classes) {
        return Err(Error::Class { row, class: data.labels()[row], classes });
    }
    let rows = data.rows();
    if rows == 0 {
        return Err(Error::Zero { what: "rows of the data", expected: "at least one" });
    }
    let max_rows = workspace.predictions.rows().max(1);
    let wrong = reserve("row numbers", rows)?;
    let mut found = Evaluation { rows, wrong, loss: 0.0 };
    let mut sum = ExactSum::default();
    let mut of_labels = reserve("losses of a batch", max_rows.min(rows))?;
    let batches = Batch::dense(data.inputs()).chunks(max_rows)?;
    for (batch, labels) in batches.zip(data.labels().chunks(max_rows)) {
        let first = batch.first_row() as usize;
        predictor.forward(&batch, workspace).map_err(|error| error.in_batch(first))?;
        let Workspace { flow, predictions, .. } = &mut *workspace;
        let z = &mut flow.z[mlp.depth() - 1];
        // The logits of the label and the predicted class, before the link overwrites
        // them.
        of_labels.clear();
        of_labels.extend(labels.iter().enumerate().map(|(row, &t)| {
            let largest = most(classes, |class| z.get(row, class));
            f64::from(z.get(row, largest)) - f64::from(z.get(row, t as usize))
        }));
        loss.predictions(predictor.isa, z, predictions);
        for (i, (&label, above)) in labels.iter().zip(&of_labels).enumerate() {
            let p = predictions.at(i);
            let class = most(classes, |class| p[class]);
            // NaN matches no label.
            if class != label as usize || p[class].is_nan() {
                found.wrong.push(first + i);
            }
            let loss = above - libm::log(p[class].into());
            sum.add(loss);
            row(p, label, loss)?;
        }
    }
    found.loss = sum.value() / rows as f64;
    Ok(found)
}

/// The class with the largest number, the first of equal ones; the first NaN if there is
/// one.
fn most(classes: usize, of: impl Fn(usize) -> f32) -> usize {
    (1..classes).fold(0, |best, class| {
        let (a, b) = (of(best), of(class));
        if b > a || b.is_nan() && !a.is_nan() { class } else { best }
    })
}
