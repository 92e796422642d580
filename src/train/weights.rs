//! The weights of the rows of a batch.

use std::ops::Range;

use crate::{
    data::Batch,
    error::{Error, check_total_weight},
    thin::Panels,
};

/// The weights of the rows of a whole batch, whose loss is `sum w L / sum w`.
#[derive(Clone, Copy)]
pub(super) struct RowWeights<'a> {
    /// The weight of each row; 1 if there are none.
    each: Option<&'a [f64]>,
    total: f64,
    /// The mean of the weights.
    mean: f64,
}

impl<'a> RowWeights<'a> {
    /// Those of a batch, which has rows.
    ///
    /// # Errors
    /// Their sum is 0 or infinite.
    pub fn of(batch: &Batch<'a>) -> Result<Self, Error> {
        let rows = batch.rows() as f64;
        let Some(each) = batch.weights() else {
            return Ok(Self { each: None, total: rows, mean: 1.0 });
        };
        let total = check_total_weight(each.iter().sum())?;
        Ok(Self { each: Some(each), total, mean: total / rows })
    }

    /// The sum of all weights.
    pub fn total(self) -> f64 {
        self.total
    }

    /// From the losses L of some rows, and their gradient `dz` as of a mean over the rows of the whole
    /// batch: makes dz the gradient of the weighted mean, and returns the sum of w L added to `sum`.
    ///
    /// dz is multiplied by w / mean(w), which is exactly 1 if all weights are 1.
    pub fn apply(self, rows: Range<usize>, dz: &mut Panels, losses: &[f32], sum: f64) -> f64 {
        let Some(weights) = self.each else {
            return losses.iter().fold(sum, |sum, &loss| sum + f64::from(loss));
        };
        let weighted = weights[rows].iter().zip(losses).enumerate();
        weighted.fold(sum, |sum, (row, (&weight, &loss))| {
            // At most the number of rows.
            let factor = (weight / self.mean) as f32;
            for n in 0..dz.panels() {
                dz.at_mut(n, row).iter_mut().for_each(|dz| *dz *= factor);
            }
            // NaN if the loss of a row of weight 0 is infinite: then the values in its lists may be
            // infinite too, and they are multiplied by dz.
            sum + weight * f64::from(loss)
        })
    }
}
