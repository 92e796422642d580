//! The three products of a layer, on what the mask left standing.
//!
//! A layer maps K inputs to N outputs. One legend of shapes for the folder:
//!
//! | name | shape | what |
//! |---|---|---|
//! | `w` | `[N/64][K][64]` | weights in [`Tiles`]: a **panel** is 64 neighbouring outputs |
//! | `x` | `[K/64][rows]` of at most 64 entries | active inputs in [`Lists`]: a **block** is 64 neighbouring inputs |
//! | `z`, `dz` | `[N/64][rows][64]` | pre-activations, and the loss's gradient in them, in [`Panels`] |
//!
//! The products, with sums over active inputs only:
//!
//! | file | formula |
//! |---|---|
//! | [`forward`] | `z[row][n] = b[n] + sum_k x[row][k] w[k][n]`, then the next layer's lists |
//! | [`backward`] | `dz_below[row][k] = f'(x[row][k]) / p * sum_n w[k][n] dz[row][n]` at active k |
//! | [`update`] | `g[k][n] = sum_row x[row][k] dz[row][n]`, and the optimiser's step at once |
//!
//! A row's result is summed in an order that only the model and that row's own
//! list fix: ascending blocks, then units. Each output belongs to one task.
//!
//! This is the plain form of the products.
#![forbid(unsafe_code)]

pub(crate) mod backward;
pub(crate) mod forward;
mod lists;
mod panels;
mod tiles;
pub(crate) mod update;

pub(crate) use lists::{InputBits, Lists, Turned};
pub(crate) use panels::Panels;
pub(crate) use tiles::Tiles;

use crate::simd::{LANES, Lanes};

/// Outputs in a panel, inputs in a block, bits in a mask word.
pub(crate) const PANEL: usize = 64;

/// Vectors in a panel.
pub(crate) const VECTORS: usize = PANEL / LANES;

/// 64 neighbouring units of one row, or 64 weights of one input.
pub(crate) type Panel = [f32; PANEL];

/// The non-linearity of a unit, forward and backward.
pub(crate) trait Unit: Copy + Send + Sync {
    /// y = f(z)
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F;
    /// The units that can matter to a sum above: where y or f'(z) is not zero,
    /// judged on z, and NaN.
    fn active<L: Lanes>(self, l: L, z: L::F) -> u16;
    /// f'(z) of an active unit, as a function of its value y.
    fn slope<L: Lanes>(self, l: L, y: L::F) -> L::F;
}

/// The four vectors of a panel.
#[inline(always)]
pub(crate) fn load<L: Lanes>(l: L, panel: &Panel) -> [L::F; VECTORS] {
    let (lines, _) = panel.as_chunks::<LANES>();
    std::array::from_fn(|c| l.load(&lines[c]))
}

/// Writes the four vectors of a panel.
#[inline(always)]
pub(crate) fn store<L: Lanes>(l: L, x: [L::F; VECTORS], panel: &mut Panel) {
    let (lines, _) = panel.as_chunks_mut::<LANES>();
    for (line, x) in lines.iter_mut().zip(x) {
        l.store(x, line);
    }
}

/// y + a x for the four vectors of a panel.
#[inline(always)]
pub(crate) fn add_scaled<L: Lanes>(
    l: L,
    a: L::F,
    x: [L::F; VECTORS],
    y: [L::F; VECTORS],
) -> [L::F; VECTORS] {
    std::array::from_fn(|c| l.mul_add(a, x[c], y[c]))
}

#[cfg(test)]
mod tests;
