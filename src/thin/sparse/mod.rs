//! Products 1 and 3 of the first layer for sparse rows.
//!
//! Nothing here costs by the number of inputs: product 1 ([`forward`]) goes through the entries of each
//! row, and product 3 ([`update`]) through the inputs that have entries, and only if the optimiser leaves
//! all others as they are. Both add up in the order of the lists, so the bits are those of the same
//! rows as dense rows.

mod columns;
pub(crate) mod forward;
pub(crate) mod update;

pub(crate) use columns::SparseColumns;

use super::{InputBits, PANEL, ThinningBits, rows::Rows};
use crate::{
    error::Error,
    mask::Factors,
    memory::{push_within, reserve_more},
    rate::Keep,
};

/// The active inputs of each row: kept by the mask, and not zero. The values have already been through
/// the mask and the scale 1/p.
#[derive(Clone, Debug, Default)]
pub(crate) struct SparseRows {
    /// `[rows]`: where the entries of each row end.
    ends: Vec<usize>,
    /// The inputs, ascending in each row.
    inputs: Vec<u32>,
    values: Vec<f32>,
    width: usize,
}

impl SparseRows {
    /// Without memory for entries; each row has `width` inputs.
    pub(crate) fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Makes room for so many rows and entries; more than ever before allocates.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn prepare(&mut self, rows: usize, entries: usize) -> Result<(), Error> {
        self.clear();
        reserve_more("sparse rows", &mut self.ends, rows)?;
        reserve_more("entries of sparse rows", &mut self.inputs, entries)?;
        reserve_more("entries of sparse rows", &mut self.values, entries)
    }

    fn clear(&mut self) {
        self.ends.clear();
        self.inputs.clear();
        self.values.clear();
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.ends.len()
    }

    /// The number of inputs.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The number of entries.
    pub(crate) fn entries(&self) -> usize {
        self.values.len()
    }

    /// The fraction of inputs that are active.
    pub(crate) fn density(&self) -> f64 {
        self.entries() as f64 / ((self.rows() * self.width) as f64).max(1.0)
    }

    /// The active inputs of a row and their values.
    #[inline(always)]
    pub(crate) fn at(&self, row: usize) -> (&[u32], &[f32]) {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range = start..self.ends[row];
        (&self.inputs[range.clone()], &self.values[range])
    }

    /// Appends the rows of another. There is [room](Self::prepare) for them.
    pub(crate) fn extend(&mut self, from: &Self) {
        for row in 0..from.rows() {
            let (inputs, values) = from.at(row);
            inputs.iter().zip(values).for_each(|(&input, &value)| self.push(input, value));
            self.end_row();
        }
    }

    /// Takes over data rows: the elements that are non-zero and kept, times 1/p. There is
    /// [room](Self::prepare) for them.
    pub(crate) fn fill(&mut self, keep: Keep, bits: InputBits<'_>, from: impl Rows, rows: usize) {
        self.clear();
        let scale = keep.scale();
        for row in 0..rows {
            for (input, x) in from.entries(row) {
                // NaN is not zero.
                if x != 0.0 && bits.keeps(row, input as usize) {
                    self.push(input, x * scale);
                }
            }
            self.end_row();
        }
    }

    /// Takes over thinned rows: row i gets the entries of row `of[i]` of `from` that `bits` keeps, times
    /// 1/p. There is [room](Self::prepare) for them, and nothing has been dropped from `from` yet.
    pub(crate) fn thin(&mut self, keep: Keep, from: &Self, of: &[usize], bits: ThinningBits<'_>) {
        self.clear();
        let scale = keep.scale();
        for (row, &of) in of.iter().enumerate() {
            let (inputs, values) = from.at(of);
            for (&input, &x) in inputs.iter().zip(values) {
                if bits.keeps(row, input as usize) {
                    self.push(input, x * scale);
                }
            }
            self.end_row();
        }
    }

    /// Multiplies the values by r: see [`noise`](super::noise).
    pub(crate) fn multiply(&mut self, factors: &Factors) {
        let mut start = 0;
        for (row, &end) in self.ends.iter().enumerate() {
            for (&input, value) in self.inputs[start..end].iter().zip(&mut self.values[start..end])
            {
                let input = input as usize;
                *value *= factors.block(row, input / PANEL)[input % PANEL];
            }
            start = end;
        }
    }

    fn push(&mut self, input: u32, value: f32) {
        push_within(&mut self.inputs, input);
        push_within(&mut self.values, value);
    }

    fn end_row(&mut self) {
        push_within(&mut self.ends, self.values.len());
    }
}

#[cfg(test)]
mod tests;
