//! Conversions from and to arrays of the `ndarray` crate (feature `ndarray`).

use ndarray::{ArrayView2, ShapeBuilder};

use super::{Matrix, MatrixView};
use crate::error::Error;

/// Views the rows of an array in standard layout (contiguous C order), without copying.
///
/// ```
/// use ndarray::{array, s};
/// use thinnet::{data::Batch, nn::{Loss, Mlp}, predict::Predictor, tensor::{Matrix, MatrixView}};
///
/// let mlp = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let predictor = Predictor::new(mlp);
/// let mut workspace = predictor.workspace(2)?;
/// let x = array![[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]];
/// let batch = Batch::dense(MatrixView::try_from(x.view())?);
/// let probabilities = predictor.predict(&batch, &mut workspace)?.to_ndarray()?;
/// assert_eq!(probabilities.dim(), (2, 2));
/// assert!((probabilities.row(1).sum() - 1.0).abs() < 1e-6);
///
/// // Any other layout must be copied explicitly.
/// let turned = x.slice(s![.., ..;-1]);
/// assert!(MatrixView::try_from(turned).is_err());
/// assert_eq!(Matrix::copy_of_ndarray(turned)?.row(0)?, [0.3, 0.2, 0.1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The array has another layout: see [`Matrix::copy_of_ndarray`].
impl<'a> TryFrom<ArrayView2<'a, f32>> for MatrixView<'a> {
    type Error = Error;

    fn try_from(array: ArrayView2<'a, f32>) -> Result<Self, Error> {
        let (rows, columns) = array.dim();
        let data = array.to_slice().ok_or_else(|| {
            let strides = array.strides();
            Error::ArrayLayout { strides: [strides[0], strides[1]] }
        })?;
        Self::new(data, rows, columns)
    }
}

impl<'a> MatrixView<'a> {
    /// Views the same rows as an array, without copying.
    ///
    /// # Errors
    /// An array cannot have this shape.
    pub fn to_ndarray(self) -> Result<ArrayView2<'a, f32>, Error> {
        let shape = (self.rows, self.columns);
        let array = if self.rows == 0 || self.columns == 0 {
            ArrayView2::from_shape(shape, &[])
        } else {
            ArrayView2::from_shape(shape.strides((self.stride, 1)), self.data)
        };
        array.map_err(|_| Error::TooLarge { what: "an array view", shape: shape.into() })
    }
}

impl Matrix {
    /// Copies an array of any layout.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn copy_of_ndarray(array: ArrayView2<'_, f32>) -> Result<Self, Error> {
        let (rows, columns) = array.dim();
        let mut matrix = Self::zeroed(rows, columns)?;
        for (row, from) in array.outer_iter().enumerate() {
            matrix.at_mut(row).iter_mut().zip(from).for_each(|(to, &x)| *to = x);
        }
        Ok(matrix)
    }
}
