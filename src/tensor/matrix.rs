//! Row-major f32 matrices: owned and aligned, or a view of any slice.

#[cfg(feature = "ndarray")]
mod arrays;

use std::{fmt, ops::Range};

use super::{AlignedBuffer, buffer::LINE};
use crate::{
    abridged::Few,
    error::{Error, at_most, below, same_size},
};

/// The row stride, in floats, of a matrix with this many columns: whole cache lines.
pub(crate) fn padded(columns: usize) -> Option<usize> {
    columns.checked_next_multiple_of(LINE / size_of::<f32>())
}

/// A row-major matrix whose rows are padded to whole cache lines; the padding
/// is always zero.
///
/// ```
/// use thinnet::tensor::Matrix;
///
/// let mut matrix = Matrix::from_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3)?;
/// matrix.row_mut(0)?[2] = 7.0;
/// assert_eq!(matrix.row(0)?, [1.0, 2.0, 7.0]);
/// assert_eq!(matrix.iter().map(|row| row[0]).collect::<Vec<_>>(), [1.0, 4.0]);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Matrix {
    data: AlignedBuffer<f32>,
    rows: usize,
    columns: usize,
    stride: usize,
}

impl Matrix {
    /// Creates a matrix of zeros.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn zeroed(rows: usize, columns: usize) -> Result<Self, Error> {
        let too_large = || Error::TooLarge { what: "a matrix", shape: [rows, columns] };
        let stride = padded(columns).ok_or_else(too_large)?;
        let len = rows.checked_mul(stride).ok_or_else(too_large)?;
        let data = AlignedBuffer::zeroed(len).map_err(|_| too_large())?;
        Ok(Self { data, rows, columns, stride })
    }

    /// Creates a matrix from rows that are zero-padded to the stride given by [`padded`].
    ///
    /// # Errors
    /// `data` does not have the right number of elements.
    pub(crate) fn from_padded(
        data: AlignedBuffer<f32>,
        rows: usize,
        columns: usize,
    ) -> Result<Self, Error> {
        let too_large = || Error::TooLarge { what: "a matrix", shape: [rows, columns] };
        let stride = padded(columns).ok_or_else(too_large)?;
        let len = rows.checked_mul(stride).ok_or_else(too_large)?;
        same_size("elements of a padded matrix", len, data.len())?;
        Ok(Self { data, rows, columns, stride })
    }

    /// Copies contiguous rows without padding.
    ///
    /// # Errors
    /// The length of `from` is not rows times columns, or there is not enough memory.
    pub fn from_rows(from: &[f32], rows: usize, columns: usize) -> Result<Self, Error> {
        let view = MatrixView::new(from, rows, columns)?;
        let mut matrix = Self::zeroed(rows, columns)?;
        for row in 0..rows {
            matrix.at_mut(row).copy_from_slice(view.at(row));
        }
        Ok(matrix)
    }

    /// The number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns, without padding.
    #[inline]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// A row, without its padding.
    ///
    /// # Errors
    /// There is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> Result<&[f32], Error> {
        self.view().row(row)
    }

    /// A mutable row, without its padding.
    ///
    /// # Errors
    /// There is no such row.
    pub fn row_mut(&mut self, row: usize) -> Result<&mut [f32], Error> {
        below("row of a matrix", self.rows, row)?;
        Ok(self.at_mut(row))
    }

    /// A row that is known to exist.
    #[inline]
    pub(crate) fn at(&self, row: usize) -> &[f32] {
        &self.data[row * self.stride..][..self.columns]
    }

    /// A mutable row that is known to exist.
    #[inline]
    pub(crate) fn at_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.data[row * self.stride..][..self.columns]
    }

    /// The cache lines of a row that is known to exist. Their padding has to stay zero.
    #[inline]
    pub(crate) fn lines_mut(&mut self, row: usize) -> &mut [[f32; LINE / size_of::<f32>()]] {
        self.data[row * self.stride..][..self.stride].as_chunks_mut().0
    }

    /// The rows in order, without their padding.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> + DoubleEndedIterator + Clone {
        self.view().iter()
    }

    /// The whole matrix as a view.
    #[inline]
    pub fn view(&self) -> MatrixView<'_> {
        self.first_rows(self.rows)
    }

    /// A view of the first rows.
    #[inline]
    pub(crate) fn first_rows(&self, rows: usize) -> MatrixView<'_> {
        MatrixView {
            data: &self.data,
            rows: rows.min(self.rows),
            columns: self.columns,
            stride: self.stride,
        }
    }
}

impl fmt::Debug for Matrix {
    /// Shows the shape, and the first few numbers of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("Matrix", &self.view(), f)
    }
}

/// A borrowed row-major f32 matrix.
///
/// ```
/// use thinnet::tensor::MatrixView;
///
/// let numbers = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let view = MatrixView::new(&numbers, 3, 2)?; // nothing is copied
/// assert_eq!(view.row(2)?, [5.0, 6.0]);
/// assert!(MatrixView::new(&numbers, 4, 2).is_err());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct MatrixView<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> MatrixView<'a> {
    /// Creates a view of contiguous rows without padding.
    ///
    /// # Errors
    /// The length of `data` is not rows times columns.
    #[inline]
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Result<Self, Error> {
        let expected = rows
            .checked_mul(columns)
            .ok_or(Error::TooLarge { what: "a matrix view", shape: [rows, columns] })?;
        same_size("elements of a matrix view", expected, data.len())?;
        Ok(Self { data, rows, columns, stride: columns })
    }

    /// The number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    #[inline]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// A row.
    ///
    /// # Errors
    /// There is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> Result<&'a [f32], Error> {
        below("row of a matrix", self.rows, row)?;
        Ok(self.at(row))
    }

    /// A row that is known to exist.
    #[inline]
    pub(crate) fn at(&self, row: usize) -> &'a [f32] {
        &self.data[row * self.stride..][..self.columns]
    }

    /// Whether all numbers are finite: one pass without branches if there is no padding.
    pub(crate) fn all_finite(&self) -> bool {
        if self.stride == self.columns {
            return all_finite(&self.data[..self.rows * self.columns]);
        }
        self.iter().all(all_finite)
    }

    /// The rows in order.
    pub fn iter(
        &self,
    ) -> impl ExactSizeIterator<Item = &'a [f32]> + DoubleEndedIterator + Clone + use<'a> {
        let view = *self;
        (0..view.rows).map(move |row| view.at(row))
    }

    /// A view of a range of rows.
    ///
    /// ```
    /// let view = thinnet::tensor::MatrixView::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, 2)?;
    /// assert_eq!(view.subrows(1..3)?.row(0)?, [3.0, 4.0]);
    /// assert!(view.subrows(2..4).is_err());
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The range ends after the last row, or before it starts.
    #[inline]
    pub fn subrows(&self, rows: Range<usize>) -> Result<Self, Error> {
        let Range { start, end } = rows;
        at_most("end of a range of rows", self.rows, end)?;
        at_most("start of a range of rows", end, start)?;
        Ok(self.part(rows))
    }

    /// A view of a range of rows that are known to exist.
    #[inline]
    pub(crate) fn part(&self, rows: Range<usize>) -> Self {
        Self { data: &self.data[rows.start * self.stride..], rows: rows.len(), ..*self }
    }
}

impl fmt::Debug for MatrixView<'_> {
    /// Shows the shape, and the first few numbers of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("MatrixView", self, f)
    }
}

fn show(name: &str, view: &MatrixView<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("rows", &view.rows)
        .field("columns", &view.columns)
        .field("elements", &Few(view.iter().map(|row| Few(row.iter()))))
        .finish()
}

/// Whether all numbers are finite: one pass without branches.
#[inline]
pub(crate) fn all_finite(x: &[f32]) -> bool {
    x.iter().fold(true, |finite, x| finite & x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_shape_and_the_first_numbers_without_padding() {
        let from = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let small = Matrix::from_rows(&from, 2, 3).unwrap();
        let shown = "{ rows: 2, columns: 3, elements: [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] }";
        assert_eq!(format!("{small:?}"), format!("Matrix {shown}"));
        assert_eq!(format!("{:?}", small.view()), format!("MatrixView {shown}"));
        let large = Matrix::zeroed(200, 100).unwrap();
        let row = "[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, .. 100 in all], ";
        let shown = format!(
            "Matrix {{ rows: 200, columns: 100, elements: [{}.. 200 in all] }}",
            row.repeat(8)
        );
        assert_eq!(format!("{large:?}"), shown);
    }

    #[test]
    fn rows_start_on_cache_lines_and_padding_is_zero() {
        for columns in [0, 1, 15, 16, 17, 64, 100] {
            let from: Vec<f32> = (0..3 * columns).map(|i| i as f32 + 1.0).collect();
            let matrix = Matrix::from_rows(&from, 3, columns).unwrap();
            assert_eq!(matrix.stride % 16, 0);
            assert!(matrix.iter().eq((0..3).map(|row| &from[row * columns..][..columns])));
            for row in 0..3 {
                assert_eq!(matrix.row(row).unwrap(), &from[row * columns..][..columns]);
                assert_eq!(matrix.view().row(row).unwrap(), matrix.at(row));
                let padding = &matrix.data[row * matrix.stride..][columns..matrix.stride];
                assert!(padding.iter().all(|&x| x.to_bits() == 0));
            }
        }
    }

    #[test]
    fn sizes_are_checked() {
        assert!(Matrix::from_rows(&[0.0; 5], 2, 3).is_err());
        assert!(MatrixView::new(&[0.0; 6], usize::MAX, 2).is_err());
        assert!(Matrix::zeroed(usize::MAX, usize::MAX).is_err());
        assert!(Matrix::zeroed(2, 3).unwrap().row(2).unwrap_err().to_string().contains('2'));
        let view = MatrixView::new(&[0.0, 1.0, 3.0, 2.0], 2, 2).unwrap();
        for (start, end, words) in [
            (0, 3, "end of a range of rows: expected at most 2, got 3"),
            (2, 1, "start of a range of rows: expected at most 1, got 2"),
        ] {
            let error = view.subrows(start..end).unwrap_err().to_string();
            assert_eq!(error, words);
        }
        let parts = [0..2, 1..2, 2..2].map(|rows| view.subrows(rows).unwrap());
        assert_eq!(parts.map(|part| part.rows()), [2, 1, 0]);
        assert_eq!(parts[1].row(0).unwrap()[1], 2.0);
    }
}
