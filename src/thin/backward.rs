//! Product 2: the gradient in the units below, at active positions only. [`super::visit`]
//! calls it entry by entry.

use super::{PANEL, Panel, Unit, VECTORS, by_input::ByInput, load, store};
use crate::{
    rate::Keep,
    simd::{Kernel, LANES, Lanes},
};

/// A panel's part of a dot product, `sum_n w[n] dz[n]`, but for the sum over
/// lanes.
#[inline(always)]
pub(super) fn dot<L: Lanes, const V: usize>(l: L, w: [L::F; V], dz: [L::F; V]) -> L::F {
    let mut sum = l.mul(w[0], dz[0]);
    for c in 1..V {
        sum = l.mul_add(w[c], dz[c], sum);
    }
    sum
}

/// Ends product 2 for a block of units of the layer below: adds up the parts of
/// each entry's sum, multiplies it by f'(z) / p and puts it in its unit's place;
/// all others are +0.0.
pub(super) struct FinishInputGradient<'a, U> {
    /// Their non-linearity.
    pub unit: U,
    /// Their keep rate.
    pub keep: Keep,
    /// Their entries.
    pub by_input: &'a mut ByInput,
    /// dz of the block, a row each.
    pub dz: &'a mut [Panel],
    /// The sum of dz over rows: the gradient in their biases.
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

/// `sum_row dz[row][n]`, over ascending rows: the gradient in the biases.
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
