//! Product 2: the gradient with respect to the units below, at active positions only.
//! [`super::visit`] calls it for each entry.

use super::{PANEL, Panel, Unit, VECTORS, by_input::ByInput, load, store};
use crate::{
    rate::Keep,
    simd::{Kernel, LANES, Lanes},
};

/// One panel's contribution to a dot product, `sum_n w[n] dz[n]`, before the sum over
/// lanes.
#[inline(always)]
pub(super) fn dot<L: Lanes, const V: usize>(l: L, w: [L::F; V], dz: [L::F; V]) -> L::F {
    let mut sum = l.mul(w[0], dz[0]);
    for c in 1..V {
        sum = l.mul_add(w[c], dz[c], sum);
    }
    sum
}

/// Finishes product 2 for a block of units in the layer below: adds up the partial
/// sums of each entry, multiplies by f'(z) / p and stores the result at its unit. All
/// other units get +0.0.
pub(super) struct FinishInputGradient<'a, U> {
    /// The non-linearity of the units.
    pub unit: U,
    /// The keep rate of the units.
    pub keep: Keep,
    /// The entries of the units.
    pub by_input: &'a mut ByInput,
    /// dz of the block, one panel per row.
    pub dz: &'a mut [Panel],
    /// The sum of dz over rows: the gradient of the biases.
    pub bias_gradient: &'a mut Panel,
}

impl<U: Unit> Kernel for FinishInputGradient<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (keep, scale) = (l.splat(self.keep.get() as f32), l.splat(self.keep.scale()));
        self.dz.fill([0.0; PANEL]);
        for k in 0..PANEL {
            let mut entries = self.by_input.with_parts(k);
            loop {
                let (mut rows, mut values) = ([0; LANES], [0.0; LANES]);
                let mut parts = [[0.0; LANES / 2]; LANES];
                let mut len = 0;
                for ((row, value), part) in entries.by_ref().take(LANES) {
                    (rows[len], values[len], parts[len]) = (row, value, *part);
                    len += 1;
                }
                // The list holds y / p.
                let slope = self.unit.slope(l, l.mul(l.load(&values), keep));
                let mut deltas = [0.0; LANES];
                l.store(l.mul(l.mul(l.sum_halves(&parts), scale), slope), &mut deltas);
                for (&row, &delta) in rows[..len].iter().zip(&deltas) {
                    self.dz[row][k] = delta;
                }
                if len < LANES {
                    break;
                }
            }
        }
        store(l, sum_of_rows(l, self.dz), self.bias_gradient);
    }
}

/// `sum_row dz[row][n]`, over ascending rows: the gradient of the biases.
#[inline(always)]
pub(super) fn sum_of_rows<L: Lanes>(l: L, dz: &[Panel]) -> [L::F; VECTORS] {
    let mut sum = [l.splat(0.0); VECTORS];
    for dz in dz {
        let dz: [L::F; VECTORS] = load(l, dz);
        for (sum, dz) in sum.iter_mut().zip(dz) {
            *sum = l.add(*sum, dz);
        }
    }
    sum
}
