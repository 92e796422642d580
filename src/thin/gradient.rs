//! Passes over the gradient of a layer's weights, where it is stored before it is applied.

use super::{PANEL, Panel, Tile, Tiles, VECTORS, backward::with_pending, load, store};
use crate::{
    parallel::Runs,
    pass::Pass,
    simd::{Kernel, Lanes},
};

/// Adds the subgradient of l1 times the sum of all |w|, which is l1 times the sign of each weight w,
/// and 0 for w = 0. The weights are `w` times the pending factors `s`.
pub(crate) fn add_l1(pass: Pass, l1: f32, w: &Tiles, s: &[Panel], g: &mut Tiles) {
    pass.each(g.runs_mut(), &|b, g| pass.dispatch(AddSigns { l1, w: w.block(b), s, g: g.data }));
}

struct AddSigns<'a> {
    l1: f32,
    w: &'a [Tile],
    s: &'a [Panel],
    g: &'a mut [Tile],
}

impl Kernel for AddSigns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (zero, l1) = (l.splat(0.0), l.splat(self.l1));
        for ((w, s), g) in self.w.iter().zip(self.s).zip(self.g) {
            for (w, to) in w.iter().zip(g) {
                let w: [L::F; VECTORS] = with_pending(l, w, s);
                let mut g: [L::F; VECTORS] = load(l, to);
                for (g, w) in g.iter_mut().zip(w) {
                    let positive = l.keep(l.less(zero, w), l1);
                    let negative = l.keep(l.less(w, zero), l1);
                    *g = l.add(*g, l.sub(positive, negative));
                }
                store(l, g, to);
            }
        }
    }
}

/// The sum of the squares of a gradient. `sums` is scratch memory of a number per block.
pub(crate) fn sum_of_squares(pass: Pass, g: &Tiles, sums: &mut [f64]) -> f64 {
    let sums = &mut sums[..g.blocks()];
    pass.each(Runs { data: &mut *sums, size: 1 }, &|b, sum| {
        sum.data[0] = squares(pass, g.block(b).as_flattened());
    });
    sums.iter().sum()
}

/// The sum of the squares of some panels, in the same order and precision on every backend: that of
/// each of 32 columns, row by row, and then their sum.
pub(crate) fn squares(pass: Pass, g: &[Panel]) -> f64 {
    pass.dispatch(SumOfSquares(g))
}

struct SumOfSquares<'a>(&'a [Panel]);

impl Kernel for SumOfSquares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> f64 {
        let mut sums = [0.0; PANEL / 2];
        for half in self.0.as_flattened().as_chunks::<{ PANEL / 2 }>().0 {
            for (sum, &g) in sums.iter_mut().zip(half) {
                // The product is exact.
                *sum += f64::from(g) * f64::from(g);
            }
        }
        sums.iter().sum()
    }
}

/// Multiplies a gradient.
pub(crate) fn multiply(pass: Pass, by: f32, g: &mut Tiles) {
    pass.each(g.runs_mut(), &|_, g| multiply_panels(pass, by, g.data.as_flattened_mut()));
}

/// Multiplies some panels.
pub(crate) fn multiply_panels(pass: Pass, by: f32, g: &mut [Panel]) {
    pass.dispatch(Multiply { by, g });
}

struct Multiply<'a> {
    by: f32,
    g: &'a mut [Panel],
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let by = l.splat(self.by);
        for panel in self.g {
            let mut g: [L::F; VECTORS] = load(l, panel);
            for g in &mut g {
                *g = l.mul(*g, by);
            }
            store(l, g, panel);
        }
    }
}
