//! Arrays of `ndarray` in and out (feature `ndarray`).

use ndarray::{Array2, s};
use thinnet::{
    data::Batch,
    nn::{Loss, Mlp},
    predict::Predictor,
    tensor::{Matrix, MatrixView},
};

fn counted(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(row, column)| (100 * row + column) as f32)
}

#[test]
fn standard_layout_is_used_without_a_copy() {
    for (rows, columns) in [(3, 5), (1, 1), (4, 16), (0, 3), (3, 0)] {
        let array = counted(rows, columns);
        let view = MatrixView::try_from(array.view()).unwrap();
        assert_eq!((view.rows(), view.columns()), (rows, columns));
        for row in 0..rows {
            let (got, want) = (view.row(row).unwrap(), array.row(row).to_slice().unwrap());
            assert_eq!(got.as_ptr_range(), want.as_ptr_range());
        }
    }
    // Some of the rows are still in standard layout.
    let array = counted(5, 3);
    let view = MatrixView::try_from(array.slice(s![1..4, ..])).unwrap();
    assert_eq!(view.row(2).unwrap(), [300.0, 301.0, 302.0]);
}

#[test]
fn other_layouts_are_refused_but_can_be_copied() {
    let array = counted(4, 6);
    let others = [
        array.t(),
        array.slice(s![.., 1..]),
        array.slice(s![..;2, ..]),
        array.slice(s![..;-1, ..]),
        array.slice(s![.., ..;-1]),
    ];
    for other in others {
        let message = MatrixView::try_from(other).unwrap_err().to_string();
        let strides = format!("{:?}", other.strides());
        assert!(message.contains(&strides) && message.contains("copy_of"), "{message}");
        let copy = Matrix::copy_of_ndarray(other).unwrap();
        assert_eq!(copy.view().to_ndarray().unwrap(), other);
    }
}

#[test]
fn padded_rows_come_out_without_their_padding() {
    for (rows, columns) in [(3, 5), (1, 1), (4, 16), (2, 17), (0, 3), (3, 0)] {
        let array = counted(rows, columns);
        let matrix = Matrix::copy_of_ndarray(array.view()).unwrap();
        assert_eq!(matrix.view().to_ndarray().unwrap(), array);
    }
}

/// Fewer rows than the workspace has, of a width that is padded.
#[test]
fn predictions_come_out() {
    let mlp = Mlp::builder(3).output(5, Loss::SoftmaxCrossEntropy).build().unwrap();
    let predictor = Predictor::new(mlp);
    let mut workspace = predictor.workspace(4).unwrap();
    let array = counted(2, 3);
    let batch = Batch::dense(MatrixView::try_from(array.view()).unwrap());
    let want: Vec<Vec<f32>> = {
        let predictions = predictor.predict(&batch, &mut workspace).unwrap();
        (0..2).map(|row| predictions.row(row).unwrap().to_vec()).collect()
    };
    let got = predictor.predict(&batch, &mut workspace).unwrap().to_ndarray().unwrap();
    assert_eq!(got.dim(), (2, 5));
    for (got, want) in got.outer_iter().zip(&want) {
        assert!(got.iter().eq(want));
    }
}
