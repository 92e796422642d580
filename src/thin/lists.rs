//! Active lists: for each row and block of 64 units, those that can contribute.

use std::ops::Range;

use super::{
    PANEL,
    dense::{Full, Registers, pays, pays_with_zeros},
    rows::Rows,
    units,
};
use crate::{
    error::Error,
    mask::{Mask, Streams, scalar, valid_bits},
    parallel::Runs,
    pass::Pass,
    rate::Keep,
    simd::{Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
};

/// For each block, row by row: the offsets within the block and the values of the active
/// units, in ascending order. The values have already been through activation, mask and
/// the scale 1/p.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    /// `[blocks][rows + 1]`: where the entries of each row start and end.
    ends: AlignedBuffer<u32>,
    /// `[blocks][64 rows + 64]`
    offsets: AlignedBuffer<u8>,
    /// `[blocks][64 rows + 64]`
    values: AlignedBuffer<f32>,
    /// How many entries of each block are zeros in place of missing ones: see [`Gaps::Zeros`].
    zeros: AlignedBuffer<u32>,
    rows: usize,
    width: usize,
}

/// The lists of one block.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    ends: &'a [u32],
    offsets: &'a [u8],
    values: &'a [f32],
}

/// How much of a layer's inputs takes part in its products.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Activity {
    /// The fraction of units that are active.
    pub density: f64,
    /// The fraction of blocks that are multiplied as matrices.
    pub dense_blocks: f64,
}

impl Activity {
    /// Adds another one, times `weight`.
    pub(crate) fn add(&mut self, other: Self, weight: f64) {
        self.density += other.density * weight;
        self.dense_blocks += other.dense_blocks * weight;
    }
}

/// Lists to be written, one item per block, for [`Pass::each`].
pub(crate) type ListRuns<'a> = (Runs<'a, u32>, Runs<'a, u8>, Runs<'a, f32>);

/// The number of entries allocated for a block of `rows` rows. It leaves room to write
/// full vectors beyond the last entry.
pub(super) fn room(rows: usize) -> usize {
    (rows + 1) * PANEL
}

impl Lists {
    /// Allocates memory for at most `rows` rows.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let blocks = width.div_ceil(PANEL);
        let size = rows
            .checked_add(1)
            .and_then(|rows| rows.checked_mul(PANEL))
            .filter(|&room| u32::try_from(room).is_ok())
            .and_then(|room| room.checked_mul(blocks))
            .ok_or(Error::TooLarge { what: "active lists", shape: [rows, width] })?;
        Ok(Self {
            ends: AlignedBuffer::zeroed(blocks * (rows + 1))?,
            offsets: AlignedBuffer::zeroed(size)?,
            values: AlignedBuffer::zeroed(size)?,
            zeros: AlignedBuffer::zeroed(blocks)?,
            rows,
            width,
        })
    }

    /// Allocates memory for `rows` rows if there is less.
    pub(crate) fn prepare(&mut self, rows: usize) -> Result<(), Error> {
        let room = rows.saturating_add(1).saturating_mul(PANEL);
        if self.offsets.len() < room.saturating_mul(self.blocks()) {
            *self = Self::with_capacity(rows, self.width)?;
        }
        Ok(())
    }

    /// Sets the number of rows, all of which must be written again. The caller has checked
    /// that they fit the capacity.
    #[inline]
    pub(crate) fn set_rows(&mut self, rows: usize) {
        debug_assert!(room(rows) * self.blocks() <= self.offsets.len());
        self.rows = rows;
        self.zeros.fill(0);
        if rows == 0 {
            // Nothing will be written: see `runs_mut`.
            self.ends.fill(0);
        }
    }

    #[inline]
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    #[inline]
    pub(crate) fn blocks(&self) -> usize {
        self.width.div_ceil(PANEL)
    }

    /// The number of units in block `b`, without padding.
    #[inline]
    pub(crate) fn units(&self, b: usize) -> usize {
        units(self.width, b)
    }

    /// The lists of block `b`.
    #[inline(always)]
    pub(crate) fn block(&self, b: usize) -> Block<'_> {
        let (ends, room) = (self.rows + 1, room(self.rows));
        Block {
            ends: &self.ends[b * ends..][..ends],
            offsets: &self.offsets[b * room..][..room],
            values: &self.values[b * room..][..room],
        }
    }

    /// The offsets and values of the active units of a row in block `b`: for access row by row.
    #[inline(always)]
    pub(super) fn of(&self, b: usize, row: usize) -> (&[u8], &[f32]) {
        let ends = &self.ends[b * (self.rows + 1) + row..][..2];
        let range = room(self.rows) * b + ends[0] as usize..room(self.rows) * b + ends[1] as usize;
        (&self.offsets[range.clone()], &self.values[range])
    }

    /// The values of block `b` as a matrix, if every unit of it has an entry in every row.
    #[inline]
    pub(crate) fn full(&self, b: usize) -> Option<Full<'_>> {
        let (values, units) = (self.block(b).values(), self.units(b));
        (self.rows > 0 && values.len() == self.rows * units).then(|| Full::new(values, units))
    }

    /// The memory of all blocks in use, which are none if there are no rows.
    #[inline]
    pub(crate) fn runs_mut(&mut self) -> ListRuns<'_> {
        self.runs_and_zeros().0
    }

    fn runs_and_zeros(&mut self) -> (ListRuns<'_>, Runs<'_, u32>) {
        let blocks = if self.rows == 0 { 0 } else { self.blocks() };
        let (ends, room) = (self.rows + 1, room(self.rows));
        let lists = (
            Runs { data: &mut self.ends[..blocks * ends], size: ends },
            Runs { data: &mut self.offsets[..blocks * room], size: room },
            Runs { data: &mut self.values[..blocks * room], size: room },
        );
        (lists, Runs { data: &mut self.zeros[..blocks], size: 1 })
    }

    /// Whether zeros stand in place of missing entries.
    pub(crate) fn is_padded(&self) -> bool {
        self.zeros.iter().any(|&zeros| zeros > 0)
    }

    /// Removes the zeros in place of missing entries.
    pub(crate) fn unpad(&mut self) {
        let ((ends, offsets, values), zeros) = self.runs_and_zeros();
        let blocks = ends.data.chunks_mut(ends.size).zip(zeros.data);
        let entries =
            offsets.data.chunks_mut(offsets.size).zip(values.data.chunks_mut(values.size));
        for ((ends, zeros), (offsets, values)) in blocks.zip(entries) {
            if std::mem::take(zeros) == 0 {
                continue;
            }
            let (mut start, mut at) = (0, 0);
            for end in &mut ends[1..] {
                for i in start..*end as usize {
                    // Written unconditionally: the next entry overwrites one that was added.
                    (offsets[at], values[at]) = (offsets[i], values[i]);
                    at += usize::from(values[i] != 0.0);
                }
                start = *end as usize;
                *end = at as u32;
            }
        }
    }

    /// The fraction of units that are active.
    pub(crate) fn density(&self) -> f64 {
        let active = |b: usize| {
            let end = self.block(b).ends.last().map_or(0, |&end| u64::from(end));
            end - u64::from(self.zeros[b])
        };
        let active: u64 = (0..self.blocks()).map(active).sum();
        active as f64 / ((self.rows * self.width) as f64).max(1.0)
    }

    /// How much of the units takes part in the products.
    pub(crate) fn activity(&self, pass: Pass) -> Activity {
        let dense = pays(pass.dispatch(Registers));
        let full = (0..self.blocks()).filter(|&b| dense && self.full(b).is_some()).count();
        let dense_blocks = full as f64 / (self.blocks() as f64).max(1.0);
        Activity { density: self.density(), dense_blocks }
    }

    /// Fills the lists from data rows: the elements that are non-zero and kept, times 1/p.
    pub(crate) fn fill(
        &mut self,
        pass: Pass,
        keep: Keep,
        bits: InputBits<'_>,
        gaps: Gaps,
        from: impl Rows,
    ) {
        let (width, scale) = (self.width, keep.scale());
        let pads = gaps == Gaps::Zeros && pays_with_zeros(pass.dispatch(Registers));
        pass.each(self.runs_and_zeros(), &|block, ((ends, offsets, values), zeros)| {
            let (rows, units) = (ends.size - 1, units(width, block));
            let mut fill = |pad| {
                let lists = (
                    Runs { data: &mut *ends.data, size: ends.size },
                    Runs { data: &mut *offsets.data, size: offsets.size },
                    Runs { data: &mut *values.data, size: values.size },
                );
                pass.dispatch(Fill { scale, bits, from, block, pad, lists });
                ends.data[rows] as usize
            };
            let (active, all) = (fill(None), rows * units);
            if pads && active < all && 4 * active >= 3 * all {
                zeros.data[0] = (all - active) as u32;
                fill(Some(valid_bits(width, block)));
            }
        });
    }

    /// Fills the lists with thinned rows: row i gets the entries of row `of[i]` of `from`
    /// that `bits` keeps, times 1/p. Nothing has been dropped from `from` yet.
    pub(crate) fn thin(
        &mut self,
        pass: Pass,
        keep: Keep,
        from: &Self,
        of: &[usize],
        bits: ThinningBits<'_>,
    ) {
        self.set_rows(of.len());
        let scale = keep.scale();
        pass.each(self.runs_mut(), &|b, (ends, offsets, values)| {
            let (from, mut at) = (from.block(b), 0);
            ends.data[0] = 0;
            for (row, &of) in of.iter().enumerate() {
                let (all_offsets, all_values) = from.of(of);
                for (&offset, &value) in all_offsets.iter().zip(all_values) {
                    // Written unconditionally: the next entry overwrites a dropped one.
                    offsets.data[at] = offset;
                    values.data[at] = value * scale;
                    at += usize::from(bits.kept(row, b, offset));
                }
                ends.data[row + 1] = at as u32;
            }
        });
    }
}

impl<'a> Block<'a> {
    /// The offsets and values of the active units of a row.
    #[inline(always)]
    pub(crate) fn of(self, row: usize) -> (&'a [u8], &'a [f32]) {
        let range = self.range(row);
        (&self.offsets[range.clone()], &self.values[range])
    }

    /// The range of a row's entries in the block's memory.
    #[inline(always)]
    pub(super) fn range(self, row: usize) -> Range<usize> {
        self.ends[row] as usize..self.ends[row + 1] as usize
    }

    /// The number of rows.
    #[inline(always)]
    pub(crate) fn rows(self) -> usize {
        self.ends.len() - 1
    }

    /// The values of all rows, row by row.
    pub(super) fn values(self) -> &'a [f32] {
        &self.values[..self.ends[self.rows()] as usize]
    }
}

/// Writes the lists of a block, row by row.
pub(crate) struct ListWriter<'a> {
    ends: &'a mut [u32],
    offsets: &'a mut [u8],
    values: &'a mut [f32],
    at: usize,
}

impl<'a> ListWriter<'a> {
    #[inline(always)]
    pub(crate) fn new((ends, offsets, values): ListRuns<'a>) -> Self {
        ends.data[0] = 0;
        Self { ends: ends.data, offsets: offsets.data, values: values.data, at: 0 }
    }

    /// Appends the lanes of the block's vector `c` whose mask bit is set.
    #[inline(always)]
    pub(crate) fn push<L: Lanes>(&mut self, l: L, c: usize, mask: u16, x: L::F) {
        if let (Some(values), Some(offsets)) =
            (self.values[self.at..].first_chunk_mut(), self.offsets[self.at..].first_chunk_mut())
        {
            l.compress(mask, x, (c * LANES) as u8, values, offsets);
        }
        self.at += mask.count_ones() as usize;
    }

    /// Same as [`Self::push`], with a second value per entry, written to the same positions
    /// of `others`.
    #[inline(always)]
    pub(super) fn push_with<L: Lanes>(
        &mut self,
        l: L,
        c: usize,
        mask: u16,
        [x, other]: [L::F; 2],
        others: &mut [f32],
    ) {
        if let (Some(values), Some(others), Some(offsets)) = (
            self.values[self.at..].first_chunk_mut(),
            others[self.at..].first_chunk_mut(),
            self.offsets[self.at..].first_chunk_mut(),
        ) {
            l.compress(mask, x, (c * LANES) as u8, values, offsets);
            l.compress(mask, other, (c * LANES) as u8, others, offsets);
        }
        self.at += mask.count_ones() as usize;
    }

    /// Appends one entry.
    #[inline(always)]
    pub(super) fn push_one(&mut self, offset: u8, value: f32) {
        self.offsets[self.at] = offset;
        self.values[self.at] = value;
        self.at += 1;
    }

    /// Ends a row after all its vectors have been pushed.
    #[inline(always)]
    pub(crate) fn end_of_row(&mut self, row: usize) {
        self.ends[row + 1] = self.at as u32;
    }
}

/// Which inputs the mask keeps.
#[derive(Clone, Copy)]
pub(crate) enum InputBits<'a> {
    /// All inputs.
    All,
    /// The inputs kept by a mask with one row per row of the batch.
    Mask(&'a Mask),
    /// The inputs kept by bits drawn one by one (random access), for non-zero inputs only.
    Sparse { keep: Keep, streams: Streams, first_row: u64 },
}

impl InputBits<'_> {
    /// Whether an input of a row is kept.
    #[inline(always)]
    pub(super) fn keeps(self, row: usize, input: usize) -> bool {
        self.of(row, input / PANEL).kept(1 << (input % PANEL)) != 0
    }

    /// Those of one block of a row.
    #[inline(always)]
    fn of(self, row: usize, block: usize) -> BlockBits {
        match self {
            Self::All => BlockBits::Word(u64::MAX),
            Self::Mask(mask) => BlockBits::Word(mask.at(row).block(block)),
            Self::Sparse { keep, streams, first_row } => BlockBits::Sparse {
                keep,
                hash: streams.hash(first_row.wrapping_add(row as u64)),
                first: (block * PANEL) as u64,
            },
        }
    }
}

/// Which inputs of one block of a row the mask keeps.
#[derive(Clone, Copy)]
enum BlockBits {
    /// Those with a bit in this word.
    Word(u64),
    /// Those kept by bits drawn one by one; the block's first input has the number `first`.
    Sparse { keep: Keep, hash: u64, first: u64 },
}

impl BlockBits {
    /// Which of the inputs in `present` are kept.
    #[inline(always)]
    fn kept(self, present: u64) -> u64 {
        match self {
            Self::Word(word) => present & word,
            Self::Sparse { keep, hash, first } => {
                let mut left = present;
                let mut kept = 0;
                while left != 0 {
                    let unit = left.trailing_zeros();
                    kept |= u64::from(scalar::kept_at(keep, hash, first + u64::from(unit))) << unit;
                    left &= left - 1;
                }
                kept
            }
        }
    }
}

/// Which units are kept in rows that already have lists.
#[derive(Clone, Copy)]
pub(crate) enum ThinningBits<'a> {
    /// All units.
    All,
    /// The units kept by a mask.
    Mask(&'a Mask),
    /// The units kept by bits drawn one by one (random access), given the hash of each row.
    Sparse { keep: Keep, hashes: &'a [u64] },
}

impl ThinningBits<'_> {
    /// Whether a unit of a row is kept.
    #[inline(always)]
    pub(super) fn keeps(self, row: usize, unit: usize) -> bool {
        self.kept(row, unit / PANEL, (unit % PANEL) as u8)
    }

    #[inline(always)]
    fn kept(self, row: usize, block: usize, offset: u8) -> bool {
        match self {
            Self::All => true,
            Self::Mask(mask) => mask.at(row).block(block) >> (offset % 64) & 1 == 1,
            Self::Sparse { keep, hashes } => {
                scalar::kept_at(keep, hashes[row], (block * PANEL) as u64 + u64::from(offset))
            }
        }
    }
}

/// What the lists have in place of units that are not active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// No entry.
    Nothing,
    /// In blocks that are nearly full, an entry with the value 0, if the products of full blocks are
    /// then faster than those of lists. No bit of products 1 and 3 changes as long as the weights
    /// and dz are finite.
    Zeros,
}

struct Fill<'a, R> {
    scale: f32,
    bits: InputBits<'a>,
    from: R,
    block: usize,
    /// The units of the block, if each of them gets an entry.
    pad: Option<u64>,
    lists: ListRuns<'a>,
}

impl<R: Rows> Kernel for Fill<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { scale, bits, from, block, pad, lists } = self;
        let rows = lists.0.size - 1;
        let mut to = ListWriter::new(lists);
        for row in 0..rows {
            let entries = Entries { scale, bits: bits.of(row, block), pad };
            from.push(l, row, block, entries, &mut to);
            to.end_of_row(row);
        }
    }
}

/// Which inputs of one block of a row become entries.
#[derive(Clone, Copy)]
pub(crate) struct Entries {
    /// 1/p
    scale: f32,
    bits: BlockBits,
    /// The units of the block, if each of them gets an entry.
    pad: Option<u64>,
}

impl Entries {
    /// Whether every unit of the block gets an entry.
    #[inline(always)]
    pub(super) fn fills_gaps(self) -> bool {
        self.pad.is_some()
    }

    /// Same as [`Self::push`] without gaps to fill, for one input with this offset in the block.
    #[inline(always)]
    pub(super) fn push_one(self, to: &mut ListWriter<'_>, offset: u8, x: f32) {
        // NaN is not zero.
        if x != 0.0 && self.bits.kept(1 << (offset % 64)) != 0 {
            to.push_one(offset, x * self.scale);
        }
    }

    /// Appends those inputs of the block's vector `c` that are not zero and kept, times the scale, and
    /// zeros for the other units in `pad`.
    #[inline(always)]
    pub(super) fn push<L: Lanes>(self, l: L, to: &mut ListWriter<'_>, c: usize, x: L::F) {
        let Self { scale, bits, pad } = self;
        let zero = l.splat(0.0);
        let present = l.less(x, zero) | l.less(zero, x) | l.is_nan(x);
        let kept = (bits.kept(u64::from(present) << (c * LANES)) >> (c * LANES)) as u16;
        let x = l.mul(x, l.splat(scale));
        match pad {
            None => to.push(l, c, kept, x),
            Some(units) => to.push(l, c, (units >> (c * LANES)) as u16, l.keep(kept, x)),
        }
    }
}
