//! Product 1 in whole numbers, for predictions.
//!
//! Weights and activations are whole numbers of 8 bits, and their sums, of 32 bits, are exact. So
//! the sums have the same bits on every instruction set, for any batch and any number of threads,
//! and in any order of a layer's inputs.
//!
//! A layer maps K inputs to N outputs. Four inputs are a **quad**:
//!
//! | name | shape | meaning |
//! |---|---|---|
//! | `w` | `[N/64][K/256][64][64][4]` | weights in [`QuadTiles`]: for each quad and output, four bytes, `round(w / s[n])` |
//! | `s` | `[N]` | the weights' scales, [`scale`] of each output's largest weight |
//! | `x` | `[K/256][rows]` of at most 64 entries | quads with an active unit in [`QuadLists`]: `round(x / t[row])` |
//! | `t` | `[rows]` | the activations' scales, [`scale`] of each row's largest activation |
//!
//! The product is `sum[row][n] = float(sum_k x[row][k] w[k][n]) * (t[row] * s[n])`, in which each
//! operation on floats is rounded on its own. Like the sums of [`forward`](super::forward), it is
//! without the bias. Rounding to a whole number is to nearest, ties to even.
//!
//! Only quads with an active unit are visited, so the units of a layer have an order of their own,
//! in which those that are active together are neighbours: [`QuadTiles`] have their outputs in it,
//! and the tiles of the next layer their inputs. Masks and noise are looked up by the unit at a
//! place. Between layers there are no lists: the outputs stay where the sums were, until they
//! are rounded.
//!
//! | file | contents |
//! |---|---|
//! | `product` | the product |
//! | `hidden` | a hidden layer, up to its outputs |
//! | `inputs` | a layer's inputs as floats: lists, or rows or outputs with what was drawn for them |
//! | `lists` | the same, rounded to bytes |

mod hidden;
mod inputs;
mod lists;
mod product;
mod tiles;

pub(crate) use hidden::hidden;
pub(crate) use inputs::{Drawn, Noise, Of};
pub(crate) use lists::QuadLists;
pub(crate) use product::Integers;
pub(crate) use tiles::{Orders, Parameters, QuadTiles};

use super::PANEL;
use crate::simd::dots::QuadTile;

/// Inputs per quad.
const QUAD: usize = 4;

/// Quads per block.
const QUADS: usize = 64;

/// Inputs per block.
const BLOCK: usize = QUADS * QUAD;

const _: () = assert!(BLOCK == 4 * PANEL && size_of::<QuadTile>() == BLOCK * PANEL);

/// What 1 stands for if the largest number is `max`: `max / 127`, or 1 if that is less than the
/// smallest normal number, so that `x / scale` is at most 127 (1 + 2^-23) for each `x`.
pub(crate) fn scale(max: f32) -> f32 {
    let scale = max / 127.0;
    if scale < f32::MIN_POSITIVE { 1.0 } else { scale }
}

/// A float plus this is rounded to a whole number, because all floats from 2^23 to 2^24 are whole.
const SHIFT: f32 = 1.5 * (1 << 23) as f32;

/// The whole number in a float to which [`SHIFT`] was added: its lowest bits.
#[inline(always)]
fn shifted(x: f32) -> i32 {
    x.to_bits().wrapping_sub(SHIFT.to_bits()) as i32
}

#[cfg(test)]
mod tests;
