//! Packed masks.

use std::fmt;

use super::{MaskSpec, WORD, fill, scalar, valid_bits, words_of};
use crate::{
    abridged::Few,
    error::{Error, at_most, below},
    rate::Keep,
    simd::Supported,
    tensor::AlignedBuffer,
};

/// The mask bits of some rows of one layer, packed: 1 = kept.
///
/// Unit u of a row is bit u mod 64 of the row's word u / 64; bits beyond the
/// width are 0.
///
/// ```
/// use thinnet::mask::Mask;
///
/// let mut mask = Mask::ones(2, 100)?;
/// mask.set(1, 70, false)?;
/// assert!(mask.get(0, 70) && !mask.get(1, 70));
/// assert_eq!(mask.count(), 199);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mask {
    words: AlignedBuffer<u64>,
    capacity: usize,
    rows: usize,
    width: usize,
}

impl Mask {
    /// A mask that keeps every unit.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn ones(rows: usize, width: usize) -> Result<Self, Error> {
        let size = rows
            .checked_mul(words_of(width))
            .ok_or(Error::TooLarge { what: "a mask", shape: [rows, width] })?;
        let words = AlignedBuffer::zeroed(size)?;
        let mut mask = Self { words, capacity: rows, rows, width };
        mask.keep_all();
        Ok(mask)
    }

    /// The mask that `spec` defines for `rows` rows of `width` units.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn draw(spec: MaskSpec, rows: usize, width: usize) -> Result<Self, Error> {
        let mut mask = Self::ones(rows, width)?;
        mask.redraw(spec, rows)?;
        Ok(mask)
    }

    /// Redraws the mask for other rows, in the same memory; at most as many as it was made for.
    ///
    /// # Errors
    /// There are more rows than the mask was made for.
    pub fn redraw(&mut self, spec: MaskSpec, rows: usize) -> Result<(), Error> {
        self.set_rows(rows)?;
        self.fill(spec.isa.supported(), spec.keep, spec.streams.hashes(spec.first_row));
        Ok(())
    }

    /// Draws `rows` rows, at most as many as the mask was made for; `hash(i)` is the row hash of row i.
    pub(crate) fn redraw_each(
        &mut self,
        isa: Supported,
        keep: Keep,
        rows: usize,
        hash: impl Fn(usize) -> u64,
    ) -> Result<(), Error> {
        self.set_rows(rows)?;
        self.fill(isa, keep, hash);
        Ok(())
    }

    fn fill(&mut self, isa: Supported, keep: Keep, hash: impl Fn(usize) -> u64) {
        if keep.drops() {
            let used = self.rows * words_of(self.width);
            fill(isa, keep, hash, self.width, &mut self.words[..used]);
        } else {
            self.keep_all();
        }
    }

    /// The mask of a site declared sparse, by random access.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn draw_sparse(spec: MaskSpec, rows: usize, width: usize) -> Result<Self, Error> {
        let mut mask = Self::ones(rows, width)?;
        let hash = spec.streams.hashes(spec.first_row);
        for row in 0..rows {
            for unit in 0..width {
                mask.set(row, unit, scalar::kept_at(spec.keep, hash(row), unit as u64))?;
            }
        }
        Ok(mask)
    }

    /// The words of all rows, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.used().iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of units in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether the unit is kept; false beyond the mask.
    pub fn get(&self, row: usize, unit: usize) -> bool {
        row < self.rows && self.at(row).get(unit)
    }

    /// Keeps or drops one unit.
    ///
    /// # Errors
    /// There is no such row or unit.
    pub fn set(&mut self, row: usize, unit: usize, kept: bool) -> Result<(), Error> {
        below("row of a mask", self.rows, row)?;
        below("unit of a mask", self.width, unit)?;
        let word = &mut self.words[row * words_of(self.width) + unit / WORD];
        *word = *word & !(1 << (unit % WORD)) | u64::from(kept) << (unit % WORD);
        Ok(())
    }

    /// The number of kept units, in all rows.
    pub fn count(&self) -> usize {
        self.used().iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The mask bits of a row.
    ///
    /// # Errors
    /// There is no such row.
    pub fn row(&self, row: usize) -> Result<MaskRow<'_>, Error> {
        below("row of a mask", self.rows, row)?;
        Ok(self.at(row))
    }

    /// A row that is known to exist.
    #[inline]
    pub(crate) fn at(&self, row: usize) -> MaskRow<'_> {
        let words = words_of(self.width);
        MaskRow { words: &self.used()[row * words..][..words] }
    }

    /// All words, to be filled by other code.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    fn used(&self) -> &[u64] {
        &self.words[..self.rows * words_of(self.width)]
    }

    fn set_rows(&mut self, rows: usize) -> Result<(), Error> {
        at_most("rows of a mask", self.capacity, rows)?;
        self.rows = rows;
        Ok(())
    }

    fn keep_all(&mut self) {
        let words = words_of(self.width);
        if words > 0 {
            for row in self.words.chunks_exact_mut(words) {
                for (i, word) in row.iter_mut().enumerate() {
                    *word = valid_bits(self.width, i);
                }
            }
        }
    }
}

impl PartialEq for Mask {
    /// Compares rows, units and bits; spare capacity does not count.
    fn eq(&self, other: &Self) -> bool {
        (self.rows, self.width) == (other.rows, other.width) && self.used() == other.used()
    }
}

/// The mask bits of one row.
///
/// ```
/// use thinnet::mask::Mask;
///
/// let mut mask = Mask::ones(1, 3)?;
/// mask.set(0, 1, false)?;
/// let row = mask.row(0)?;
/// assert_eq!(row.iter().collect::<Vec<_>>(), [0, 2]);
/// assert_eq!(row.words(), [0b101]);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct MaskRow<'a> {
    words: &'a [u64],
}

impl fmt::Debug for MaskRow<'_> {
    /// The first few words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskRow").field("words", &Few(self.words.iter())).finish()
    }
}

impl<'a> MaskRow<'a> {
    /// The row's words.
    pub fn words(self) -> &'a [u64] {
        self.words
    }

    /// Whether the unit is kept; false beyond the mask.
    #[inline]
    pub fn get(self, unit: usize) -> bool {
        self.block(unit / WORD) >> (unit % WORD) & 1 == 1
    }

    /// The word of 64-unit block `block`; 0 beyond the mask.
    #[inline]
    pub fn block(self, block: usize) -> u64 {
        self.words.get(block).copied().unwrap_or(0)
    }

    /// The number of kept units in the row.
    pub fn count(self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The indices of the row's kept units, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> + 'a {
        self.words.iter().enumerate().flat_map(|(block, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let unit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    block * WORD + unit
                })
            })
        })
    }
}
