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
    /// `[N/64][64]`
    bias: AlignedBuffer<f32>,
    /// `[N/64][64]`: the unit at each place of the outputs.
    units: AlignedBuffer<u32>,
    inputs: usize,
    outputs: usize,
    dotter: Dotter,
}

/// The parameters of a layer, in the order of its units.
#[derive(Clone, Copy)]
pub(crate) struct Parameters<'a> {
    /// `[outputs][inputs]`
    pub weights: &'a [i8],
    /// The scales of the outputs.
    pub scales: &'a [f32],
    /// The biases of the outputs.
    pub bias: &'a [f32],
}

/// The orders of a layer's units: `order[place]` is the unit at a place. Without an order, each is
/// at its own.
#[derive(Clone, Copy, Default)]
pub(crate) struct Orders<'a> {
    /// A permutation of the inputs.
    pub inputs: Option<&'a [u32]>,
    /// A permutation of the outputs.
    pub outputs: Option<&'a [u32]>,
}

/// The unit at a place.
fn unit_at(order: Option<&[u32]>, place: usize) -> usize {
    order.map_or(place, |order| order[place] as usize)
}

impl QuadTiles {
    /// Arranges the parameters for the backend.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn new(
        Parameters { weights, scales, bias }: Parameters<'_>,
        orders: Orders<'_>,
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
        let [mut in_order, mut bias_in_order] =
            [AlignedBuffer::zeroed(panels * PANEL)?, AlignedBuffer::zeroed(panels * PANEL)?];
        let mut units = AlignedBuffer::zeroed(panels * PANEL)?;
        for (n, unit) in units.iter_mut().enumerate() {
            // The places of the padding are their own.
            *unit = n as u32;
        }
        for n in 0..outputs {
            let output = unit_at(orders.outputs, n);
            units[n] = output as u32;
            (in_order[n], bias_in_order[n]) = (scales[output], bias[output]);
            for place in 0..inputs {
                let input = unit_at(orders.inputs, place);
                let within = (place % BLOCK / QUAD * PANEL * QUAD) + place % QUAD;
                let tile = n / PANEL * blocks + place / BLOCK;
                let weight = weights[output * inputs + input];
                data[tile * BLOCK * PANEL + within + n % PANEL * QUAD] =
                    weight.cast_unsigned().wrapping_add(offset);
            }
        }
        Ok(Self { data, scales: in_order, bias: bias_in_order, units, inputs, outputs, dotter })
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

    /// The bias, 64 outputs per element.
    pub(crate) fn bias(&self) -> &[Panel] {
        self.bias.as_chunks().0
    }

    /// The unit at each place of the outputs, 64 places per element.
    pub(crate) fn units(&self) -> &[[u32; PANEL]] {
        self.units.as_chunks().0
    }

    /// The dot products that the bytes are arranged for.
    pub(super) fn dotter(&self) -> Dotter {
        self.dotter
    }
}
