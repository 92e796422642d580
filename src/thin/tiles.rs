//! Weights in tiles: `[K/64][N/64][64][64]`.

use std::fmt;

use bytemuck::Pod;
use half::bf16;

use super::{PANEL, Panel, Tile, VECTORS, load_from, prefetch_part};
use crate::{
    abridged::Few,
    error::{Error, same_size},
    memory::zeros,
    parallel::Runs,
    simd::{LANES, Lanes},
    tensor::AlignedBuffer,
};

/// How a weight is stored.
pub(crate) trait Element: Pod + Send + Sync {
    /// Loads V vectors of an input's weights, from vector `c` on.
    fn load<L: Lanes, const V: usize>(l: L, from: &[Self; PANEL], c: usize) -> [L::F; V];
    /// Prefetches part `i` of `parts` parts of a tile.
    fn prefetch_part<L: Lanes>(l: L, tile: &Tile<Self>, i: usize, parts: usize);
}

impl Element for f32 {
    #[inline(always)]
    fn load<L: Lanes, const V: usize>(l: L, from: &Panel, c: usize) -> [L::F; V] {
        load_from(l, from, c)
    }
    #[inline(always)]
    fn prefetch_part<L: Lanes>(l: L, tile: &Tile, i: usize, parts: usize) {
        prefetch_part(l, tile, i, parts);
    }
}

/// A weight as bfloat16, the upper half of the bits of an f32: half the memory traffic,
/// and 8 bits of precision instead of 24.
pub(crate) type Bf16 = u16;

impl Element for Bf16 {
    #[inline(always)]
    fn load<L: Lanes, const V: usize>(l: L, from: &[Self; PANEL], c: usize) -> [L::F; V] {
        const { assert!(V <= VECTORS) }
        let mut out = [l.splat(0.0); V];
        let lines = from.as_chunks::<LANES>().0;
        for (i, out) in out.iter_mut().enumerate() {
            *out = l.load_bf16(&lines[c + i]);
        }
        out
    }
    /// Does nothing: bfloat16 is for batches of few rows.
    #[inline(always)]
    fn prefetch_part<L: Lanes>(_: L, _: &Tile<Self>, _: usize, _: usize) {}
}

/// The weights of a layer (or their velocities, or their gradient): one tile for each
/// block of 64 inputs and panel of 64 outputs, with 64 contiguous floats for each
/// input. A tile is 16 KiB and stays in L1 while all rows of a batch use it. The
/// padding of the last block and the last panel has weight 0.
#[derive(Clone, PartialEq)]
pub(crate) struct Tiles<E: Element = f32> {
    data: AlignedBuffer<E>,
    inputs: usize,
    outputs: usize,
}

impl<E: Element> Tiles<E> {
    pub(crate) fn zeroed(inputs: usize, outputs: usize) -> Result<Self, Error> {
        let too_large = || Error::TooLarge { what: "weights", shape: [outputs, inputs] };
        let padded = |n: usize| n.checked_next_multiple_of(PANEL).ok_or_else(too_large);
        let size = padded(outputs)?.checked_mul(padded(inputs)?).ok_or_else(too_large)?;
        let data = AlignedBuffer::zeroed(size).map_err(|_| too_large())?;
        Ok(Self { data, inputs, outputs })
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The number of blocks of inputs.
    pub(crate) fn blocks(&self) -> usize {
        self.inputs.div_ceil(PANEL)
    }

    /// The number of panels of outputs.
    pub(crate) fn panels(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// The tiles of block `b`, one per panel.
    #[inline(always)]
    pub(crate) fn block(&self, b: usize) -> &[Tile<E>] {
        let panels = self.panels();
        &self.tiles()[b * panels..][..panels]
    }

    /// All tiles, block by block.
    #[inline(always)]
    pub(crate) fn tiles(&self) -> &[Tile<E>] {
        self.data.as_chunks().0.as_chunks().0
    }

    fn index(&self, output: usize, input: usize) -> usize {
        index(self.panels(), output, input)
    }
}

impl Tiles {
    /// The same weights, rounded to bfloat16 (to nearest, ties to even).
    ///
    /// # Errors
    /// There is not enough memory, or a weight is beyond bfloat16's largest number.
    pub(crate) fn to_bf16(&self) -> Result<Tiles<Bf16>, Error> {
        let mut rounded = Tiles::zeroed(self.inputs, self.outputs)?;
        for (to, &weight) in rounded.data.iter_mut().zip(self.data.iter()) {
            let nearest = bf16::from_f32(weight);
            if !nearest.is_finite() {
                return Err(Error::BeyondBf16 { weight });
            }
            *to = nearest.to_bits();
        }
        Ok(rounded)
    }

    /// All blocks, one run of tiles per block.
    pub(crate) fn runs_mut(&mut self) -> Runs<'_, Tile> {
        let size = self.panels().max(1);
        Runs { data: self.data.as_chunks_mut().0.as_chunks_mut().0, size }
    }

    pub(crate) fn all_finite(&self) -> bool {
        self.data.iter().all(|w| w.is_finite())
    }

    /// All weights in memory order, padding included.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Sets all weights to `value`, except for the padding.
    pub(crate) fn fill(&mut self, value: f32) {
        for index in self.indices(0) {
            self.data[index] = value;
        }
    }

    /// Multiplies the incoming weights of each output by its factor.
    pub(crate) fn scale_outputs(&mut self, factors: &[Panel]) {
        let blocks = self.runs_mut();
        for (i, tile) in blocks.data.iter_mut().enumerate() {
            for weights in tile {
                for (weight, factor) in weights.iter_mut().zip(&factors[i % blocks.size]) {
                    *weight *= factor;
                }
            }
        }
    }

    pub(crate) fn get(&self, output: usize, input: usize) -> f32 {
        self.data[self.index(output, input)]
    }

    pub(crate) fn set(&mut self, output: usize, input: usize, weight: f32) {
        let index = self.index(output, input);
        self.data[index] = weight;
    }

    /// The incoming weights of one output.
    pub(crate) fn column(&self, output: usize) -> impl Iterator<Item = f32> {
        (0..self.inputs).map(move |input| self.get(output, input))
    }

    /// Multiplies the incoming weights of one output.
    pub(crate) fn scale_column(&mut self, output: usize, factor: f64) {
        for input in 0..self.inputs {
            let at = self.index(output, input);
            self.data[at] = (f64::from(self.data[at]) * factor) as f32;
        }
    }

    /// The weights as `[outputs][inputs]`, the layout of PyTorch's `nn.Linear`.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn to_rows(&self) -> Result<Vec<f32>, Error> {
        let mut rows = zeros("weights", [self.outputs, self.inputs])?;
        self.copy_rows(0, &mut rows);
        Ok(rows)
    }

    /// Copies weights to `to`, starting at index `start` in the order of
    /// [`Self::to_rows`], until `to` is full. Padding is skipped.
    pub(crate) fn copy_rows(&self, start: usize, to: &mut [f32]) {
        for (to, index) in to.iter_mut().zip(self.indices(start)) {
            *to = self.data[index];
        }
    }

    /// Writes these weights, starting at index `start` in the order of
    /// [`Self::to_rows`].
    pub(crate) fn put_rows(&mut self, start: usize, from: &[f32]) {
        for (&from, index) in from.iter().zip(self.indices(start)) {
            self.data[index] = from;
        }
    }

    /// The memory positions of the weights from index `start` on, in the order of
    /// [`Self::to_rows`].
    fn indices(&self, start: usize) -> impl Iterator<Item = usize> + use<> {
        let (inputs, outputs, panels) = (self.inputs, self.outputs, self.panels());
        let first = start.checked_div(inputs).unwrap_or(outputs);
        (first..outputs).flat_map(move |output| {
            let from = if output == first { start % inputs } else { 0 };
            (from..inputs).map(move |input| index(panels, output, input))
        })
    }

    /// Copies the weights.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn try_clone(&self) -> Result<Self, Error> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        Ok(Self { data: self.data.try_clone()?, inputs, outputs })
    }

    /// Sets the weights from `[outputs][inputs]`.
    pub(crate) fn set_rows(&mut self, rows: &[f32]) -> Result<(), Error> {
        same_size("weights of a layer", self.outputs * self.inputs, rows.len())?;
        self.put_rows(0, rows);
        Ok(())
    }
}

impl<E: Element + fmt::Debug> fmt::Debug for Tiles<E> {
    /// Shows the shape, and the first few incoming weights of the first few outputs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let into = |output| (0..self.inputs).map(move |input| self.data[self.index(output, input)]);
        f.debug_struct("Tiles")
            .field("outputs", &self.outputs)
            .field("inputs", &self.inputs)
            .field("weights", &Few((0..self.outputs).map(|output| Few(into(output)))))
            .finish()
    }
}

/// The memory position of a weight in the tiles of a layer with this many panels.
#[inline(always)]
fn index(panels: usize, output: usize, input: usize) -> usize {
    let tile = input / PANEL * panels + output / PANEL;
    (tile * PANEL + input % PANEL) * PANEL + output % PANEL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_shape_and_the_first_weights_into_the_first_outputs() {
        let mut tiles = Tiles::zeroed(70, 2).unwrap();
        tiles.set(1, 2, 0.5);
        let shown = "Tiles { outputs: 2, inputs: 70, weights: [\
                     [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, .. 70 in all], \
                     [0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, .. 70 in all]] }";
        assert_eq!(format!("{tiles:?}"), shown);
        let bf16 = format!("{:?}", tiles.to_bf16().unwrap());
        assert!(bf16.starts_with("Tiles { outputs: 2, inputs: 70, weights: [[0, 0,"), "{bf16}");
    }

    #[test]
    fn bfloat16_is_the_nearest_and_even_in_a_tie() {
        let mut one = Tiles::zeroed(1, 1).unwrap();
        // Every exponent and sign, with the fractions around a tie: above an even
        // number, above an odd one, and just below the next power of two.
        for high in (0..=u16::MAX).step_by(0x80) {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0x1_8000, 0x1_8001, 0x7f_8000, 0x7f_ffff] {
                let weight = f32::from_bits((u32::from(high) << 16) + low);
                let below = f32::from_bits(weight.to_bits() & 0xffff_0000);
                let above = f32::from_bits((weight.to_bits() & 0xffff_0000).wrapping_add(1 << 16));
                one.set(0, 0, weight);
                let Ok(rounded) = one.to_bf16() else {
                    let up = weight.to_bits() & 0xffff >= 0x8000;
                    assert!(!weight.is_finite() || up && !above.is_finite(), "{weight:e}");
                    continue;
                };
                let to = |x: f32| (f64::from(x) - f64::from(weight)).abs();
                let even = weight.to_bits() >> 16 & 1 == 0;
                let want = if to(below) < to(above) || to(below) == to(above) && even {
                    below
                } else {
                    above
                };
                let got = f32::from_bits(u32::from(rounded.data[0]) << 16);
                assert_eq!(got.to_bits(), want.to_bits(), "{weight:e}");
            }
        }
    }
}
