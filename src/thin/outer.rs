//! Products 2 and 3 of a narrow layer, whose outputs fit in one vector.
//!
//! A list of its inputs would load a whole vector of weights and of dz for each entry, and use a
//! single lane of it if there is one output. Here the lanes are inputs: a row's values are spread
//! over a panel, and each output is an outer product.
//!
//! Product 3 leaves the lanes alone in which the row has no entry, and product 2 adds up the
//! outputs in the order in which [`Lanes::sum`] adds up lanes. So both have the results of the
//! lists, bit for bit.

use super::{PANEL, Panel, Tile, dense::Full, lists::Block, load_from, path::ONE_VECTOR, store_to};
use crate::{
    error::Error,
    pass::Pass,
    simd::{Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
};

/// A number for each input of a block and each output.
pub(super) type ByOutput = [Panel; ONE_VECTOR];

/// Memory for which rows of a block have entries, and which.
#[derive(Clone, Debug)]
pub(super) struct RowBits {
    rows: AlignedBuffer<u32>,
    bits: AlignedBuffer<u64>,
}

/// The rows of a block that have entries, spread over panels.
#[derive(Clone, Copy)]
pub(crate) struct Spread<'a> {
    /// Their numbers, ascending.
    rows: &'a [u32],
    /// The units of each that have an entry.
    bits: &'a [u64],
    /// Their values; 0 at other units.
    x: &'a [Panel],
}

impl RowBits {
    pub(super) fn with_capacity(rows: usize) -> Result<Self, Error> {
        Ok(Self { rows: AlignedBuffer::zeroed(rows)?, bits: AlignedBuffer::zeroed(rows)? })
    }

    /// Spreads the rows of a block. `x` is memory for a panel per row.
    pub(super) fn spread<'a>(&'a mut self, block: Block<'_>, x: &'a mut [Panel]) -> Spread<'a> {
        let mut len = 0;
        for row in 0..block.rows() {
            let (offsets, values) = block.of(row);
            if offsets.is_empty() {
                continue;
            }
            let (mut bits, to) = (0, &mut x[len]);
            *to = [0.0; PANEL];
            for (&offset, &value) in offsets.iter().zip(values) {
                to[usize::from(offset) % PANEL] = value;
                bits |= 1 << (offset % 64);
            }
            (self.rows[len], self.bits[len]) = (row as u32, bits);
            len += 1;
        }
        Spread { rows: &self.rows[..len], bits: &self.bits[..len], x: &x[..len] }
    }
}

impl<'a> Spread<'a> {
    /// The number of rows.
    pub(super) fn len(self) -> usize {
        self.rows.len()
    }

    /// The values.
    pub(super) fn values(self) -> Full<'a> {
        Full::new(self.x.as_flattened(), PANEL)
    }

    /// The number of a row, and the units that have an entry in it.
    #[inline(always)]
    pub(super) fn at(self, i: usize) -> Option<(usize, u64)> {
        let row = *self.rows.get(i)?;
        Some((row as usize, self.bits[i]))
    }
}

/// The weights of a block, multiplied by their pending factors, by output.
pub(super) fn weights(tile: &Tile, s: &Panel, outputs: usize, units: usize) -> ByOutput {
    let mut by_output = [[0.0; PANEL]; ONE_VECTOR];
    for (k, w) in tile[..units].iter().enumerate() {
        for (to, (w, s)) in by_output[..outputs].iter_mut().zip(w.iter().zip(s)) {
            to[k] = s * w;
        }
    }
    by_output
}

/// Product 3: `g[n][k] += sum_row x[row][k] dz[row][n]`, over ascending rows.
pub(super) struct WeightGradient<'a> {
    pub x: Spread<'a>,
    pub dz: &'a [Panel],
    pub outputs: usize,
    /// The vectors that hold units.
    pub vectors: usize,
    pub g: &'a mut ByOutput,
}

/// Outputs that product 3 takes through the rows together, and vectors if there is one output.
const TOGETHER: usize = 4;

impl Kernel for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        if self.outputs == 1 && self.vectors == TOGETHER {
            return self.some::<L, 1, TOGETHER>(l, 0, 0);
        }
        for n in (0..self.outputs).step_by(TOGETHER) {
            for c in 0..self.vectors {
                self.some::<L, TOGETHER, 1>(l, n, c);
            }
        }
    }
}

impl WeightGradient<'_> {
    /// N outputs from `n` on, and C vectors from `c` on.
    #[inline(always)]
    fn some<L: Lanes, const N: usize, const C: usize>(&mut self, l: L, n: usize, c: usize) {
        let Some(to) = self.g[n..].first_chunk_mut::<N>() else { return };
        let mut g = [[l.splat(0.0); C]; N];
        for i in 0..N {
            g[i] = load_from(l, &to[i], c);
        }
        let Spread { rows, bits, x } = self.x;
        for ((&row, &bits), x) in rows.iter().zip(bits).zip(x) {
            let Some(dz) = self.dz[row as usize][n..].first_chunk::<N>() else { return };
            let x: [L::F; C] = load_from(l, x, c);
            for j in 0..C {
                let mask = (bits >> ((c + j) * LANES)) as u16;
                for i in 0..N {
                    let more = l.mul_add(x[j], l.splat(dz[i]), g[i][j]);
                    g[i][j] = l.select(mask, more, g[i][j]);
                }
            }
        }
        for i in 0..N {
            store_to(l, g[i], &mut to[i], c);
        }
    }
}

/// Product 2, without the factor f'(z) / p: `to[row][k] = sum_n w[n][k] dz[row][n]`.
pub(super) struct InputGradient<'a> {
    pub x: Spread<'a>,
    pub dz: &'a [Panel],
    pub w: &'a ByOutput,
    /// The vectors that hold units.
    pub vectors: usize,
    /// One panel for each row of x.
    pub to: &'a mut [Panel],
}

/// The sums of N outputs.
struct Outputs<P, const N: usize>(P);

impl InputGradient<'_> {
    pub(super) fn dispatch(self, pass: Pass, outputs: usize) {
        match outputs {
            0..=1 => pass.dispatch(Outputs::<_, 1>(self)),
            2..=4 => pass.dispatch(Outputs::<_, 4>(self)),
            5..=8 => pass.dispatch(Outputs::<_, 8>(self)),
            9..=12 => pass.dispatch(Outputs::<_, 12>(self)),
            _ => pass.dispatch(Outputs::<_, ONE_VECTOR>(self)),
        }
    }
}

impl<const N: usize> Kernel for Outputs<InputGradient<'_>, N> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self(InputGradient { x, dz, w, vectors, to }) = self;
        for c in 0..vectors {
            let mut weights = [l.splat(0.0); N];
            for (to, w) in weights.iter_mut().zip(w) {
                [*to] = load_from(l, w, c);
            }
            for (&row, to) in x.rows.iter().zip(&mut *to) {
                let Some(dz) = dz[row as usize].first_chunk::<N>() else { return };
                let mut sums = weights;
                for (sum, &dz) in sums.iter_mut().zip(dz) {
                    *sum = l.mul(*sum, l.splat(dz));
                }
                let mut half = LANES / 2;
                while half > 0 {
                    for i in 0..half.min(N.saturating_sub(half)) {
                        sums[i] = l.add(sums[i], sums[i + half]);
                    }
                    half /= 2;
                }
                // Beyond the outputs, the lists add +0.0.
                store_to(l, [l.add(sums[0], l.splat(0.0))], to, c);
            }
        }
    }
}
