//! The product of a layer: exact sums, then floats.

use super::{PANEL, QUADS, QuadLists, QuadTiles};
use crate::{
    parallel::Runs,
    pass::Pass,
    simd::dots::{DotKernel, Dots, QuadTile, TOGETHER},
    thin::{Panel, dense::Full, forward::Operands},
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
    fn sums(self, _: Pass, n: usize, first: usize, sums: Runs<'_, Panel>) {
        self.w.dotter().dispatch(PanelSums { operands: self, n, first, sums });
    }

    /// A list is then read once for two tiles, which still fit into L1.
    const PANELS: usize = 2;
}

/// Rows whose sums pass through a panel's tiles together.
const ROWS: usize = 256;

/// Batches of at least this many rows prefetch the next tiles; smaller ones need too little of them.
const MANY_ROWS: usize = 16;

/// Adds the products of a block in which every row has every quad; `sums` holds the rows from
/// `first` on.
#[inline(always)]
fn full<D: Dots>(dots: D, tile: &QuadTile, x: Full<'_>, first: usize, sums: &mut [Panel]) {
    let (several, rest) = sums.as_chunks_mut();
    for (i, sums) in several.iter_mut().enumerate() {
        let row = |r| bytemuck::cast_slice(x.row(first + i * TOGETHER + r));
        dots.add_rows(sums.each_mut().map(bytemuck::cast_mut), tile, std::array::from_fn(row));
    }
    let first = first + several.len() * TOGETHER;
    let all: [u8; QUADS] = std::array::from_fn(|quad| quad as u8);
    for (i, sums) in rest.iter_mut().enumerate() {
        let bytes = bytemuck::cast_slice(x.row(first + i));
        dots.add_quads([bytemuck::cast_mut(sums)], [tile], &all, bytes);
    }
}

/// The sums of some panels and rows: over ascending blocks, so that tiles stay in L1 while the rows
/// pass.
struct PanelSums<'a> {
    operands: Integers<'a>,
    n: usize,
    first: usize,
    sums: Runs<'a, Panel>,
}

impl DotKernel for PanelSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<D: Dots>(self, dots: D) {
        let Self { operands, n, first, sums: Runs { data, size } } = self;
        for (i, sums) in data.chunks_mut(2 * size).enumerate() {
            let n = n + 2 * i;
            match sums.split_at_mut(size.min(sums.len())) {
                (sums, []) => operands.panels::<D, 1>(dots, n, first, [sums]),
                (sums, more) => operands.panels::<D, 2>(dots, n, first, [sums, more]),
            }
        }
    }
}

impl<'a> Integers<'a> {
    /// The sums of P panels.
    #[inline(always)]
    fn panels<D: Dots, const P: usize>(
        self,
        dots: D,
        n: usize,
        first: usize,
        mut panels: [&mut [Panel]; P],
    ) {
        let Self { w, x } = self;
        let rows = panels[0].len();
        for start in (0..rows).step_by(ROWS) {
            let part = start..rows.min(start + ROWS);
            for row in part.clone() {
                // The offset adds as much again for each activation. Until the end, the panels hold
                // the bits of integers.
                let start = i32::from(D::OFFSET).wrapping_mul(-x.total(first + row));
                for panel in &mut panels {
                    panel[row] = bytemuck::cast([start; PANEL]);
                }
            }
            for b in 0..w.blocks() {
                let tiles = self.tiles(n, b);
                let (block, next) = (x.quads().block(b), self.next::<P>(n, b));
                if let Some(x) = x.quads().full(b) {
                    for (panel, tile) in panels.iter_mut().zip(tiles) {
                        full(dots, tile, x, first + part.start, &mut panel[part.clone()]);
                    }
                    continue;
                }
                let next = next.filter(|_| part.len() >= MANY_ROWS);
                let each = QUADS.div_ceil(part.len());
                for (i, row) in part.clone().enumerate() {
                    let share = QUADS.min(i * each)..QUADS.min(i * each + each);
                    for tile in next.iter().flatten() {
                        tile[share.clone()].iter().for_each(|quad| dots.prefetch(quad));
                    }
                    let (quads, bytes) = block.of(first + row);
                    let sums = panels.each_mut().map(|panel| bytemuck::cast_mut(&mut panel[row]));
                    dots.add_quads(sums, tiles, quads, bytemuck::cast_slice(bytes));
                }
            }
            for (i, panel) in panels.iter_mut().enumerate() {
                let s = w.scales(n + i);
                for row in part.clone() {
                    let t = x.scale(first + row);
                    for (sum, s) in panel[row].iter_mut().zip(s) {
                        *sum = sum.to_bits() as i32 as f32 * (t * s);
                    }
                }
            }
        }
    }

    /// The weights from block `b` to panel `n` and those after it.
    #[inline(always)]
    fn tiles<const P: usize>(self, n: usize, b: usize) -> [&'a QuadTile; P] {
        std::array::from_fn(|i| self.w.tile(n + i, b))
    }

    /// The tiles that are needed after block `b`: those of the next block, or the first for the next
    /// panels.
    #[inline(always)]
    fn next<const P: usize>(self, n: usize, b: usize) -> Option<[&'a QuadTile; P]> {
        let (n, b) = if b + 1 < self.w.blocks() { (n, b + 1) } else { (n + P, 0) };
        (n + P <= self.w.panels()).then(|| self.tiles(n, b))
    }
}
