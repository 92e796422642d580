//! Matrices of `sprs` as sparse rows (feature `sprs`).

use sprs::{CsMatI, CsMatViewI, TriMatI};
use thinnet::{
    Error,
    data::{Batch, CsrMatrix, CsrView},
    nn::{Loss, Mlp},
    predict::Predictor,
};

/// Every third number of a matrix, and a row without entries.
fn matrix(rows: usize, columns: usize) -> CsMatI<f32, u32, usize> {
    let mut entries = TriMatI::<f32, u32>::new((rows, columns));
    for i in (0..rows * columns).rev().step_by(3) {
        if i / columns != 1 {
            entries.add_triplet(i / columns, i % columns, i as f32 + 0.5);
        }
    }
    entries.to_csr()
}

#[track_caller]
fn same(view: CsrView<'_>, matrix: &CsMatI<f32, u32, usize>) {
    assert_eq!((view.rows(), view.columns()), matrix.shape());
    assert_eq!(view.entries(), matrix.nnz());
    for row in 0..view.rows() {
        let got: Vec<(usize, f32)> = {
            let (columns, values) = view.row(row).unwrap();
            columns.iter().map(|&column| column as usize).zip(values.iter().copied()).collect()
        };
        let of_row = matrix.outer_view(row).unwrap();
        assert_eq!(got, of_row.iter().map(|(column, &x)| (column, x)).collect::<Vec<_>>());
    }
}

#[test]
fn rows_are_used_without_a_copy() {
    for (rows, columns) in [(4, 7), (1, 1), (3, 70), (0, 3), (3, 0)] {
        let matrix = matrix(rows, columns);
        let view = CsrView::try_from(matrix.view()).unwrap();
        same(view, &matrix);
        if rows > 0 {
            assert_eq!(view.row(0).unwrap().1.as_ptr(), matrix.data().as_ptr());
        }
        let values = matrix.data().as_ptr();
        let owned = CsrMatrix::try_from(matrix.clone()).unwrap();
        same(owned.view(), &matrix);
        let owned = CsrMatrix::try_from(matrix).unwrap();
        assert_eq!(owned.into_parts().2.as_ptr(), values);
    }
}

#[test]
fn columns_and_slices_are_refused_or_copied() {
    let rows = matrix(5, 7);
    let turned = rows.transpose_view();
    let words = "a matrix of the crate `sprs` is in CSC storage (by columns): expected CSR (by rows), as \
                 its method to_csr gives it";
    let error = CsrView::try_from(turned).unwrap_err();
    assert!(matches!(error, Error::SparseColumns));
    assert_eq!(error.to_string(), words);
    assert_eq!(CsrMatrix::try_from(rows.to_csc()).unwrap_err().to_string(), words);
    let turned = turned.to_csr();
    same(CsrView::try_from(turned.view()).unwrap(), &turned);

    let slice = rows.slice_outer(2..4);
    let start = rows.proper_indptr()[2];
    let error = CsrView::try_from(slice).unwrap_err();
    assert!(matches!(error, Error::SparseSlice { start: got } if got == start));
    let words = format!(
        "rows of the crate `sprs` are a slice of a matrix, from entry {start}: expected all rows; \
         CsrView::subrows gives some of them"
    );
    assert_eq!(error.to_string(), words);
    let copy = CsrMatrix::try_from(slice.to_owned()).unwrap();
    let part = CsrView::try_from(rows.view()).unwrap().subrows(2..4).unwrap();
    for row in 0..2 {
        assert_eq!(copy.view().row(row).unwrap(), part.row(row).unwrap());
    }
    // The first rows are no slice by their starts.
    let first = CsrView::try_from(rows.slice_outer(0..2)).unwrap();
    assert_eq!(
        (first.rows(), first.row(0).unwrap()),
        (2, copy_of(&rows, 0).view().row(0).unwrap())
    );
}

/// One row on its own.
fn copy_of(rows: &CsMatI<f32, u32, usize>, row: usize) -> CsrMatrix {
    CsrMatrix::try_from(rows.slice_outer(row..row + 1).to_owned()).unwrap()
}

#[test]
fn predictions_are_those_of_dense_rows() {
    let mlp = Mlp::builder(7).output(3, Loss::SoftmaxCrossEntropy).build().unwrap();
    let predictor = Predictor::new(mlp);
    let mut workspace = predictor.workspace(5).unwrap();
    let rows = matrix(5, 7);
    let view: CsMatViewI<'_, f32, u32, usize> = rows.view();
    let batch = Batch::csr(CsrView::try_from(view).unwrap());
    let got = predictor.predict(&batch, &mut workspace).unwrap();
    let got: Vec<Vec<f32>> = (0..5).map(|row| got.row(row).unwrap().to_vec()).collect();
    let dense = rows.to_dense();
    let dense = thinnet::tensor::MatrixView::new(dense.as_slice().unwrap(), 5, 7).unwrap();
    let want = predictor.predict(&Batch::dense(dense), &mut workspace).unwrap();
    for (row, got) in got.iter().enumerate() {
        assert_eq!(want.row(row).unwrap(), got);
    }
}
