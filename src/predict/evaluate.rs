//! How well a network does on labelled rows.

use std::{borrow::Borrow, fmt};

use serde::Serialize;

use super::{Predictor, Workspace, method::finite_number};
use crate::{
    abridged::Few,
    data::{Batch, Dataset},
    error::Error,
    memory::reserve,
    nn::{Loss, Mlp},
};

/// The errors of a network on a data set.
///
/// As JSON it is an object of these fields; a loss that is not finite is an error of the
/// serialiser, as in [`Prediction`](super::Prediction).
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
    /// Rows looked at, at least one.
    pub rows: usize,
    /// The rows, ascending, whose most probable class is another than their
    /// label; the first of equal probabilities counts as most probable.
    pub wrong: Vec<usize>,
    /// Mean of -ln of the label's probability.
    #[serde(serialize_with = "finite_number")]
    pub loss: f64,
}

impl fmt::Debug for Evaluation {
    /// The first few of the wrong rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluation")
            .field("rows", &self.rows)
            .field("wrong", &Few(self.wrong.iter()))
            .field("loss", &self.loss)
            .finish()
    }
}

impl Evaluation {
    /// Wrong rows over all rows.
    pub fn error_rate(&self) -> f64 {
        self.wrong.len() as f64 / self.rows as f64
    }
}

/// Predicts every row of `data`, in batches as large as the workspace takes.
///
/// The loss of a row is that of training, from the logits z: z_c - z_t - ln p_c with
/// the label t and the most probable class c. So it has no largest value, which -ln p_t
/// has where p_t is too small for a number.
///
/// # Errors
/// No rows; a network whose loss is not softmax cross-entropy; a width or a label that it does
/// not have; [`Error::NonFinite`] as of [`Predictor::predict`], with the row's number in
/// `data`. Where non-finite inputs are allowed, a row whose probabilities are NaN is
/// wrong, and the loss is NaN.
pub fn evaluate<M: Borrow<Mlp>>(
    predictor: &Predictor<M>,
    data: &Dataset,
    workspace: &mut Workspace,
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
    let wrong = reserve("numbers of rows that are wrong", rows)?;
    let mut sum = Evaluation { rows, wrong, loss: 0.0 };
    let mut of_labels = reserve("losses of a batch", max_rows.min(rows))?;
    let batches = Batch::dense(data.inputs()).chunks(max_rows)?;
    for (batch, labels) in batches.zip(data.labels().chunks(max_rows)) {
        let first = batch.first_row() as usize;
        predictor.forward(&batch, workspace).map_err(|error| error.in_batch(first))?;
        let Workspace { flow, predictions, .. } = &mut *workspace;
        let z = &mut flow.z[mlp.depth() - 1];
        // Of the label and of the largest, before the link takes their place.
        of_labels.clear();
        of_labels.extend(labels.iter().enumerate().map(|(row, &t)| {
            let largest = most(classes, |class| z.get(row, class));
            f64::from(z.get(row, largest)) - f64::from(z.get(row, t as usize))
        }));
        loss.predictions(predictor.isa, z, predictions);
        for (row, (&label, above)) in labels.iter().zip(&of_labels).enumerate() {
            let p = predictions.at(row);
            let class = most(classes, |class| p[class]);
            // NaN is no label's.
            if class != label as usize || p[class].is_nan() {
                sum.wrong.push(first + row);
            }
            sum.loss += above - libm::log(p[class].into());
        }
    }
    sum.loss /= rows as f64;
    Ok(sum)
}

/// The class with the largest number, the first of equal ones; of NaN the first.
fn most(classes: usize, of: impl Fn(usize) -> f32) -> usize {
    (1..classes).fold(0, |best, class| {
        let (a, b) = (of(best), of(class));
        if b > a || b.is_nan() && !a.is_nan() { class } else { best }
    })
}
