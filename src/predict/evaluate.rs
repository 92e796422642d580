//! How well a network does on labelled rows.

use std::borrow::Borrow;

use super::{Predictor, Workspace};
use crate::{
    data::{Batch, Dataset},
    error::Error,
    nn::{Loss, Mlp},
};

/// The errors of a network on a data set.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// Rows looked at.
    pub rows: usize,
    /// The rows, ascending, whose most probable class is another than their
    /// label; the first of equal probabilities counts as most probable.
    pub wrong: Vec<usize>,
    /// Mean of -ln of the label's probability.
    pub loss: f64,
}

impl Evaluation {
    /// Wrong rows over all rows; 0 where there are none.
    pub fn error(&self) -> f64 {
        self.wrong.len() as f64 / self.rows.max(1) as f64
    }
}

/// Predicts every row of `data`, in batches as large as the workspace takes.
///
/// # Errors
/// A network whose loss is not softmax cross-entropy; a width or a label that
/// it does not have; predictions that are NaN, where its sums overflowed.
pub fn evaluate<M: Borrow<Mlp>>(
    predictor: &Predictor<M>,
    data: &Dataset,
    workspace: &mut Workspace,
) -> Result<Evaluation, Error> {
    let classes = predictor.network().outputs();
    let loss = predictor.network().loss();
    if loss != Loss::SoftmaxCrossEntropy {
        return Err(Error::setting("loss", loss, "softmax_cross_entropy, which has classes"));
    }
    let most_rows = workspace.predictions.rows().max(1);
    let mut sum = Evaluation { rows: data.rows(), wrong: Vec::new(), loss: 0.0 };
    let order: Vec<u32> = (0..data.rows() as u32).collect();
    for chosen in order.chunks(most_rows) {
        let batch = Batch::gather(data.inputs(), chosen)?;
        let answers = predictor.weight_scaling(&batch, workspace)?;
        for (answer, &index) in answers.iter().zip(chosen) {
            let class = data.labels()[index as usize];
            let p = answer.mean();
            let Some(&of_label) = p.get(class as usize) else {
                return Err(Error::Class { row: index as usize, class, classes });
            };
            if let Some(column) = p.iter().position(|p| p.is_nan()) {
                let (what, row, value) = ("prediction", index as usize, p[column] as f32);
                return Err(Error::NonFinite { what, row, column, value });
            }
            if answer.class() != class as usize {
                sum.wrong.push(index as usize);
            }
            sum.loss -= libm::log(of_label.max(f32::MIN_POSITIVE.into()));
        }
    }
    sum.loss /= data.rows().max(1) as f64;
    Ok(sum)
}
