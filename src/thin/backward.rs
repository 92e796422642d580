//! Product 2: the gradient in the units below, at active positions only.

use super::{Lists, PANEL, Panel, Panels, Tiles, Unit, VECTORS, load, store};
use crate::{
    parallel::{Runs, divide},
    rate::Keep,
    simd::{Isa, Kernel, Lanes},
};

/// `sum_n a[n] b[n]` over a panel.
#[inline(always)]
fn dot<L: Lanes>(l: L, a: [L::F; VECTORS], b: [L::F; VECTORS]) -> f32 {
    let mut sum = l.mul(a[0], b[0]);
    for c in 1..VECTORS {
        sum = l.mul_add(a[c], b[c], sum);
    }
    l.sum(sum)
}

struct Data<'a, U> {
    unit: U,
    keep: Keep,
    w: &'a Tiles,
    dz: &'a Panels,
    x: &'a Lists,
    first: usize,
    out: Runs<'a, Panel>,
}

impl<U: Unit> Kernel for Data<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        for (i, out) in self.out.data.chunks_mut(self.out.size).enumerate() {
            let block = self.first + i;
            let lists = self.x.block(block);
            // Sums in the order of the list's entries, then put in their place.
            out.fill([0.0; PANEL]);
            for n in 0..self.dz.panels() {
                let tile = &self.w.panel(n)[block * PANEL..];
                for (row, (sums, dz)) in out.iter_mut().zip(self.dz.panel(n)).enumerate() {
                    let (offsets, _) = lists.of(row);
                    let dz = load(l, dz);
                    for (sum, &offset) in sums.iter_mut().zip(offsets) {
                        *sum += dot(l, load(l, &tile[usize::from(offset)]), dz);
                    }
                }
            }
            for (row, out) in out.iter_mut().enumerate() {
                spread(l, self.unit, self.keep, lists.of(row), out);
            }
        }
    }
}

/// Multiplies the sums of a list's entries by f'(z) / p and moves each to its
/// unit's place; all others are +0.0.
#[inline(always)]
fn spread<L: Lanes, U: Unit>(
    l: L,
    unit: U,
    keep: Keep,
    (offsets, values): (&[u8], &[f32]),
    out: &mut Panel,
) {
    // The list holds y / p.
    let (keep, scale) = (l.splat(keep.get() as f32), l.splat(keep.scale()));
    let mut scaled = [0.0; PANEL];
    scaled[..values.len()].copy_from_slice(values);
    let (sums, values) = (load(l, out), load(l, &scaled));
    let deltas = std::array::from_fn(|c| {
        let slope = unit.slope(l, l.mul(values[c], keep));
        l.mul(l.mul(sums[c], scale), slope)
    });
    store(l, deltas, &mut scaled);
    *out = [0.0; PANEL];
    for (&offset, &delta) in offsets.iter().zip(&scaled) {
        out[usize::from(offset)] = delta;
    }
}

/// `out[row][k] = f'(z_below) / p * sum_n w[k][n] dz[row][n]` at the active
/// units of `x`, +0.0 elsewhere; `unit` and `keep` are those of the layer
/// below, whose lists are `x`.
#[expect(clippy::too_many_arguments, reason = "a product has three operands and a unit")]
pub(crate) fn data<U: Unit>(
    isa: Isa,
    parallel: bool,
    unit: U,
    keep: Keep,
    w: &Tiles,
    dz: &Panels,
    x: &Lists,
    out: &mut Panels,
) {
    out.set_rows(x.rows());
    divide(parallel, 1, out.runs_mut(), &|first, out| {
        isa.dispatch(Data { unit, keep, w, dz, x, first, out });
    });
}
