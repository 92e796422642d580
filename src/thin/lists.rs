//! Active lists: of each row and block of 64 units, the ones that can matter.

use super::{PANEL, Panel};
use crate::{
    error::Error,
    mask::{Mask, Streams, scalar},
    parallel::{Runs, divide},
    rate::Keep,
    simd::{Isa, Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
};

/// For each (block, row): the offsets in the block and the values of the active
/// units, ascending. Values are masked, activated and scaled by 1/p already.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    /// `[blocks][rows]`
    lengths: AlignedBuffer<u8>,
    /// `[blocks][rows][64]`
    offsets: AlignedBuffer<u8>,
    /// `[blocks][rows][64]`
    values: AlignedBuffer<f32>,
    rows: usize,
    width: usize,
}

/// The lists of one block: a slice over rows each.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    lengths: &'a [u8],
    offsets: &'a [[u8; PANEL]],
    values: &'a [Panel],
}

/// Lists to be written, block by block: what [`divide`] hands out.
pub(crate) type ListRuns<'a> = (Runs<'a, u8>, Runs<'a, [u8; PANEL]>, Runs<'a, Panel>);

impl Lists {
    /// Memory for at most `rows` rows.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let lists = rows
            .checked_mul(width.div_ceil(PANEL))
            .filter(|lists| lists.checked_mul(PANEL).is_some())
            .ok_or(Error::TooLarge { what: "active lists", shape: [rows, width] })?;
        Ok(Self {
            lengths: AlignedBuffer::zeroed(lists)?,
            offsets: AlignedBuffer::zeroed(lists * PANEL)?,
            values: AlignedBuffer::zeroed(lists * PANEL)?,
            rows,
            width,
        })
    }

    /// Holds `rows` rows from now on, to be written anew; the caller has
    /// checked them against the capacity.
    pub(crate) fn set_rows(&mut self, rows: usize) {
        debug_assert!(rows * self.blocks() <= self.lengths.len());
        self.rows = rows;
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn blocks(&self) -> usize {
        self.width.div_ceil(PANEL)
    }

    /// The lists of block `b`.
    pub(crate) fn block(&self, b: usize) -> Block<'_> {
        let rows = b * self.rows..(b + 1) * self.rows;
        Block {
            lengths: &self.lengths[rows.clone()],
            offsets: &self.offsets.as_chunks().0[rows.clone()],
            values: &self.values.as_chunks().0[rows],
        }
    }

    /// The memory of all blocks in use.
    pub(crate) fn runs_mut(&mut self) -> ListRuns<'_> {
        let used = self.blocks() * self.rows;
        let size = self.rows.max(1);
        (
            Runs { data: &mut self.lengths[..used], size },
            Runs { data: &mut self.offsets.as_chunks_mut().0[..used], size },
            Runs { data: &mut self.values.as_chunks_mut().0[..used], size },
        )
    }

    /// Active units over all units.
    pub(crate) fn density(&self) -> f64 {
        let used = &self.lengths[..self.blocks() * self.rows];
        let active: usize = used.iter().map(|&n| usize::from(n)).sum();
        active as f64 / ((self.rows * self.width) as f64).max(1.0)
    }

    /// The lists of data rows: what is not zero and kept, times 1/p.
    ///
    /// `row(i)` is row i of the batch, `width` elements long.
    pub(crate) fn fill<'a>(
        &mut self,
        isa: Isa,
        parallel: bool,
        keep: Keep,
        bits: InputBits<'_>,
        row: &(impl Fn(usize) -> &'a [f32] + Sync),
    ) {
        divide(parallel, 1, self.runs_mut(), &|first, lists| {
            isa.dispatch(Fill { scale: keep.scale(), bits, row, first, lists });
        });
    }
}

impl<'a> Block<'a> {
    /// Offsets and values of a row's active units.
    #[inline(always)]
    pub(crate) fn of(self, row: usize) -> (&'a [u8], &'a [f32]) {
        let n = usize::from(self.lengths[row]);
        (&self.offsets[row][..n], &self.values[row][..n])
    }
}

/// One list, written from its front.
pub(crate) struct Slot<'a> {
    length: &'a mut u8,
    offsets: &'a mut [u8; PANEL],
    values: &'a mut Panel,
}

impl<'a> Slot<'a> {
    /// The empty list.
    #[inline(always)]
    pub(crate) fn new(
        length: &'a mut u8,
        offsets: &'a mut [u8; PANEL],
        values: &'a mut Panel,
    ) -> Self {
        *length = 0;
        Self { length, offsets, values }
    }

    /// Appends the lanes of vector `c` of the block whose bit is set.
    #[inline(always)]
    pub(crate) fn push<L: Lanes>(&mut self, l: L, c: usize, mask: u16, x: L::F) {
        // At most 16 c entries stand there, so a whole vector fits behind them.
        let n = usize::from(*self.length).min(PANEL - LANES);
        if let (Some(values), Some(offsets)) =
            (self.values[n..].first_chunk_mut(), self.offsets[n..].first_chunk_mut())
        {
            l.compress(mask, x, (c * LANES) as u8, values, offsets);
        }
        *self.length += mask.count_ones() as u8;
    }
}

/// Which inputs the mask keeps.
#[derive(Clone, Copy)]
pub(crate) enum InputBits<'a> {
    /// All of them.
    All,
    /// Those of a mask whose rows are the batch's.
    Mask(&'a Mask),
    /// Those that random access keeps: asked for where an input is not zero.
    Sparse { keep: Keep, streams: Streams, first_row: u64 },
}

impl InputBits<'_> {
    /// The kept ones among the units `present` of a block of a row.
    #[inline]
    fn kept(self, row: usize, block: usize, present: u64) -> u64 {
        match self {
            Self::All => present,
            Self::Mask(mask) => present & mask.at(row).block(block),
            Self::Sparse { keep, streams, first_row } => {
                let hash = streams.hash(first_row.wrapping_add(row as u64));
                let mut left = present;
                let mut kept = 0;
                while left != 0 {
                    let unit = left.trailing_zeros();
                    let index = (block * PANEL) as u64 + u64::from(unit);
                    kept |= u64::from(scalar::kept_at(keep, hash, index)) << unit;
                    left &= left - 1;
                }
                kept
            }
        }
    }
}

struct Fill<'a, R> {
    scale: f32,
    bits: InputBits<'a>,
    row: &'a R,
    first: usize,
    lists: ListRuns<'a>,
}

impl<'r, R: Fn(usize) -> &'r [f32]> Kernel for Fill<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (lengths, offsets, values) = self.lists;
        let rows = lengths.size;
        let (zero, scale) = (l.splat(0.0), l.splat(self.scale));
        for (i, ((length, offsets), values)) in
            lengths.data.iter_mut().zip(offsets.data).zip(values.data).enumerate()
        {
            let (block, row) = (self.first + i / rows, i % rows);
            let from = &(self.row)(row)[block * PANEL..];
            let mut line = [0.0; PANEL];
            let from = match from.first_chunk::<PANEL>() {
                Some(whole) => whole,
                None => {
                    line[..from.len()].copy_from_slice(from);
                    &line
                }
            };
            let x = super::load(l, from);
            let mut present = 0;
            for (c, &x) in x.iter().enumerate() {
                let other = l.less(x, zero) | l.less(zero, x) | l.is_nan(x);
                present |= u64::from(other) << (c * LANES);
            }
            let kept = self.bits.kept(row, block, present);
            let mut slot = Slot::new(length, offsets, values);
            for (c, &x) in x.iter().enumerate() {
                slot.push(l, c, (kept >> (c * LANES)) as u16, l.mul(x, scale));
            }
        }
    }
}

/// Lists turned round: for each input, the rows where it is active, ascending,
/// and its values there.
#[derive(Clone, Debug)]
pub(crate) struct Turned {
    /// `[inputs]`
    lengths: AlignedBuffer<u32>,
    /// `[inputs][capacity]`
    rows: AlignedBuffer<u32>,
    /// `[inputs][capacity]`
    values: AlignedBuffer<f32>,
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
            rows: AlignedBuffer::zeroed(size)?,
            values: AlignedBuffer::zeroed(size)?,
            capacity: rows,
        })
    }

    /// Rows and values where `input` is active.
    #[inline(always)]
    pub(crate) fn of(&self, input: usize) -> (&[u32], &[f32]) {
        let n = self.lengths[input] as usize;
        let from = input * self.capacity;
        (&self.rows[from..][..n], &self.values[from..][..n])
    }

    /// Turns the lists round.
    pub(crate) fn turn(&mut self, parallel: bool, lists: &Lists) {
        let (inputs, capacity) = (lists.blocks() * PANEL, self.capacity);
        let size = PANEL * capacity;
        let blocks = (
            Runs { data: &mut self.lengths[..inputs], size: PANEL },
            Runs { data: &mut self.rows[..inputs * capacity], size },
            Runs { data: &mut self.values[..inputs * capacity], size },
        );
        divide(parallel, 1, blocks, &|first, (lengths, rows, values)| {
            let blocks = lengths.data.chunks_exact_mut(PANEL);
            let blocks = blocks.zip(rows.data.chunks_exact_mut(size));
            for (i, ((lengths, rows), values)) in
                blocks.zip(values.data.chunks_exact_mut(size)).enumerate()
            {
                lengths.fill(0);
                let block = lists.block(first + i);
                for row in 0..lists.rows() {
                    let (offsets, entries) = block.of(row);
                    for (&offset, &value) in offsets.iter().zip(entries) {
                        let length = &mut lengths[usize::from(offset)];
                        let at = usize::from(offset) * capacity + *length as usize;
                        rows[at] = row as u32;
                        values[at] = value;
                        *length += 1;
                    }
                }
            }
        });
    }
}
