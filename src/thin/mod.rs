//! The three matrix products of a layer, over active inputs only: kept by the mask, and not zero.
//!
//! A layer maps K inputs to N outputs. These shapes hold throughout this module:
//!
//! | name | shape | meaning |
//! |---|---|---|
//! | `w` | `[K/64][N/64][64][64]` | weights in [`Tiles`]: a **block** is 64 consecutive inputs, a **panel** 64 consecutive outputs, a **tile** their intersection |
//! | `s` | `[N]` | pending max-norm factors: the weight from k to n is `s[n] w[k][n]` |
//! | `x` | `[K/64][rows]` of at most 64 entries | active inputs in [`Lists`] |
//! | `z`, `dz` | `[N/64][rows][64]` | pre-activations and the gradient of the loss with respect to them, in [`Panels`] |
//!
//! The products, summed over active inputs only:
//!
//! | file | formula |
//! |---|---|
//! | [`forward`] | `z[row][n] = b[n] + s[n] sum_k x[row][k] w[k][n]`, then the next layer's lists |
//! | [`backward`] | `dz_below[row][k] = f'(z_below[row][k]) / p * sum_n s[n] w[k][n] dz[row][n]` at active k |
//! | [`update`] | `g[k][n] = sum_row x[row][k] dz[row][n]`, applied in the same pass by the optimiser |
//!
//! [`dense`] has the products of a block whose inputs are all active in every row, and [`outer`]
//! products 2 and 3 of a layer of at most 16 outputs.
//! [`rows`] has the kinds of rows that the first layer's lists are filled from.
//! [`sparse`] has products 1 and 3 of a first layer whose inputs are sparse rows.
//! [`row`] has product 1 of a single row without lists, for predictions of small networks.
//! [`maxout`] has the maxima of units with several linear pieces.
//! [`moments`] propagates a mean and a standard deviation through product 1 instead.
//!
//! Although z is defined with b and s, the panels hold the sums alone, from product 1 until
//! product 2 overwrites them with dz. Where f'(z) cannot be computed from the output y = f(z)
//! ([`Kept`]), product 1 of a training step overwrites the sums with f'(z) / p for a kept unit and 0
//! for a dropped one, and product 2 reads them there. It does so for every unit if the
//! outputs have Gaussian noise ([`noise`]).
//!
//! The order of summation for a row depends only on the model and that row's own
//! list: ascending blocks, then ascending units. Each output belongs to exactly one
//! task. In the forward pass a task is a panel; in the backward pass it is a block,
//! whose [`visit`] of each tile computes products 2 and 3 while the tile is in L1.
//!
//! The tests contain the formulas as naive loops in f64.

pub(crate) mod average;
pub(crate) mod backward;
mod by_input;
mod dense;
pub(crate) mod forward;
pub(crate) mod gradient;
pub(crate) mod integer;
mod lists;
pub(crate) mod maxout;
pub(crate) mod moments;
pub(crate) mod noise;
mod outer;
mod panels;
mod path;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod sparse;
pub(crate) mod sparsity;
mod tiles;
pub(crate) mod update;
pub(crate) mod visit;

pub(crate) use by_input::ByInput;
#[cfg(test)]
pub(crate) use dense::{Registers, pays as dense_pays};
pub(crate) use lists::{Activity, Gaps, InputBits, Lists, ThinningBits};
pub(crate) use panels::Panels;
pub use path::ProductPath;
pub(crate) use path::rows_one_by_one;
pub(crate) use rows::InputRows;
pub(crate) use tiles::{Bf16, Element, Tiles};
pub(crate) use update::LayerState;

use crate::simd::{LANES, Lanes, Supported};
use moments::Moments;

/// Outputs per panel, inputs per block, bits per mask word.
pub(crate) const PANEL: usize = 64;
const _: () = assert!(PANEL == crate::mask::WORD);

/// Vectors per panel.
pub(crate) const VECTORS: usize = PANEL / LANES;

/// 64 consecutive units of one row, or 64 weights of one input.
pub(crate) type Panel = [f32; PANEL];

/// The intersection of a block and a panel: 64 weights for each of 64 inputs.
pub(crate) type Tile<E = f32> = [[E; PANEL]; PANEL];

/// The non-linearity of a unit: its formulas in f64, and the same for vectors in the forward pass.
pub(crate) trait Unit: Copy + Send + Sync {
    /// How the backward pass finds f'(z).
    type Slope: Slope;
    /// The same as a value.
    fn slope(self) -> Self::Slope;

    /// How the mean and standard deviation of f(z) are computed for a normally distributed z.
    type Moments: Moments;
    /// The same as a value, for kernels with this instruction set.
    fn moments(self, isa: Supported) -> Self::Moments;

    /// y = f(z) in f64: the reference for the vector code.
    fn plain_value(self, z: f64) -> f64;
    /// f'(z) in f64: the reference for the vector code.
    fn plain_derivative(self, z: f64) -> f64;

    /// y = f(z)
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F;
    /// f(z) and f'(z), which can share part of their computation. A unit whose slope is [`Kept`]
    /// has to override this.
    #[inline(always)]
    fn value_and_derivative<L: Lanes>(self, l: L, z: L::F) -> (L::F, L::F) {
        const { assert!(!Self::Slope::KEPT, "f'(z) is not a function of f(z)") };
        let y = self.value(l, z);
        (y, self.slope().of(l, y))
    }
    /// The units that can contribute to the layer above, judged by z: those where y or
    /// f'(z) is not zero, and NaN. By default, all of them.
    #[inline(always)]
    fn active<L: Lanes>(self, _: L, _: L::F) -> u16 {
        u16::MAX
    }
}

/// How product 2 finds the derivative of a layer's outputs with respect to z.
pub(crate) trait Slope: Copy + Send + Sync {
    /// Whether product 1 must leave f'(z) r in z's place, where r is what the output is
    /// multiplied by: 1/p for a kept unit, 0 for a dropped one.
    const KEPT: bool;
    /// What product 2 multiplies by. If `KEPT`, `found` is what product 1 left in z's place;
    /// otherwise it is y of an active unit, and the result is f'(z).
    fn of<L: Lanes>(self, l: L, found: L::F) -> L::F;
}

/// The slope of units whose derivative is not a function of their value: product 1 leaves it in
/// z's place. It is the same for all of them, so they share the code of the backward pass.
#[derive(Clone, Copy)]
pub(crate) struct Kept;

impl Slope for Kept {
    const KEPT: bool = true;
    #[inline(always)]
    fn of<L: Lanes>(self, _: L, found: L::F) -> L::F {
        found
    }
}

/// The number of units in panel (or block) `n` of `width` units.
#[inline(always)]
pub(crate) fn units(width: usize, n: usize) -> usize {
    width.saturating_sub(n * PANEL).min(PANEL)
}

/// The number of vectors of panel (or block) `n` that hold some of `width` units.
#[inline(always)]
pub(crate) fn vectors(width: usize, n: usize) -> usize {
    units(width, n).div_ceil(LANES)
}

/// Loads the first V vectors of a panel: all four, or only one for a narrow output
/// layer.
#[inline(always)]
pub(crate) fn load<L: Lanes, const V: usize>(l: L, panel: &Panel) -> [L::F; V] {
    load_from(l, panel, 0)
}

/// Loads V vectors of a panel, from vector `c` on.
#[inline(always)]
pub(crate) fn load_from<L: Lanes, const V: usize>(l: L, panel: &Panel, c: usize) -> [L::F; V] {
    let (lines, _) = panel.as_chunks::<LANES>();
    let mut out = [l.splat(0.0); V];
    for (i, out) in out.iter_mut().enumerate() {
        *out = l.load(&lines[c + i]);
    }
    out
}

/// Stores the first V vectors of a panel.
#[inline(always)]
pub(crate) fn store<L: Lanes, const V: usize>(l: L, x: [L::F; V], panel: &mut Panel) {
    store_to(l, x, panel, 0);
}

/// Stores V vectors of a panel, from vector `c` on.
#[inline(always)]
pub(crate) fn store_to<L: Lanes, const V: usize>(l: L, x: [L::F; V], panel: &mut Panel, c: usize) {
    let (lines, _) = panel.as_chunks_mut::<LANES>();
    for (i, x) in x.into_iter().enumerate() {
        l.store(x, &mut lines[c + i]);
    }
}

/// Prefetches the first V cache lines of the weights of input `k` in tile `n`. The
/// tile after a block's last one is the first of the next block.
#[inline(always)]
pub(crate) fn prefetch<L: Lanes, E, const V: usize>(l: L, tiles: &[Tile<E>], n: usize, k: usize) {
    let panel = tiles.as_ptr().wrapping_add(n).cast::<[E; PANEL]>().wrapping_add(k);
    for line in 0..(V * size_of::<E>()).div_ceil(size_of::<f32>()) {
        l.prefetch(panel.cast::<f32>().wrapping_add(line * LANES));
    }
}

/// Prefetches part `i` of `parts` parts of a tile, which are the weights of whole inputs: a loop over
/// single lines would take several times as many instructions.
#[inline(always)]
pub(crate) fn prefetch_part<L: Lanes>(l: L, tile: &Tile, i: usize, parts: usize) {
    let each = PANEL.div_ceil(parts);
    for input in tile.iter().skip(i * each).take(each) {
        for line in input.as_chunks::<LANES>().0 {
            l.prefetch(line.as_ptr());
        }
    }
}

/// The weights of the input at `offset`. Bytes past the end of a list are not valid
/// offsets: the modulo keeps them in range.
#[inline(always)]
pub(crate) fn input<E>(tile: &Tile<E>, offset: u8) -> &[E; PANEL] {
    &tile[usize::from(offset) % PANEL]
}

/// Returns y + a x for V vectors of a panel.
#[inline(always)]
pub(crate) fn add_scaled<L: Lanes, const V: usize>(
    l: L,
    a: L::F,
    x: [L::F; V],
    mut y: [L::F; V],
) -> [L::F; V] {
    for (y, x) in y.iter_mut().zip(x) {
        *y = l.mul_add(a, x, *y);
    }
    y
}

#[cfg(test)]
mod tests;
