//! The products of a block whose lists are full: every input is active in every row, so its
//! values are a dense matrix `[rows][units]`.
//!
//! Where a list visits its weights again for each row, these loops hold several rows or several
//! inputs in registers at once, and load an operand once for all of them. Each output is still
//! one chain of the same operations in the same order, so the results are those of the lists,
//! bit for bit.

use super::{
    Element, PANEL, Panel, Panels, Tile, VECTORS, add_scaled, backward::with_pending, load,
    load_from, store_to,
};
use crate::simd::{Half, Kernel, LANES, Lanes};

/// A backend with so many registers holds 16 accumulators and their operands.
const MANY: usize = 24;
/// A backend with so many registers holds 4 accumulators and their operands; with fewer, lists
/// are faster.
const ENOUGH: usize = 8;

/// How many vectors the registers of a backend hold.
pub(crate) struct Registers;

impl Kernel for Registers {
    type Output = usize;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> usize {
        L::REGISTERS
    }
}

/// Whether these products are faster than those of lists on a backend with so many registers.
pub(crate) fn pays(registers: usize) -> bool {
    registers >= ENOUGH
}

/// Whether they are for a block whose lists are full only because a quarter of their entries, or
/// fewer, are zeros.
pub(super) fn pays_with_zeros(registers: usize) -> bool {
    registers >= MANY
}

/// Rows that product 1 takes through a tile together.
const GROUP: usize = 4;

/// The values of a block whose lists are full.
#[derive(Clone, Copy)]
pub(crate) struct Full<'a> {
    /// `[rows][units]`
    values: &'a [f32],
    /// The units of the block, at least 1.
    units: usize,
}

impl<'a> Full<'a> {
    pub(super) fn new(values: &'a [f32], units: usize) -> Self {
        Self { values, units }
    }

    pub(super) fn units(self) -> usize {
        self.units
    }

    /// The values of a row.
    #[inline(always)]
    pub(super) fn row(self, row: usize) -> &'a [f32] {
        &self.values[row * self.units..][..self.units]
    }

    /// R rows, from `first` on.
    #[inline(always)]
    fn rows<const R: usize>(self, first: usize) -> [&'a [f32]; R] {
        let mut rows = [self.values; R];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = self.row(first + r);
        }
        rows
    }
}

/// Product 1 of a tile: `sums[row] += sum_k x[row][k] w[k]`, over the first V vectors.
pub(super) struct Forward<'a, E: Element, const V: usize> {
    pub tile: &'a Tile<E>,
    /// The tile to prefetch.
    pub next: Option<&'a Tile<E>>,
    pub x: Full<'a>,
    /// The first row of the sums.
    pub first: usize,
    pub sums: &'a mut [Panel],
}

impl<E: Element, const V: usize> Kernel for Forward<'_, E, V> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { tile, next, x, first, sums } = self;
        let groups = sums.len().div_ceil(GROUP);
        for (i, sums) in sums.chunks_mut(GROUP).enumerate() {
            if let Some(next) = next {
                E::prefetch_part(l, next, i, groups);
            }
            let first = first + i * GROUP;
            match sums.first_chunk_mut::<GROUP>() {
                Some(sums) if L::REGISTERS >= MANY => {
                    rows_of_tile::<L, E, GROUP, V>(l, tile, x.rows(first), 0, sums);
                }
                Some(sums) => {
                    for c in 0..V {
                        rows_of_tile::<L, E, GROUP, 1>(l, tile, x.rows(first), c, sums);
                    }
                }
                None => {
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let sums = std::array::from_mut(sums);
                        rows_of_tile::<L, E, 1, V>(l, tile, x.rows(first + i), 0, sums);
                    }
                }
            }
        }
    }
}

/// Product 1 of a tile for R rows and the W vectors from `c` on.
#[inline(always)]
fn rows_of_tile<L: Lanes, E: Element, const R: usize, const W: usize>(
    l: L,
    tile: &Tile<E>,
    x: [&[f32]; R],
    c: usize,
    sums: &mut [Panel; R],
) {
    let units = x[0].len().min(PANEL);
    let mut rows = x;
    let mut acc = [[l.splat(0.0); W]; R];
    for r in 0..R {
        rows[r] = &x[r][..units];
        acc[r] = load_from(l, &sums[r], c);
    }
    for (k, w) in tile[..units].iter().enumerate() {
        let w: [L::F; W] = E::load(l, w, c);
        for r in 0..R {
            acc[r] = add_scaled(l, l.splat(rows[r][k]), w, acc[r]);
        }
    }
    for r in 0..R {
        store_to(l, acc[r], &mut sums[r], c);
    }
}

/// Inputs that product 3 takes through the rows together.
pub(super) const INPUTS: usize = 8;

/// Product 3 of one tile for at most [`INPUTS`] inputs, from `k` on: `g[i] = sum_row
/// x[row][k + i] dz[row]`, over ascending rows.
pub(super) struct WeightGradient<'a> {
    pub x: Full<'a>,
    pub k: usize,
    pub dz: &'a [Panel],
    /// The sums of the rows before, to be added to.
    pub g: &'a mut [Panel],
}

impl Kernel for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        if L::REGISTERS >= MANY && self.g.len() == INPUTS {
            self.vectors::<L, 2, INPUTS>(l, 0, 0);
            self.vectors::<L, 2, INPUTS>(l, 2, 0);
            return;
        }
        let whole = self.g.len() / 4 * 4;
        for c in 0..VECTORS {
            for i in (0..whole).step_by(4) {
                self.vectors::<L, 1, 4>(l, c, i);
            }
        }
        for i in whole..self.g.len() {
            self.vectors::<L, VECTORS, 1>(l, 0, i);
        }
    }
}

impl WeightGradient<'_> {
    /// J inputs from `i` on, and the W vectors from `c` on.
    #[inline(always)]
    fn vectors<L: Lanes, const W: usize, const J: usize>(&mut self, l: L, c: usize, i: usize) {
        let Some(to) = self.g[i..].first_chunk_mut::<J>() else { return };
        let mut g = [[l.splat(0.0); W]; J];
        for j in 0..J {
            g[j] = load_from(l, &to[j], c);
        }
        let rows = self.x.values.chunks_exact(self.x.units);
        for (x, dz) in rows.zip(self.dz) {
            let dz: [L::F; W] = load_from(l, dz, c);
            let Some(x) = x[self.k + i..].first_chunk::<J>() else { return };
            for j in 0..J {
                g[j] = add_scaled(l, l.splat(x[j]), dz, g[j]);
            }
        }
        for j in 0..J {
            store_to(l, g[j], &mut to[j], c);
        }
    }
}

/// Product 2 of a block, without the factor f'(z) / p: `to[row][k] = sum_n s[n] w[k][n]
/// dz[row][n]`.
pub(super) struct InputGradient<'a> {
    /// The block's tiles.
    pub w: &'a [Tile],
    pub s: &'a [Panel],
    pub dz: &'a Panels,
    pub units: usize,
    /// One panel per row.
    pub to: &'a mut [Panel],
    /// Memory for the partial sums of [`ROWS`] rows: half a vector for each input.
    pub parts: &'a mut [[Half; PANEL]],
}

/// Rows that product 2 takes through a block's tiles together. Their partial sums and a tile
/// stay in L1.
pub(super) const ROWS: usize = 8;

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let pending = self.s.iter().flatten().any(|&s| s != 1.0);
        if pending { self.rows::<L, true>(l) } else { self.rows::<L, false>(l) }
    }
}

impl InputGradient<'_> {
    #[inline(always)]
    fn rows<L: Lanes, const PENDING: bool>(self, l: L) {
        let Self { w, s, dz, units, to, parts } = self;
        let operands = Dots::<PENDING> { w, s, dz, units };
        for (i, to) in to.chunks_mut(ROWS).enumerate() {
            let parts = &mut parts[..to.len()];
            operands.rows(l, ROWS * i, parts);
            for (to, parts) in to.iter_mut().zip(parts) {
                for (c, parts) in parts.as_chunks().0.iter().enumerate() {
                    store_to(l, [l.sum_halves(parts)], to, c);
                }
            }
        }
    }
}

/// The operands of product 2.
#[derive(Clone, Copy)]
struct Dots<'a, const PENDING: bool> {
    w: &'a [Tile],
    s: &'a [Panel],
    dz: &'a Panels,
    units: usize,
}

impl<const PENDING: bool> Dots<'_, PENDING> {
    /// The partial sums of some rows, from `first` on.
    #[inline(always)]
    fn rows<L: Lanes>(self, l: L, first: usize, parts: &mut [[Half; PANEL]]) {
        parts.fill([[0.0; LANES / 2]; PANEL]);
        for (n, tile) in self.w.iter().enumerate() {
            let dz = &self.dz.panel(n)[first..][..parts.len()];
            // An odd number of units takes one input of padding with it, whose weights are 0.
            for k in (0..self.units).step_by(2) {
                let w = self.weights::<L>(l, n, tile, k);
                if L::REGISTERS >= MANY && parts.len() == ROWS {
                    add::<L, ROWS>(l, w, dz, parts, k);
                    continue;
                }
                for (dz, parts) in dz.chunks(2).zip(parts.chunks_mut(2)) {
                    if parts.len() == 2 {
                        add::<L, 2>(l, w, dz, parts, k);
                    } else {
                        add::<L, 1>(l, w, dz, parts, k);
                    }
                }
            }
        }
    }

    /// The weights of inputs `k` and `k + 1` in panel `n`.
    #[inline(always)]
    fn weights<L: Lanes>(self, l: L, n: usize, tile: &Tile, k: usize) -> [[L::F; VECTORS]; 2] {
        let [a, b] = [&tile[k % PANEL], &tile[(k + 1) % PANEL]];
        if PENDING {
            [with_pending(l, a, &self.s[n]), with_pending(l, b, &self.s[n])]
        } else {
            [load(l, a), load(l, b)]
        }
    }
}

/// The contribution of a panel to the partial sums of R rows and two inputs, from `k` on.
#[inline(always)]
fn add<L: Lanes, const R: usize>(
    l: L,
    w: [[L::F; VECTORS]; 2],
    dz: &[Panel],
    parts: &mut [[Half; PANEL]],
    k: usize,
) {
    let (Some(dz), Some(parts)) = (dz.first_chunk::<R>(), parts.first_chunk_mut::<R>()) else {
        return;
    };
    let mut acc = [[l.splat(0.0); 2]; R];
    for c in 0..VECTORS {
        for r in 0..R {
            let [dz] = load_from::<L, 1>(l, &dz[r], c);
            for i in 0..2 {
                acc[r][i] =
                    if c == 0 { l.mul(w[i][0], dz) } else { l.mul_add(w[i][c], dz, acc[r][i]) };
            }
        }
    }
    for r in 0..R {
        let parts = parts[r].as_chunks_mut::<2>().0;
        l.add_halves_of_two(acc[r][0], acc[r][1], &mut parts[k / 2 % (PANEL / 2)]);
    }
}
