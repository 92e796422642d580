//! Transposed lists: for each input, the rows in which it is active.

use super::{
    Lists, PANEL, Panel, dense,
    lists::Block,
    outer::{RowBits, Spread},
    sparse::SparseColumns,
};
use crate::{
    error::Error,
    simd::{Half, LANES},
    tensor::AlignedBuffer,
};

/// For each input of a block: the rows in which it is active (ascending), its values
/// there, and half a vector per entry in which product 2 accumulates.
#[derive(Clone, Debug)]
pub(crate) struct ByInput {
    lengths: [u32; PANEL],
    /// `[64][capacity]`
    entries: AlignedBuffer<Entry>,
    /// `[64][capacity]` halves
    parts: AlignedBuffer<f32>,
    /// The partial sums of full blocks.
    full: AlignedBuffer<f32>,
    /// What a block of a narrow layer needs.
    row_bits: RowBits,
    /// Maximum number of rows.
    capacity: usize,
}

/// A row and the bits of its value: one store writes both, and a cache line holds
/// eight entries.
type Entry = [u32; 2];

impl ByInput {
    /// Allocates memory for a block of at most `rows` rows.
    pub(crate) fn with_capacity(rows: usize) -> Result<Self, Error> {
        let size = PANEL
            .checked_mul(rows)
            .filter(|size| size.checked_mul(LANES).is_some() && u32::try_from(rows).is_ok())
            .ok_or(Error::TooLarge { what: "transposed lists", shape: [rows, PANEL] })?;
        Ok(Self {
            lengths: [0; PANEL],
            entries: AlignedBuffer::zeroed(size)?,
            parts: AlignedBuffer::zeroed(size * (LANES / 2))?,
            full: AlignedBuffer::zeroed(dense::ROWS * PANEL * (LANES / 2))?,
            row_bits: RowBits::with_capacity(rows)?,
            capacity: rows,
        })
    }

    /// Transposes block `b` of the lists. The partial sums are unspecified afterwards.
    pub(crate) fn transpose(&mut self, lists: &Lists, b: usize) {
        let mut next = [0; PANEL];
        let block = lists.block(b);
        for row in 0..block.rows() {
            let (offsets, values) = block.of(row);
            for (&offset, &value) in offsets.iter().zip(values) {
                let input = usize::from(offset) % PANEL;
                let at = input * self.capacity + next[input] as usize;
                self.entries[at] = [row as u32, value.to_bits()];
                next[input] += 1;
            }
        }
        self.lengths = next;
    }

    /// Takes over block `b` of the columns. The partial sums are unspecified afterwards.
    pub(crate) fn take(&mut self, columns: &SparseColumns, b: usize) {
        self.lengths = [0; PANEL];
        for (input, entries) in columns.of_block(b) {
            let to = &mut self.entries[input * self.capacity..];
            for (to, &(row, value)) in to.iter_mut().zip(entries) {
                *to = [row, value.to_bits()];
            }
            self.lengths[input] = entries.len() as u32;
        }
    }

    /// A panel per row for the sums of a full block, and the partial sums of some rows.
    pub(crate) fn full(&mut self, rows: usize) -> (&mut [Panel], &mut [[Half; PANEL]]) {
        let halves: &mut [Half] = self.full.as_chunks_mut().0;
        (&mut self.parts.as_chunks_mut().0[..rows], halves.as_chunks_mut().0)
    }

    /// The rows of a block of a narrow layer, and a panel per row for their sums.
    pub(crate) fn spread(&mut self, block: Block<'_>) -> (Spread<'_>, &mut [Panel]) {
        // Each row has room for 64 half vectors.
        let (x, sums) = self.parts.as_chunks_mut().0.split_at_mut(block.rows());
        (self.row_bits.spread(block, x), sums)
    }

    /// Sets the partial sums of every entry to 0.
    pub(crate) fn clear_parts(&mut self) {
        let parts: &mut [Half] = self.parts.as_chunks_mut().0;
        for (k, &len) in self.lengths.iter().enumerate() {
            parts[k * self.capacity..][..len as usize].fill([0.0; LANES / 2]);
        }
    }

    /// The rows and values of input `k` of the block.
    #[inline(always)]
    pub(crate) fn of(&self, k: usize) -> impl Iterator<Item = (usize, f32)> {
        self.entries[k * self.capacity..][..self.lengths[k] as usize].iter().map(unpack)
    }

    /// The rows and values of input `k`, each with its partial sums.
    #[inline(always)]
    pub(crate) fn with_parts(
        &mut self,
        k: usize,
    ) -> impl Iterator<Item = ((usize, f32), &mut Half)> {
        let (start, len) = (k * self.capacity, self.lengths[k] as usize);
        let entries = self.entries[start..][..len].iter().map(unpack);
        entries.zip(&mut self.parts.as_chunks_mut().0[start..][..len])
    }
}

#[inline(always)]
fn unpack(&[row, value]: &Entry) -> (usize, f32) {
    (row as usize, f32::from_bits(value))
}
