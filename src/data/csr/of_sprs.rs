//! Sparse rows of the crate `sprs` (feature `sprs`).

use sprs::{CsMatI, CsMatViewI};

use super::{CsrMatrix, CsrView};
use crate::error::Error;

/// Views the rows of a matrix in CSR storage, without copying.
///
/// ```
/// use sprs::{CsMatI, TriMatI};
/// use thinnet::data::{Batch, CsrMatrix, CsrView};
///
/// let mut entries = TriMatI::<f32, u32>::new((2, 4));
/// entries.add_triplet(1, 3, 9.0);
/// entries.add_triplet(0, 1, 5.0);
/// // The starts of rows are usize, the columns u32.
/// let rows: CsMatI<f32, u32, usize> = entries.to_csr();
/// let view = CsrView::try_from(rows.view())?;
/// assert_eq!(view.row(1)?, (&[3][..], &[9.0][..]));
/// assert_eq!(Batch::csr(view).rows(), 2);
///
/// // Any other storage has to be converted first.
/// let columns = rows.to_csc();
/// assert!(CsrView::try_from(columns.view()).is_err());
/// // The default of sprs, usize, is another type.
/// let default = sprs::CsMat::<f32>::eye(3);
/// let rows = CsrMatrix::try_from(default.to_other_types::<u32, f32, usize>())?;
/// assert_eq!((rows.rows(), rows.columns()), (3, 3));
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// The matrix is in CSC storage, or a slice of another one: take the [`CsrView::subrows`] of that one instead.
impl<'a> TryFrom<CsMatViewI<'a, f32, u32, usize>> for CsrView<'a> {
    type Error = Error;

    fn try_from(matrix: CsMatViewI<'a, f32, u32, usize>) -> Result<Self, Error> {
        let columns = columns(matrix.is_csr(), matrix.cols())?;
        let (starts, column_indices, values) = matrix.into_raw_storage();
        if let Some(&start) = starts.first().filter(|&&start| start != 0) {
            return Err(Error::SparseSlice { start });
        }
        Self::new(starts, column_indices, values, columns)
    }
}

/// Takes over the rows of a matrix in CSR storage, without copying.
///
/// # Errors
/// The matrix is in CSC storage.
impl TryFrom<CsMatI<f32, u32, usize>> for CsrMatrix {
    type Error = Error;

    fn try_from(matrix: CsMatI<f32, u32, usize>) -> Result<Self, Error> {
        let columns = columns(matrix.is_csr(), matrix.cols())?;
        let (mut starts, column_indices, values) = matrix.into_raw_storage();
        // A copy of a slice still has the starts of the whole matrix.
        let first = starts.first().copied().unwrap_or(0);
        // The starts ascend; if sprs was made to believe otherwise, they are refused below.
        starts.iter_mut().for_each(|start| *start = start.saturating_sub(first));
        Self::new(starts, column_indices, values, columns)
    }
}

/// The number of columns, if the matrix is in CSR storage.
fn columns(is_csr: bool, columns: usize) -> Result<usize, Error> {
    if is_csr { Ok(columns) } else { Err(Error::SparseColumns) }
}
