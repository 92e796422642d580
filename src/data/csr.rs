//! Sparse rows.

mod builder;
#[cfg(feature = "sprs")]
mod of_sprs;

use std::{fmt, ops::Range};

pub use builder::CsrBuilder;

use crate::{
    error::{Error, at_most, below, same_size},
    memory::reserve,
    thin::rows::Csr,
};

/// Borrowed sparse rows in compressed form (CSR, compressed sparse rows): bags of words, one-hot
/// columns, clicks. Only some numbers of a row are stored, as entries of column and value; all others
/// are 0.
///
/// The entries of row i are those with the numbers `starts[i]..starts[i + 1]`, in ascending columns.
/// This is the form of SciPy's `csr_matrix` (`indptr`, `indices`, `data`) and of the crate `sprs`. A
/// batch of such rows trains and predicts to the bit like the batch of the same rows as a dense matrix:
/// see [`Batch::csr`](super::Batch::csr).
///
/// ```
/// use thinnet::data::CsrView;
///
/// // 0 5 0 0
/// // 0 0 0 0
/// // 7 0 0 9
/// let rows = CsrView::new(&[0, 1, 1, 3], &[1, 0, 3], &[5.0, 7.0, 9.0], 4)?;
/// assert_eq!((rows.rows(), rows.columns(), rows.entries()), (3, 4, 3));
/// assert_eq!(rows.row(2)?, (&[0, 3][..], &[7.0, 9.0][..]));
/// assert_eq!(rows.subrows(1..3)?.entries(), 2);
///
/// let error = CsrView::new(&[0, 2], &[3, 0], &[9.0, 7.0], 4).unwrap_err().to_string();
/// assert_eq!(error, "column 0 comes after column 3 in sparse row 0: expected ascending columns");
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct CsrView<'a> {
    rows: Csr<'a>,
}

impl<'a> CsrView<'a> {
    /// Makes a view of `starts.len() - 1` rows with `columns` columns. Nothing is copied, and everything
    /// is checked once, in time proportional to the entries and rows.
    ///
    /// A value may be 0, which changes nothing. Values that are not finite are refused by the trainer and
    /// the predictor, as those of dense rows are.
    ///
    /// # Errors
    /// - `starts` is empty, does not begin with 0, descends, or does not end with the number of entries.
    /// - There is not one value per column index.
    /// - The columns of a row are not strictly ascending, or one of them is not below `columns`.
    pub fn new(
        starts: &'a [usize],
        column_indices: &'a [u32],
        values: &'a [f32],
        columns: usize,
    ) -> Result<Self, Error> {
        let entries = column_indices.len();
        let (&[first, ..], &[.., last]) = (starts, starts) else {
            let expected = "one for each row, and the number of entries";
            return Err(Error::Zero { what: "starts of sparse rows", expected });
        };
        same_size("values of sparse rows", entries, values.len())?;
        same_size("start of the first sparse row", 0, first)?;
        for (row, of_row) in starts.windows(2).enumerate() {
            let (start, end) = (of_row[0], of_row[1]);
            if end < start {
                return Err(Error::SparseStarts { row, start, end });
            }
        }
        same_size("last start of sparse rows, the number of entries", entries, last)?;
        let rows = Csr { starts, columns: column_indices, values, width: columns };
        for row in 0..rows.rows() {
            let of_row = rows.at(row).0;
            if let Some(pair) = of_row.windows(2).find(|pair| pair[0] >= pair[1]) {
                return Err(Error::SparseOrder { row, before: pair[0], column: pair[1] });
            }
            // The columns ascend, so that the last one is the largest.
            if let Some(&column) = of_row.last().filter(|&&column| column as usize >= columns) {
                return Err(Error::SparseColumn { row, column, columns });
            }
        }
        Ok(Self { rows })
    }

    /// The number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows.rows()
    }

    /// The number of columns.
    #[inline]
    pub fn columns(&self) -> usize {
        self.rows.width
    }

    /// The number of entries of all rows.
    #[inline]
    pub fn entries(&self) -> usize {
        let starts = self.rows.starts;
        starts[self.rows()] - starts[0]
    }

    /// The columns of a row's entries, ascending, and their values.
    ///
    /// # Errors
    /// There is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> Result<(&'a [u32], &'a [f32]), Error> {
        below("row of sparse rows", self.rows(), row)?;
        Ok(self.rows.at(row))
    }

    /// A view of a range of rows.
    ///
    /// # Errors
    /// The range ends after the last row, or before it starts.
    pub fn subrows(&self, rows: Range<usize>) -> Result<Self, Error> {
        at_most("end of a range of rows", self.rows(), rows.end)?;
        at_most("start of a range of rows", rows.end, rows.start)?;
        Ok(Self { rows: self.rows.part(rows) })
    }

    /// Checks all entries; the first one that is not allowed is an error with its row and column.
    pub(super) fn check_entries(
        &self,
        what: &'static str,
        expected: &'static str,
        allowed: impl Fn(u32, f32) -> bool,
    ) -> Result<(), Error> {
        for row in 0..self.rows() {
            let (columns, values) = self.rows.at(row);
            let mut entries = columns.iter().zip(values);
            if let Some((&column, &value)) = entries.find(|entry| !allowed(*entry.0, *entry.1)) {
                let (column, value) = (Some(column as usize), value.into());
                return Err(Error::RowNumber { what, row, column, value, expected });
            }
        }
        Ok(())
    }

    /// Checks that all values are counts: finite and not negative.
    pub(super) fn check_counts(&self) -> Result<(), Error> {
        let is_count = |_, x: f32| x.is_finite() && x >= 0.0;
        self.check_entries("count", "a finite number of at least 0", is_count)
    }

    /// The rows as the products take them.
    #[inline]
    pub(super) fn inner(self) -> Csr<'a> {
        self.rows
    }
}

impl fmt::Debug for CsrView<'_> {
    /// Shows the shape, and the first few entries of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)
    }
}

/// Sparse rows that are owned; see [`CsrView`].
///
/// ```
/// use thinnet::data::{Batch, CsrMatrix};
///
/// let rows = CsrMatrix::new(vec![0, 1, 3], vec![1, 0, 3], vec![5.0, 7.0, 9.0], 4)?;
/// assert_eq!((rows.rows(), rows.columns()), (2, 4));
/// assert_eq!(Batch::csr(rows.view()).rows(), 2);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct CsrMatrix {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    width: usize,
}

impl CsrMatrix {
    /// Rows in the form of [`CsrView::new`], with `columns` columns.
    ///
    /// # Errors
    /// As for [`CsrView::new`].
    pub fn new(
        starts: Vec<usize>,
        column_indices: Vec<u32>,
        values: Vec<f32>,
        columns: usize,
    ) -> Result<Self, Error> {
        CsrView::new(&starts, &column_indices, &values, columns)?;
        Ok(Self { starts, columns: column_indices, values, width: columns })
    }

    /// Builds such rows one by one, with `columns` columns.
    pub fn builder(columns: usize) -> CsrBuilder {
        CsrBuilder::new(columns)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.width
    }

    /// A view of all rows.
    pub fn view(&self) -> CsrView<'_> {
        let Self { starts, columns, values, width } = self;
        CsrView { rows: Csr { starts, columns, values, width: *width } }
    }

    /// The values of all entries, row by row.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Calls `f` with the columns and values of each row.
    pub(super) fn for_each_row(&mut self, mut f: impl FnMut(&[u32], &mut [f32])) {
        for bounds in self.starts.windows(2) {
            let range = bounds[0]..bounds[1];
            f(&self.columns[range.clone()], &mut self.values[range]);
        }
    }

    /// A copy of some rows, which must exist, with the same columns.
    pub(super) fn copy_rows(
        &self,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Result<Self, Error> {
        let all = self.view().inner();
        let mut starts = reserve("starts of sparse rows", rows.len().saturating_add(1))?;
        let mut entries = 0;
        starts.push(entries);
        starts.extend(rows.clone().map(|row| {
            entries += all.at(row).0.len();
            entries
        }));
        let mut columns = reserve("columns of sparse rows", entries)?;
        let mut values = reserve("values of sparse rows", entries)?;
        for row in rows {
            let of_row = all.at(row);
            columns.extend_from_slice(of_row.0);
            values.extend_from_slice(of_row.1);
        }
        Ok(Self { starts, columns, values, width: self.width })
    }

    /// The starts, the column indices and the values, as given to [`Self::new`].
    pub fn into_parts(self) -> (Vec<usize>, Vec<u32>, Vec<f32>) {
        (self.starts, self.columns, self.values)
    }
}

impl fmt::Debug for CsrMatrix {
    /// Shows the same as [`CsrView`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_rows_is_refused() {
        let refused = |starts: &[usize], columns: &[u32], values: usize, width| {
            CsrView::new(starts, columns, &[1.0; 4][..values], width).unwrap_err().to_string()
        };
        let words =
            "starts of sparse rows: expected one for each row, and the number of entries, got 0";
        assert_eq!(refused(&[], &[], 0, 3), words);
        let words = "values of sparse rows: expected 2, got 3";
        assert_eq!(refused(&[0, 2], &[0, 1], 3, 3), words);
        let words = "start of the first sparse row: expected 0, got 1";
        assert_eq!(refused(&[1, 2], &[0, 1], 2, 3), words);
        let words = "sparse row 1 starts at entry 2 and ends at entry 1: \
                     expected an end at or after its start";
        assert_eq!(refused(&[0, 2, 1, 2], &[0, 1], 2, 3), words);
        let words = "last start of sparse rows, the number of entries: expected 2, got 1";
        assert_eq!(refused(&[0, 1], &[0, 1], 2, 3), words);
        // Nothing is read beyond the entries.
        let words = "last start of sparse rows, the number of entries: expected 2, got 9";
        assert_eq!(refused(&[0, 1, 9], &[0, 1], 2, 3), words);
        let words = "column 1 comes after column 1 in sparse row 1: expected ascending columns";
        assert_eq!(refused(&[0, 1, 3], &[2, 1, 1], 3, 3), words);
        let words = "column 3 in sparse row 1: expected a column below 3";
        assert_eq!(refused(&[0, 1, 3], &[2, 1, 3], 3, 3), words);
        assert_eq!(
            refused(&[0, 1], &[u32::MAX], 1, u32::MAX as usize),
            "column 4294967295 in sparse row 0: expected a column below 4294967295"
        );
    }

    #[test]
    fn there_may_be_no_rows_no_columns_and_no_entries() {
        let none = CsrView::new(&[0], &[], &[], 3).unwrap();
        assert_eq!((none.rows(), none.columns(), none.entries()), (0, 3, 0));
        let empty = CsrView::new(&[0, 0, 0], &[], &[], 0).unwrap();
        assert_eq!((empty.rows(), empty.columns(), empty.entries()), (2, 0, 0));
        assert_eq!(empty.row(1).unwrap(), (&[][..], &[][..]));
        assert_eq!(
            empty.row(2).unwrap_err().to_string(),
            "row of sparse rows: expected an index below 2, got 2"
        );
    }

    #[test]
    fn a_part_has_the_entries_of_its_rows() {
        let rows = CsrView::new(&[0, 1, 1, 3], &[1, 0, 3], &[5.0, 7.0, 9.0], 4).unwrap();
        let part = rows.subrows(1..3).unwrap();
        assert_eq!((part.rows(), part.columns(), part.entries()), (2, 4, 2));
        assert_eq!(part.row(0).unwrap(), (&[][..], &[][..]));
        assert_eq!(part.row(1).unwrap(), rows.row(2).unwrap());
        assert_eq!(part.subrows(2..2).unwrap().entries(), 0);
        for (start, end, words) in [
            (0, 4, "end of a range of rows: expected at most 3, got 4"),
            (2, 1, "start of a range of rows: expected at most 1, got 2"),
        ] {
            assert_eq!(rows.subrows(start..end).unwrap_err().to_string(), words);
        }
        let shown =
            "CsrView { rows: 3, columns: 4, entries: [[(1, 5.0)], [], [(0, 7.0), (3, 9.0)]] }";
        assert_eq!(format!("{rows:?}"), shown);
    }
}
