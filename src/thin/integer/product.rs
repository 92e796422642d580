//! The product of a layer: exact sums, then floats.

use super::{QuadLists, QuadTiles};
use crate::{
    pass::Pass,
    simd::dots::{DotKernel, Dots, Sums},
    thin::{Panel, forward::Operands},
};

/// The integer weights of a layer and its inputs.
#[derive(Clone, Copy)]
pub(crate) struct Integers<'a> {
    /// w and s
    pub w: &'a QuadTiles,
    /// x and t
    pub x: &'a QuadLists,
}

impl Operands for Integers<'_> {
    fn rows(self) -> usize {
        self.x.rows()
    }

    fn outputs(self) -> usize {
        self.w.outputs()
    }

    #[inline]
    fn sums(self, _: Pass, n: usize, first: usize, sums: &mut [Panel]) {
        for (part, sums) in sums.chunks_mut(ROWS).enumerate() {
            let first = first + part * ROWS;
            self.w.dotter().dispatch(PanelSums { operands: self, n, first, sums });
        }
    }
}

/// Rows whose sums pass through a panel's tiles together.
const ROWS: usize = 256;

/// The sums of a panel for some rows: over ascending blocks, so that a tile stays in L1 while the
/// rows pass.
struct PanelSums<'a> {
    operands: Integers<'a>,
    n: usize,
    first: usize,
    sums: &'a mut [Panel],
}

impl DotKernel for PanelSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<D: Dots>(self, dots: D) {
        let Self { operands: Integers { w, x }, n, first, sums } = self;
        // Until the end, the panels hold the bits of integers.
        for (i, sums) in sums.iter_mut().enumerate() {
            let sums: &mut Sums = bytemuck::cast_mut(sums);
            // The offset adds as much again for each activation.
            sums.fill(i32::from(D::OFFSET).wrapping_mul(-x.total(first + i)));
        }
        for (b, tile) in w.panel(n).iter().enumerate() {
            for (i, sums) in sums.iter_mut().enumerate() {
                let (quads, bytes) = x.of(first + i, b);
                dots.add_quads(bytemuck::cast_mut(sums), tile, quads, bytes);
            }
        }
        let s = w.scales(n);
        for (i, sums) in sums.iter_mut().enumerate() {
            let (t, whole) = (x.scale(first + i), *bytemuck::cast_ref::<_, Sums>(sums));
            for ((sum, whole), s) in sums.iter_mut().zip(whole).zip(s) {
                *sum = whole as f32 * (t * s);
            }
        }
    }
}
