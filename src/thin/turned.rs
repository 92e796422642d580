//! Lists turned round: of each input, the rows where it is active.

use super::{Lists, PANEL};
use crate::{error::Error, parallel::Runs, tensor::AlignedBuffer};

/// For each input: the rows where it is active, ascending, and its values there.
#[derive(Clone, Debug)]
pub(crate) struct Turned {
    /// `[blocks][64]`
    lengths: AlignedBuffer<u32>,
    /// `[blocks][64][capacity]`
    entries: AlignedBuffer<Entry>,
    capacity: usize,
}

/// A row, and the bits of the value there: one store writes them, and a cache
/// line holds eight.
type Entry = [u32; 2];

/// The memory of turned blocks, block by block: what [`crate::parallel::divide`]
/// hands out.
pub(crate) type TurnedRuns<'a> = (Runs<'a, u32>, Runs<'a, Entry>);

/// One block turned round.
#[derive(Clone, Copy)]
pub(crate) struct TurnedBlock<'a> {
    lengths: &'a [u32],
    entries: &'a [Entry],
    capacity: usize,
}

impl Turned {
    /// Memory for at most `rows` rows of at most `width` inputs.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let inputs = width.next_multiple_of(PANEL);
        let size = inputs
            .checked_mul(rows)
            .filter(|_| u32::try_from(rows).is_ok())
            .ok_or(Error::TooLarge { what: "turned lists", shape: [rows, width] })?;
        Ok(Self {
            lengths: AlignedBuffer::zeroed(inputs)?,
            entries: AlignedBuffer::zeroed(size)?,
            capacity: rows,
        })
    }

    /// The memory of the first `blocks` blocks.
    pub(crate) fn runs_mut(&mut self, blocks: usize) -> TurnedRuns<'_> {
        let size = PANEL * self.capacity;
        (
            Runs { data: &mut self.lengths[..blocks * PANEL], size: PANEL },
            Runs { data: &mut self.entries[..blocks * size], size },
        )
    }
}

/// Turns block `b` of the lists round, into the memory of one block.
pub(crate) fn turn<'a>(
    lists: &Lists,
    b: usize,
    (lengths, entries): TurnedRuns<'a>,
) -> TurnedBlock<'a> {
    let entries = entries.data;
    let capacity = entries.len() / PANEL;
    let mut next = [0u32; PANEL];
    let block = lists.block(b);
    for row in 0..block.rows() {
        let (offsets, values) = block.of(row);
        for (&offset, &value) in offsets.iter().zip(values) {
            let input = usize::from(offset) % PANEL;
            entries[input * capacity + next[input] as usize] = [row as u32, value.to_bits()];
            next[input] += 1;
        }
    }
    lengths.data.copy_from_slice(&next);
    TurnedBlock { lengths: lengths.data, entries, capacity }
}

impl<'a> TurnedBlock<'a> {
    /// The rows and values of input `k` of the block.
    #[inline(always)]
    pub(crate) fn of(self, k: usize) -> impl Iterator<Item = (usize, f32)> {
        self.entries[k * self.capacity..][..self.lengths[k] as usize]
            .iter()
            .map(|&[row, value]| (row as usize, f32::from_bits(value)))
    }
}
