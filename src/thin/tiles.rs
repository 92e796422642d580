//! Weights in tiles: `[N/64][K][64]`.

use super::{PANEL, Panel};
use crate::{
    error::{Error, same_size},
    parallel::Runs,
    tensor::AlignedBuffer,
};

/// The weights of a layer (or their velocities, or their gradient): for each
/// panel of 64 outputs and each input, 64 neighbouring floats. A 64 x 64 tile
/// is 16 KiB and stays in L1 while all rows of a batch pass it. Outputs that
/// fill up the last panel have weight 0.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tiles {
    data: AlignedBuffer<f32>,
    inputs: usize,
    outputs: usize,
}

impl Tiles {
    pub(crate) fn zeroed(inputs: usize, outputs: usize) -> Result<Self, Error> {
        let too_large = || Error::TooLarge { what: "weights", shape: [outputs, inputs] };
        let size = outputs
            .checked_next_multiple_of(PANEL)
            .and_then(|outputs| outputs.checked_mul(inputs))
            .ok_or_else(too_large)?;
        let data = AlignedBuffer::zeroed(size).map_err(|_| too_large())?;
        Ok(Self { data, inputs, outputs })
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The weights of panel `n`: 64 for each input.
    pub(crate) fn panel(&self, n: usize) -> &[Panel] {
        &self.data.as_chunks().0[n * self.inputs..][..self.inputs]
    }

    /// All panels, a run each.
    pub(crate) fn runs_mut(&mut self) -> Runs<'_, Panel> {
        Runs { data: self.data.as_chunks_mut().0, size: self.inputs }
    }

    pub(crate) fn all_finite(&self) -> bool {
        self.data.iter().all(|w| w.is_finite())
    }

    fn index(&self, output: usize, input: usize) -> usize {
        (output / PANEL * self.inputs + input) * PANEL + output % PANEL
    }

    pub(crate) fn get(&self, output: usize, input: usize) -> f32 {
        self.data[self.index(output, input)]
    }

    pub(crate) fn set(&mut self, output: usize, input: usize, weight: f32) {
        let index = self.index(output, input);
        self.data[index] = weight;
    }

    /// The weights `[outputs][inputs]`, as PyTorch's `nn.Linear` has them.
    pub(crate) fn to_rows(&self) -> Vec<f32> {
        (0..self.outputs)
            .flat_map(|output| (0..self.inputs).map(move |input| self.get(output, input)))
            .collect()
    }

    /// Takes weights `[outputs][inputs]`.
    pub(crate) fn set_rows(&mut self, rows: &[f32]) -> Result<(), Error> {
        same_size("weights of a layer", self.outputs * self.inputs, rows.len())?;
        for (output, row) in rows.chunks_exact(self.inputs).enumerate() {
            for (input, &weight) in row.iter().enumerate() {
                self.set(output, input, weight);
            }
        }
        Ok(())
    }
}
