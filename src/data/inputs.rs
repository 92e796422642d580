//! The inputs of a data set.

use std::{fmt, ops::Range};

use super::{CsrMatrix, CsrView};
use crate::{
    error::Error,
    tensor::{Matrix, MatrixView},
    thin::InputRows,
};

/// Rows of inputs, dense or sparse.
///
/// ```
/// use thinnet::{data::{CsrView, Inputs}, tensor::MatrixView};
///
/// let dense = Inputs::from(MatrixView::new(&[0.0, 5.0, 7.0, 0.0], 2, 2)?);
/// let sparse = Inputs::from(CsrView::new(&[0, 1, 2], &[1, 0], &[5.0, 7.0], 2)?);
/// assert_eq!((dense.rows(), dense.columns()), (sparse.rows(), sparse.columns()));
/// assert_eq!(dense.dense()?.row(1)?, [7.0, 0.0]);
/// let error = sparse.dense().unwrap_err().to_string();
/// assert_eq!(error, "the rows are sparse: expected dense rows");
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Inputs<'a> {
    /// All numbers are stored.
    Dense(MatrixView<'a>),
    /// The zeros are not stored.
    Sparse(CsrView<'a>),
}

impl<'a> From<MatrixView<'a>> for Inputs<'a> {
    #[inline]
    fn from(rows: MatrixView<'a>) -> Self {
        Self::Dense(rows)
    }
}

impl<'a> From<CsrView<'a>> for Inputs<'a> {
    #[inline]
    fn from(rows: CsrView<'a>) -> Self {
        Self::Sparse(rows)
    }
}

impl fmt::Debug for Inputs<'_> {
    /// Shows the shape, and the first few numbers of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense(rows) => rows.fmt(f),
            Self::Sparse(rows) => rows.fmt(f),
        }
    }
}

impl<'a> Inputs<'a> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Dense(rows) => rows.rows(),
            Self::Sparse(rows) => rows.rows(),
        }
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        match self {
            Self::Dense(rows) => rows.columns(),
            Self::Sparse(rows) => rows.columns(),
        }
    }

    /// A view of a range of rows.
    ///
    /// # Errors
    /// The range ends after the last row, or before it starts.
    pub fn subrows(&self, rows: Range<usize>) -> Result<Self, Error> {
        Ok(match self {
            Self::Dense(all) => Self::Dense(all.subrows(rows)?),
            Self::Sparse(all) => Self::Sparse(all.subrows(rows)?),
        })
    }

    /// The rows as a dense matrix.
    ///
    /// # Errors
    /// The rows are sparse.
    pub fn dense(self) -> Result<MatrixView<'a>, Error> {
        match self {
            Self::Dense(rows) => Ok(rows),
            Self::Sparse(_) => Err(Error::SparseRows),
        }
    }

    /// The rows as the products take them.
    #[inline]
    pub(super) fn inner(self) -> InputRows<'a> {
        match self {
            Self::Dense(rows) => rows.into(),
            Self::Sparse(rows) => rows.inner().into(),
        }
    }
}

/// Rows of inputs, dense or sparse, that are owned; see [`Inputs`].
///
/// ```
/// use thinnet::{data::OwnedInputs, tensor::Matrix};
///
/// let inputs = OwnedInputs::from(Matrix::zeroed(3, 2)?);
/// assert_eq!((inputs.rows(), inputs.view().columns()), (3, 2));
/// assert_eq!(inputs.into_dense()?.columns(), 2);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum OwnedInputs {
    /// All numbers are stored.
    Dense(Matrix),
    /// The zeros are not stored.
    Sparse(CsrMatrix),
}

impl From<Matrix> for OwnedInputs {
    fn from(rows: Matrix) -> Self {
        Self::Dense(rows)
    }
}

impl From<CsrMatrix> for OwnedInputs {
    fn from(rows: CsrMatrix) -> Self {
        Self::Sparse(rows)
    }
}

impl fmt::Debug for OwnedInputs {
    /// Shows the shape, and the first few numbers of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense(rows) => rows.fmt(f),
            Self::Sparse(rows) => rows.fmt(f),
        }
    }
}

impl OwnedInputs {
    /// A view of all rows.
    pub fn view(&self) -> Inputs<'_> {
        match self {
            Self::Dense(rows) => Inputs::Dense(rows.view()),
            Self::Sparse(rows) => Inputs::Sparse(rows.view()),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.view().rows()
    }

    /// The rows as a dense matrix, without a copy.
    ///
    /// # Errors
    /// The rows are sparse.
    pub fn into_dense(self) -> Result<Matrix, Error> {
        match self {
            Self::Dense(rows) => Ok(rows),
            Self::Sparse(_) => Err(Error::SparseRows),
        }
    }

    /// A copy of some rows, which must exist.
    pub(super) fn copy(
        &self,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Result<Self, Error> {
        Ok(match self {
            Self::Dense(all) => Self::Dense(super::targets::copy_rows(all, rows)?),
            Self::Sparse(all) => Self::Sparse(all.copy_rows(rows)?),
        })
    }
}
