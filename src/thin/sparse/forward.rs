//! Product 1 for sparse rows: the weights of each entry's input are added up, row by row.

use super::SparseRows;
use crate::{
    parallel::Runs,
    pass::Pass,
    simd::{Kernel, Lanes},
    thin::{
        Element, PANEL, Panel, ProductPath, Tiles, VECTORS, add_scaled, forward::Operands,
        prefetch, store,
    },
};

/// Entries ahead of which weights are prefetched: at random places of a large layer, all of them come
/// from memory.
const AHEAD: usize = 6;

/// Floats, as they are or as bfloat16.
#[derive(Clone, Copy)]
pub(crate) struct SparseFloats<'a, E: Element = f32> {
    /// w
    pub w: &'a Tiles<E>,
    /// x
    pub x: &'a SparseRows,
}

impl<E: Element> Operands for SparseFloats<'_, E> {
    fn rows(self) -> usize {
        self.x.rows()
    }

    fn outputs(self) -> usize {
        self.w.outputs()
    }

    #[inline]
    fn sums(self, pass: Pass, n: usize, first: usize, sums: Runs<'_, Panel>) {
        for (i, sums) in sums.data.chunks_mut(sums.size).enumerate() {
            pass.dispatch(Sums { operands: self, n: n + i, first, sums });
        }
    }
    const PANELS: usize = 1;
}

/// `sums[row][n] = sum_k x[row][k] w[k][n]` for panel `n`, over ascending k. `sums` holds the rows from
/// `first` on.
struct Sums<'a, E: Element> {
    operands: SparseFloats<'a, E>,
    n: usize,
    first: usize,
    sums: &'a mut [Panel],
}

impl<E: Element> Kernel for Sums<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        match ProductPath::of(self.operands.rows(), self.operands.outputs()) {
            ProductPath::Narrow => self.product::<L, 1>(l),
            ProductPath::FewRows | ProductPath::Lists => self.product::<L, VECTORS>(l),
        }
    }
}

impl<E: Element> Sums<'_, E> {
    /// The first V vectors of the panel; all others are 0.
    #[inline(always)]
    fn product<L: Lanes, const V: usize>(self, l: L) {
        let Self { operands: SparseFloats { w, x }, n, first, sums } = self;
        let (tiles, panels) = (w.tiles(), w.panels());
        let at = |input: u32| {
            let input = input as usize;
            (input / PANEL * panels + n, input % PANEL)
        };
        for (row, sums) in sums.iter_mut().enumerate() {
            let (inputs, values) = x.at(first + row);
            let mut acc = [l.splat(0.0); V];
            for (i, (&input, &value)) in inputs.iter().zip(values).enumerate() {
                if let Some(&next) = inputs.get(i + AHEAD) {
                    let (tile, k) = at(next);
                    prefetch::<L, _, V>(l, tiles, tile, k);
                }
                let (tile, k) = at(input);
                acc = add_scaled(l, l.splat(value), E::load(l, &tiles[tile][k], 0), acc);
            }
            store(l, [l.splat(0.0); VECTORS], sums);
            store(l, acc, sums);
        }
    }
}
