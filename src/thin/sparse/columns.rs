//! The entries of sparse rows by input.

use std::ops::Range;

use super::SparseRows;
use crate::{
    error::Error,
    memory::{push_within, reserve_more},
    thin::PANEL,
};

/// The transposed [`SparseRows`]: for each input that has entries, the rows and the values of these.
#[derive(Clone, Debug, Default)]
pub(crate) struct SparseColumns {
    /// The entries in the order of rows: the input in the upper half of the bits, and the number of the
    /// entry in the lower half.
    order: Vec<u64>,
    /// The row of each entry, in the order of rows.
    row_of: Vec<u32>,
    /// The row and the value of each entry, by ascending input, and then row.
    entries: Vec<(u32, f32)>,
    /// The inputs that have entries, ascending, and where these end.
    inputs: Vec<Touched>,
    /// The blocks that have entries, ascending, and where their inputs end.
    blocks: Vec<Touched>,
    rows: usize,
    width: usize,
}

/// An input or a block that has entries.
#[derive(Clone, Copy, Debug)]
struct Touched {
    number: u32,
    end: u32,
}

/// Where the items of `touched[i]` are.
fn range(touched: &[Touched], i: usize) -> Range<usize> {
    i.checked_sub(1).map_or(0, |before| touched[before].end as usize)..touched[i].end as usize
}

impl SparseColumns {
    /// Makes room for so many entries; more than ever before allocates.
    ///
    /// # Errors
    /// There is not enough memory, or the entries are too many to be counted in 32 bits.
    pub(crate) fn prepare(&mut self, entries: usize) -> Result<(), Error> {
        let what = "entries of sparse rows";
        if u32::try_from(entries).is_err() {
            return Err(Error::TooLarge { what, shape: [1, entries] });
        }
        self.clear();
        reserve_more(what, &mut self.order, entries)?;
        reserve_more(what, &mut self.row_of, entries)?;
        reserve_more(what, &mut self.entries, entries)?;
        reserve_more(what, &mut self.inputs, entries)?;
        reserve_more(what, &mut self.blocks, entries)
    }

    fn clear(&mut self) {
        self.order.clear();
        self.row_of.clear();
        self.entries.clear();
        self.inputs.clear();
        self.blocks.clear();
    }

    /// Transposes rows. There is [room](Self::prepare) for their entries.
    pub(crate) fn transpose(&mut self, from: &SparseRows) {
        self.clear();
        (self.rows, self.width) = (from.rows(), from.width());
        for row in 0..from.rows() {
            for &input in from.at(row).0 {
                let entry = self.order.len() as u64;
                push_within(&mut self.order, u64::from(input) << 32 | entry);
                push_within(&mut self.row_of, row as u32);
            }
        }
        self.order.sort_unstable();
        for &key in &self.order {
            let (input, entry) = ((key >> 32) as u32, key as u32 as usize);
            push_within(&mut self.entries, (self.row_of[entry], from.values[entry]));
            let end = self.entries.len() as u32;
            touch(&mut self.inputs, input, end);
            let end = self.inputs.len() as u32;
            touch(&mut self.blocks, input / PANEL as u32, end);
        }
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The number of inputs, with and without entries.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The number of blocks that have entries.
    pub(crate) fn touched(&self) -> usize {
        self.blocks.len()
    }

    /// The number of the block that is the `i`-th to have entries.
    pub(crate) fn block(&self, i: usize) -> usize {
        self.blocks[i].number as usize
    }

    /// The places of the block's inputs that have entries.
    pub(crate) fn inputs(&self, i: usize) -> Range<usize> {
        range(&self.blocks, i)
    }

    /// The number of the input in its block that has place `at`, and its entries: rows, ascending, and
    /// values.
    #[inline(always)]
    pub(crate) fn input(&self, at: usize) -> (usize, &[(u32, f32)]) {
        let input = self.inputs[at].number as usize;
        (input % PANEL, &self.entries[range(&self.inputs, at)])
    }

    /// The inputs of block `b` that have entries.
    pub(crate) fn of_block(&self, b: usize) -> impl Iterator<Item = (usize, &[(u32, f32)])> {
        let found = self.blocks.binary_search_by_key(&(b as u32), |block| block.number);
        found.map_or(0..0, |i| self.inputs(i)).map(|at| self.input(at))
    }
}

/// Counts one more item of the last one touched, or touches the next.
fn touch(touched: &mut Vec<Touched>, number: u32, end: u32) {
    match touched.last_mut() {
        Some(last) if last.number == number => last.end = end,
        _ => push_within(touched, Touched { number, end }),
    }
}
