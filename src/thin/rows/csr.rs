//! Sparse rows: only some numbers are stored, and all others are 0.

use std::{fmt, ops::Range};

use super::{Finiteness, Rows};
use crate::{
    abridged::Few,
    simd::Lanes,
    tensor::all_finite,
    thin::{
        PANEL, Panel, VECTORS,
        lists::{Entries, ListWriter},
        load, load_from, vectors,
    },
};

/// Rows in compressed form: those of a matrix, or some neighbouring ones.
///
/// The entries of row i are `starts[i]..starts[i + 1]` of `columns` and `values`. The columns of a row
/// are ascending and below `width`.
#[derive(Clone, Copy)]
pub(crate) struct Csr<'a> {
    /// `[rows + 1]`
    pub starts: &'a [usize],
    /// The column of each entry.
    pub columns: &'a [u32],
    /// The number at each entry.
    pub values: &'a [f32],
    /// The number of columns.
    pub width: usize,
}

impl<'a> Csr<'a> {
    /// The number of rows.
    #[inline]
    pub(crate) fn rows(self) -> usize {
        self.starts.len() - 1
    }

    /// A range of the rows, which exists.
    pub(crate) fn part(self, rows: Range<usize>) -> Self {
        Self { starts: &self.starts[rows.start..=rows.end], ..self }
    }

    /// The columns and values of a row that is known to exist.
    #[inline]
    pub(crate) fn at(self, row: usize) -> (&'a [u32], &'a [f32]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    /// The offsets in block `b` and the values of the entries that a row has there, found by binary
    /// search.
    #[inline(always)]
    fn block(self, row: usize, b: usize) -> impl Iterator<Item = (usize, f32)> {
        let (columns, values) = self.at(row);
        let start = columns.partition_point(|&column| column as usize / PANEL < b);
        let entries = columns[start..].iter().zip(&values[start..]);
        entries
            .take_while(move |&(&column, _)| column as usize / PANEL == b)
            .map(|(&column, &value)| (column as usize % PANEL, value))
    }

    /// Panel `n` of a row, with its zeros.
    #[inline(always)]
    fn spread(self, row: usize, n: usize) -> Panel {
        let mut panel = [0.0; PANEL];
        for (offset, value) in self.block(row, n) {
            panel[offset] = value;
        }
        panel
    }
}

impl Rows for Csr<'_> {
    #[inline(always)]
    fn push<L: Lanes>(self, l: L, row: usize, b: usize, entries: Entries, to: &mut ListWriter<'_>) {
        if entries.fills_gaps() {
            let panel = self.spread(row, b);
            for c in 0..vectors(self.width, b) {
                let [x] = load_from(l, &panel, c);
                entries.push(l, to, c, x);
            }
        } else {
            for (offset, value) in self.block(row, b) {
                entries.push_one(to, offset as u8, value);
            }
        }
    }

    #[inline(always)]
    fn panel<L: Lanes>(self, l: L, row: usize, n: usize) -> [L::F; VECTORS] {
        load(l, &self.spread(row, n))
    }

    #[inline(always)]
    fn entries(self, row: usize) -> impl Iterator<Item = (u32, f32)> {
        let (columns, values) = self.at(row);
        columns.iter().copied().zip(values.iter().copied())
    }
}

impl Finiteness for Csr<'_> {
    fn all_finite(self) -> bool {
        all_finite(&self.values[self.starts[0]..self.starts[self.rows()]])
    }

    fn non_finite(self, row: usize) -> Option<(usize, f32)> {
        let (columns, values) = self.at(row);
        let found = values.iter().position(|x| !x.is_finite());
        found.map(|entry| (columns[entry] as usize, values[entry]))
    }
}

impl fmt::Debug for Csr<'_> {
    /// Shows the shape, and the first few entries of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |row| {
            let (columns, values) = self.at(row);
            Few(columns.iter().zip(values))
        };
        f.debug_struct("CsrView")
            .field("rows", &self.rows())
            .field("columns", &self.width)
            .field("entries", &Few((0..self.rows()).map(row)))
            .finish()
    }
}
