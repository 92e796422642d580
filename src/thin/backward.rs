//! Product 2: the gradient in the units below, at active positions only.

use super::{PANEL, Panel, Tile, Unit, VECTORS, input, lists::Block, load, store};
use crate::{rate::Keep, simd::Lanes};

/// `sum_n w[k][n] dz[n]` over a tile's outputs, but for the sum over lanes.
#[inline(always)]
fn partial_dot<L: Lanes, const V: usize>(l: L, w: &Tile, k: u8, dz: [L::F; V]) -> L::F {
    let w: [L::F; V] = load(l, input(w, k));
    let mut sum = l.mul(w[0], dz[0]);
    for c in 1..V {
        sum = l.mul_add(w[c], dz[c], sum);
    }
    sum
}

/// A tile's part: `sums[row][e] += sum_n s[n] w[k][n] dz[row][n]` with k the
/// row's active unit number e, four at a time so that their sums over lanes
/// share work. What stands behind a list's end in `sums` is unspecified.
#[inline(always)]
pub(super) fn tile<L: Lanes, const V: usize>(
    l: L,
    w: &Tile,
    s: &Panel,
    dz: &[Panel],
    x: Block<'_>,
    sums: &mut [Panel],
) {
    let pending = s.iter().any(|&s| s != 1.0);
    let s: [L::F; V] = load(l, s);
    for (row, (dz, sums)) in dz.iter().zip(sums).enumerate() {
        let mut dz: [L::F; V] = load(l, dz);
        if pending {
            dz = std::array::from_fn(|c| l.mul(s[c], dz[c]));
        }
        for (&[i, j, k, m], sums) in x.quads(row).iter().zip(sums.as_chunks_mut::<4>().0) {
            let parts = l.sum4(
                partial_dot(l, w, i, dz),
                partial_dot(l, w, j, dz),
                partial_dot(l, w, k, dz),
                partial_dot(l, w, m, dz),
            );
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += part;
            }
        }
    }
}

/// The gradient in a block of units of the layer below.
pub(crate) struct Below<'a, U> {
    /// Their non-linearity.
    pub unit: U,
    /// Their keep rate.
    pub keep: Keep,
    /// dz of the block, a row each.
    pub dz: &'a mut [Panel],
    /// The sum of dz over rows: the gradient in their biases.
    pub bias_gradient: &'a mut Panel,
}

impl<U: Unit> Below<'_, U> {
    /// Ends product 2: multiplies the sums of each list's entries by f'(z) / p
    /// and moves each to its unit's place; all others are +0.0.
    #[inline(always)]
    pub(super) fn finish<L: Lanes>(&mut self, l: L, x: Block<'_>) {
        let (keep, scale) = (l.splat(self.keep.get() as f32), l.splat(self.keep.scale()));
        for (row, dz) in self.dz.iter_mut().enumerate() {
            let (offsets, values) = x.of(row);
            // The list holds y / p.
            let mut scaled = [0.0; PANEL];
            scaled[..values.len()].copy_from_slice(values);
            let (sums, values): ([_; VECTORS], [_; VECTORS]) = (load(l, dz), load(l, &scaled));
            let deltas: [_; VECTORS] = std::array::from_fn(|c| {
                let slope = self.unit.slope(l, l.mul(values[c], keep));
                l.mul(l.mul(sums[c], scale), slope)
            });
            store(l, deltas, &mut scaled);
            *dz = [0.0; PANEL];
            for (&offset, &delta) in offsets.iter().zip(&scaled) {
                dz[usize::from(offset) % PANEL] = delta;
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
        sum = std::array::from_fn(|c| l.add(sum[c], dz[c]));
    }
    sum
}
