//! Sparse rows, one by one.

use super::{CsrMatrix, CsrView};
use crate::{
    error::Error,
    memory::{push, reserve_more},
};

/// Builds a [`CsrMatrix`] row by row, from entries of column and value in any order.
///
/// ```
/// use thinnet::data::CsrMatrix;
///
/// let mut rows = CsrMatrix::builder(4);
/// rows.push_row([(3, 9.0), (0, 7.0)])?;
/// rows.push_row([])?;
/// let error = rows.push_row([(2, 1.0), (2, 1.0)]).unwrap_err().to_string();
/// assert_eq!(error, "column 2 occurs twice in sparse row 2: expected each column at most once");
///
/// let rows = rows.finish();
/// assert_eq!((rows.rows(), rows.columns()), (2, 4));
/// assert_eq!(rows.view().row(0)?, (&[0, 3][..], &[7.0, 9.0][..]));
///
/// // Or the values of a column are added up, as counts are.
/// let mut rows = CsrMatrix::builder(4).sum_duplicates();
/// rows.push_row([2, 3, 2].map(|word| (word, 1.0)))?;
/// assert_eq!(rows.view().row(0)?, (&[2, 3][..], &[2.0, 1.0][..]));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CsrBuilder {
    rows: CsrMatrix,
    sums: bool,
    /// The entries of a row while they are sorted: column, position, value.
    sorted: Vec<(u32, usize, f32)>,
}

impl CsrBuilder {
    pub(super) fn new(columns: usize) -> Self {
        let rows =
            CsrMatrix { starts: vec![0], columns: Vec::new(), values: Vec::new(), width: columns };
        Self { rows, sums: false, sorted: Vec::new() }
    }

    /// Adds up the values of a column that occurs several times in a row: in double precision, in the
    /// order in which they are given, and rounded once. The entry stays if the sum is 0. By default,
    /// such a row is refused.
    #[must_use]
    pub fn sum_duplicates(self) -> Self {
        Self { sums: true, ..self }
    }

    /// Adds a row. The entries may be in any order; sorting them takes O(n log n) for n entries, and
    /// nothing if they ascend already. Values are not checked: see [`CsrView::new`].
    ///
    /// Memory is reused: after the longest row and, with [`clear`](Self::clear), the largest number of
    /// entries, nothing more is allocated.
    ///
    /// # Errors
    /// A column does not exist, or occurs twice without [`sum_duplicates`](Self::sum_duplicates); or
    /// there is not enough memory. The row is then not added.
    pub fn push_row(&mut self, entries: impl IntoIterator<Item = (u32, f32)>) -> Result<(), Error> {
        // What an iterator that panicked has left.
        self.truncate();
        let result = self.append(entries);
        if result.is_err() {
            self.truncate();
        }
        result
    }

    /// Removes what belongs to no row.
    fn truncate(&mut self) {
        let CsrMatrix { starts, columns, values, .. } = &mut self.rows;
        let entries = starts[starts.len() - 1];
        columns.truncate(entries);
        values.truncate(entries);
    }

    fn append(&mut self, entries: impl IntoIterator<Item = (u32, f32)>) -> Result<(), Error> {
        let CsrMatrix { starts, columns, values, width } = &mut self.rows;
        let (row, start) = (starts.len() - 1, columns.len());
        let mut ascend = true;
        for (column, value) in entries {
            if column as usize >= *width {
                return Err(Error::SparseColumn { row, column, columns: *width });
            }
            ascend &= columns[start..].last().is_none_or(|&before| before < column);
            push("entries of sparse rows", columns, column)?;
            push("entries of sparse rows", values, value)?;
        }
        if !ascend {
            self.sort(row, start)?;
        }
        let CsrMatrix { starts, columns, .. } = &mut self.rows;
        push("starts of sparse rows", starts, columns.len())
    }

    /// Sorts the entries from `start`, and adds up those of the same column.
    fn sort(&mut self, row: usize, start: usize) -> Result<(), Error> {
        let CsrMatrix { columns, values, .. } = &mut self.rows;
        let entries = columns[start..].iter().zip(&values[start..]);
        self.sorted.clear();
        reserve_more("entries of a sparse row", &mut self.sorted, entries.len())?;
        self.sorted.extend(entries.enumerate().map(|(i, (&column, &value))| (column, i, value)));
        self.sorted.sort_unstable_by_key(|&(column, i, _)| (column, i));
        columns.truncate(start);
        values.truncate(start);
        for same in self.sorted.chunk_by(|a, b| a.0 == b.0) {
            let (column, _, value) = same[0];
            if same.len() > 1 && !self.sums {
                return Err(Error::SparseDuplicate { row, column });
            }
            let sum = same[1..].iter().fold(f64::from(value), |sum, more| sum + f64::from(more.2));
            columns.push(column);
            values.push(sum as f32);
        }
        Ok(())
    }

    /// The number of rows so far.
    pub fn rows(&self) -> usize {
        self.rows.rows()
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.rows.columns()
    }

    /// A view of the rows so far.
    pub fn view(&self) -> CsrView<'_> {
        self.rows.view()
    }

    /// Removes all rows and keeps the memory, for those of the next batch.
    pub fn clear(&mut self) {
        self.rows.starts.truncate(1);
        self.truncate();
    }

    /// All rows.
    pub fn finish(mut self) -> CsrMatrix {
        self.truncate();
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use proptest::prelude::*;

    use super::*;

    fn rows_of(builder: &CsrBuilder) -> Vec<Vec<(u32, f32)>> {
        let view = builder.view();
        (0..view.rows())
            .map(|row| {
                let (columns, values) = view.row(row).unwrap();
                columns.iter().copied().zip(values.iter().copied()).collect()
            })
            .collect()
    }

    proptest! {
        /// Each number of a row is the sum of what was given for it, in that order.
        #[test]
        fn rows_are_those_of_plain_loops(
            rows in prop::collection::vec(
                prop::collection::vec((0_u32..12, -3_f32..3.0), 0..20),
                0..6,
            )
        ) {
            let mut builder = CsrMatrix::builder(12).sum_duplicates();
            let mut expected = Vec::new();
            for entries in &rows {
                builder.push_row(entries.iter().copied()).unwrap();
                let sum = |column| {
                    let mut of_column = entries.iter().filter(|entry| entry.0 == column);
                    let first = f64::from(of_column.next()?.1);
                    let sum = of_column.fold(first, |sum, entry| sum + f64::from(entry.1));
                    Some((column, sum as f32))
                };
                expected.push((0..12).filter_map(sum).collect::<Vec<_>>());
            }
            prop_assert_eq!(rows_of(&builder), expected);
            // What a view checks is so.
            let (starts, columns, values) = builder.finish().into_parts();
            prop_assert!(CsrView::new(&starts, &columns, &values, 12).is_ok());
        }

        /// Without duplicates, both settings give the same rows.
        #[test]
        fn a_column_may_occur_once(
            entries in prop::collection::btree_map(0_u32..40, -3_f32..3.0, 0..20)
                .prop_map(|entries| entries.into_iter().collect::<Vec<_>>())
                .prop_shuffle(),
        ) {
            let mut one = CsrMatrix::builder(40);
            let mut other = CsrMatrix::builder(40).sum_duplicates();
            one.push_row(entries.iter().copied()).unwrap();
            other.push_row(entries.iter().copied()).unwrap();
            prop_assert_eq!(rows_of(&one), rows_of(&other));
            if let Some(&(column, value)) = entries.first() {
                let twice = entries.iter().copied().chain([(column, value)]);
                let error = one.push_row(twice).unwrap_err().to_string();
                let words = format!(
                    "column {column} occurs twice in sparse row 1: expected each column at most once"
                );
                prop_assert_eq!(error, words);
                prop_assert_eq!(rows_of(&one), rows_of(&other));
            }
        }
    }

    #[test]
    fn a_refused_row_leaves_nothing() {
        let mut rows = CsrMatrix::builder(4);
        rows.push_row([(1, 5.0)]).unwrap();
        let error = rows.push_row([(3, 1.0), (0, 2.0), (4, 3.0)]).unwrap_err().to_string();
        assert_eq!(error, "column 4 in sparse row 1: expected a column below 4");
        rows.push_row([(2, 1.0), (0, 1.0), (2, 1.0)]).unwrap_err();
        let panics = AssertUnwindSafe(|| {
            let entries = (0..2).map(|i| if i == 0 { (0, 7.0) } else { panic!("an iterator") });
            rows.push_row(entries).unwrap();
        });
        catch_unwind(panics).unwrap_err();
        assert_eq!(rows.rows(), 1);
        rows.push_row([(3, 6.0), (2, 7.0)]).unwrap();
        assert_eq!(rows_of(&rows), [vec![(1, 5.0)], vec![(2, 7.0), (3, 6.0)]]);
        let none = CsrMatrix::builder(0).push_row([(0, 1.0)]).unwrap_err().to_string();
        assert_eq!(none, "column 0 in sparse row 0: expected a column below 0");
    }

    #[test]
    fn sums_are_rounded_once() {
        let mut rows = CsrMatrix::builder(3).sum_duplicates();
        // In single precision, each 1 would be lost.
        let large = 16_777_216.0;
        rows.push_row([(2, large), (1, -0.0), (2, 1.0), (0, 1.0), (2, 1.0), (0, -1.0)]).unwrap();
        let rows = rows_of(&rows);
        assert_eq!(rows, [vec![(0, 0.0), (1, -0.0), (2, large + 2.0)]]);
        assert!(rows[0][1].1.is_sign_negative());
    }

    #[test]
    fn memory_is_reused_for_the_next_batch() {
        let mut rows = CsrMatrix::builder(100).sum_duplicates();
        let batch = |rows: &mut CsrBuilder, shift: u32| {
            rows.clear();
            for row in 0..8 {
                rows.push_row((0..20).map(|i| ((i * 37 + row + shift) % 100, 1.0))).unwrap();
            }
        };
        let memory = |rows: &CsrBuilder| {
            let CsrMatrix { starts, columns, values, .. } = &rows.rows;
            let capacities = [starts.capacity(), columns.capacity(), values.capacity()];
            (capacities, columns.as_ptr(), rows.sorted.as_ptr(), rows.sorted.capacity())
        };
        batch(&mut rows, 0);
        let before = memory(&rows);
        batch(&mut rows, 5);
        assert_eq!((memory(&rows), rows.rows()), (before, 8));
    }
}
