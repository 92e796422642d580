//! The gradient of the KL sparsity penalty of logistic units.

use super::{Lists, PANEL, Panel, Panels};
use crate::{parallel::Runs, pass::Pass, rate::Keep};

/// The largest number below 1 in single precision. Outputs that rounding has put at 1 or above count as
/// this: no mean is 1, and no unit's share of a mean's distance from 1 is above the whole.
const MOST: f64 = 1.0 - f32::EPSILON as f64 / 2.0;

/// The penalty `beta sum_j KL(rho, rho_j)` of the units of a layer, with rho_j the mean activation of
/// unit j over the rows in which it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sparsity {
    pub rho: f64,
    pub beta: f64,
}

impl Sparsity {
    /// The derivative of `beta KL(rho, mean)` with respect to the mean; 0 if a unit is exactly 0 in all
    /// rows, where its slope is 0 too.
    fn slope(self, mean: f64) -> f64 {
        if mean == 0.0 {
            return 0.0;
        }
        self.beta * ((1.0 - self.rho) / (1.0 - mean) - self.rho / mean)
    }
}

/// Adds the gradient of the penalty to `dz` `[K/64][rows][64]` of a layer of logistic units, and its sum
/// over the rows to the gradient of the biases. `lists` are the units' outputs y / p, and all rows of
/// the batch: to z of row i and unit j it adds `slope(rho_j) y (1 - y) / rows_j`, with rows_j the number
/// of rows in which the unit is kept.
///
/// A block belongs to one task, and rows are summed in ascending order.
pub(crate) fn add_gradient(
    pass: Pass,
    sparsity: Sparsity,
    keep: Keep,
    lists: &Lists,
    dz: &mut Panels,
    bias_gradient: &mut [Panel],
) {
    let biases = Runs { data: bias_gradient, size: 1 };
    pass.each((dz.runs_mut(), biases), &|b, (dz, bias)| {
        let block = lists.block(b);
        let (mut sums, mut counts) = ([0.0f64; PANEL], [0.0f64; PANEL]);
        let output = |value: f32| {
            let y = f64::from(value) * keep.get();
            // NaN stays.
            if y > MOST { MOST } else { y }
        };
        for row in 0..block.rows() {
            let (offsets, values) = block.of(row);
            for (&offset, &value) in offsets.iter().zip(values) {
                sums[usize::from(offset)] += output(value);
                counts[usize::from(offset)] += 1.0;
            }
        }
        // A unit that is dropped in all rows has no entry.
        let mut factors = [0.0; PANEL];
        for ((factor, sum), count) in factors.iter_mut().zip(sums).zip(counts) {
            if count > 0.0 {
                *factor = sparsity.slope(sum / count) / count;
            }
        }
        let mut added = [0.0f64; PANEL];
        for (row, dz) in dz.data.iter_mut().enumerate() {
            let (offsets, values) = block.of(row);
            for (&offset, &value) in offsets.iter().zip(values) {
                let (unit, y) = (usize::from(offset), output(value));
                let more = factors[unit] * y * (1.0 - y);
                dz[unit] = (f64::from(dz[unit]) + more) as f32;
                added[unit] += more;
            }
        }
        for (bias, added) in bias.data[0].iter_mut().zip(added) {
            *bias = (f64::from(*bias) + added) as f32;
        }
    });
}
