//! The weights of the rows of a batch.

use std::ops::Range;

use super::objective::Objective;
use crate::{
    data::Batch,
    error::{Error, check_total_weight},
    nn::Targets,
    thin::Panels,
};

/// The weights of the rows of a whole batch, whose loss is `sum w L / sum w`. The weight of a row is
/// that of the batch times that of its class.
#[derive(Clone, Copy)]
pub(super) struct RowWeights<'a> {
    /// The weight of each row in the batch; 1 if there are none.
    each: Option<&'a [f64]>,
    /// The class of each row, if classes have weights.
    labels: Option<&'a [u32]>,
    total: f64,
    /// The mean of the weights.
    mean: f64,
}

impl<'a> RowWeights<'a> {
    /// Those of a batch, which has rows, and whose targets have been checked.
    ///
    /// # Errors
    /// Their sum is 0 or infinite.
    pub fn of(
        batch: &Batch<'a>,
        targets: Targets<'a>,
        objective: &Objective,
    ) -> Result<Self, Error> {
        let labels = match targets {
            Targets::Classes(labels) if objective.class_weights.is_some() => Some(labels),
            _ => None,
        };
        let rows = batch.rows() as f64;
        let all = Self { each: batch.weights(), labels, total: rows, mean: 1.0 };
        if all.are_one() {
            return Ok(all);
        }
        let weight = |row| all.of_batch(row) * all.of_class(objective, row);
        let total = check_total_weight((0..batch.rows()).map(weight).sum())?;
        Ok(Self { total, mean: total / rows, ..all })
    }

    /// The sum of all weights.
    pub fn total(self) -> f64 {
        self.total
    }

    /// From the losses L of some rows, and their gradient `dz` as of a mean over the rows of the whole
    /// batch: makes dz the gradient of the weighted mean, and returns the sum of w L added to `sum`.
    ///
    /// dz is multiplied by w / mean(w), which is exactly 1 if all weights are 1.
    pub fn apply(
        self,
        objective: &Objective,
        rows: Range<usize>,
        dz: &mut Panels,
        losses: &[f32],
        sum: f64,
    ) -> f64 {
        if self.are_one() {
            return losses.iter().fold(sum, |sum, &loss| sum + f64::from(loss));
        }
        let in_loss = objective.loss_has_class_weights();
        let mut sum = sum;
        for (place, (row, &loss)) in rows.zip(losses).enumerate() {
            let of_class = if in_loss { 1.0 } else { self.of_class(objective, row) };
            let weight = self.of_batch(row) * of_class;
            let factor = (weight / self.mean) as f32;
            for n in 0..dz.panels() {
                dz.at_mut(n, place).iter_mut().for_each(|dz| *dz *= factor);
            }
            // NaN if the loss of a row of weight 0 is infinite: then the values in its lists may be
            // infinite too, and they are multiplied by dz.
            sum += weight * f64::from(loss);
        }
        sum
    }

    /// Whether every row counts once.
    fn are_one(self) -> bool {
        self.each.is_none() && self.labels.is_none()
    }

    fn of_batch(self, row: usize) -> f64 {
        self.each.map_or(1.0, |each| each[row])
    }

    fn of_class(self, objective: &Objective, row: usize) -> f64 {
        match (self.labels, objective.class_weights()) {
            (Some(labels), Some(weights)) => weights[labels[row] as usize],
            _ => 1.0,
        }
    }
}
