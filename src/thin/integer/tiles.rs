//! Weights as bytes, in tiles.

use super::{BLOCK, PANEL, QUAD, QUADS};
use crate::{
    error::Error,
    simd::dots::{Dotter, QuadTile},
    tensor::AlignedBuffer,
    thin::Panel,
};

/// The weights of a layer as bytes, with a scale per output. A tile is 16 KiB, the weights from 256
/// inputs to 64 outputs.
#[derive(Clone, Debug)]
pub(crate) struct QuadTiles {
    /// Bytes with the offset of the backend.
    data: AlignedBuffer<u8>,
    /// `[N/64][64]`
    scales: AlignedBuffer<f32>,
    /// `[K/64][64]`: the place of each input among the quads.
    places: AlignedBuffer<u32>,
    inputs: usize,
    outputs: usize,
    dotter: Dotter,
}

impl QuadTiles {
    /// Arranges the weights `[outputs][inputs]` for the backend. `order[place]` is the input at a
    /// place, a permutation of the inputs. Without an order, each is at its own.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn new(
        weights: &[i8],
        scales: &[f32],
        order: Option<&[u32]>,
        dotter: Dotter,
    ) -> Result<Self, Error> {
        let outputs = scales.len();
        let inputs = weights.len().checked_div(outputs).unwrap_or(0);
        let (blocks, panels) = (inputs.div_ceil(BLOCK), outputs.div_ceil(PANEL));
        let too_large = || Error::TooLarge { what: "integer weights", shape: [outputs, inputs] };
        let size = (BLOCK * PANEL).checked_mul(blocks).and_then(|size| size.checked_mul(panels));
        let mut data = AlignedBuffer::zeroed(size.ok_or_else(too_large)?)?;
        let offset = dotter.offset();
        data.fill(offset);
        let mut padded = AlignedBuffer::zeroed(panels * PANEL)?;
        padded[..outputs].copy_from_slice(scales);
        let mut places = AlignedBuffer::zeroed(inputs.next_multiple_of(PANEL))?;
        for place in 0..inputs {
            let input = order.map_or(place, |order| order[place] as usize);
            places[input] = place as u32;
            let within = (place % BLOCK / QUAD * PANEL * QUAD) + place % QUAD;
            for n in 0..outputs {
                let tile = n / PANEL * blocks + place / BLOCK;
                let weight = weights[n * inputs + input];
                data[tile * BLOCK * PANEL + within + n % PANEL * QUAD] =
                    weight.cast_unsigned().wrapping_add(offset);
            }
        }
        Ok(Self { data, scales: padded, places, inputs, outputs, dotter })
    }

    /// Arranges the weights for another backend.
    pub(crate) fn arrange(&mut self, dotter: Dotter) {
        let more = dotter.offset().wrapping_sub(self.dotter.offset());
        for byte in &mut *self.data {
            *byte = byte.wrapping_add(more);
        }
        self.dotter = dotter;
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The number of blocks of inputs.
    pub(super) fn blocks(&self) -> usize {
        self.inputs.div_ceil(BLOCK)
    }

    /// The weights from block `b` to panel `n`.
    #[inline(always)]
    pub(super) fn tile(&self, n: usize, b: usize) -> &QuadTile {
        let tiles: &[QuadTile] = self.data.as_chunks().0.as_chunks().0.as_chunks::<QUADS>().0;
        &tiles[n * self.blocks() + b]
    }

    /// The number of panels of outputs.
    pub(super) fn panels(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// The scales of panel `n`.
    pub(super) fn scales(&self, n: usize) -> &Panel {
        &self.scales.as_chunks().0[n]
    }

    /// The place of each input among the quads, 64 inputs per element.
    pub(super) fn places(&self) -> &[[u32; PANEL]] {
        self.places.as_chunks().0
    }

    /// The dot products that the bytes are arranged for.
    pub(super) fn dotter(&self) -> Dotter {
        self.dotter
    }
}
