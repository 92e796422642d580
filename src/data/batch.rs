//! Batches: the rows of one training step or one prediction.

use std::fmt;

use super::{CsrView, Inputs};
use crate::{
    abridged::Few,
    error::{Error, below, check_weights, same_size},
    tensor::MatrixView,
    thin::InputRows,
};

/// Some rows of inputs. The first row's index in the global batch selects the rows' mask streams,
/// so a batch can be split without changing its masks. In training, the rows can have
/// [weights](Self::with_weights).
///
/// ```
/// use thinnet::{data::Batch, tensor::MatrixView};
///
/// let view = MatrixView::new(&[0.0, 0.1, 1.0, 1.1, 2.0, 2.1], 3, 2)?;
/// assert_eq!(Batch::dense(view).rows(), 3);
/// let chosen = Batch::gather(view, &[2, 0])?; // nothing is copied
/// assert_eq!((chosen.rows(), chosen.columns()), (2, 2));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    rows: InputRows<'a>,
    first_row: u64,
    weights: Option<&'a [f64]>,
}

impl fmt::Debug for Batch<'_> {
    /// The first few numbers of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, first_row, weights } = self;
        f.debug_struct("Batch")
            .field("rows", rows)
            .field("chosen", &rows.chosen())
            .field("first_row", first_row)
            .field("weights", &weights.map(|weights| Few(weights.iter())))
            .finish()
    }
}

impl<'a> Batch<'a> {
    /// All rows of some inputs, dense or sparse, for example of a data set.
    ///
    /// ```
    /// use thinnet::{data::{Batch, Dataset}, tensor::Matrix};
    ///
    /// let data = Dataset::new(Matrix::zeroed(3, 2)?, vec![0, 1, 1])?;
    /// assert_eq!(Batch::new(data.inputs()).rows(), 3);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    #[inline]
    pub fn new(inputs: impl Into<Inputs<'a>>) -> Self {
        Self { rows: inputs.into().inner(), first_row: 0, weights: None }
    }

    /// All rows of a dense matrix.
    #[inline]
    pub fn dense(rows: MatrixView<'a>) -> Self {
        Self::new(rows)
    }

    /// The rows of some inputs, dense or sparse, whose indices are in `chosen`, in that order; nothing is
    /// copied.
    ///
    /// # Errors
    /// There is no such row.
    pub fn gather(inputs: impl Into<Inputs<'a>>, chosen: &'a [u32]) -> Result<Self, Error> {
        let rows = inputs.into().inner();
        for &row in chosen {
            below("row of a batch", rows.rows(), row as usize)?;
        }
        Ok(Self { rows: rows.choose(chosen), first_row: 0, weights: None })
    }

    /// All rows of a sparse matrix.
    ///
    /// A batch of them trains and predicts to the bit like the same rows as a dense matrix, with any
    /// noise on the inputs: zeros are never active, whether they are stored or not. It also gives the
    /// same errors.
    ///
    /// A pass costs by the entries, not by the number of columns. So does a step with an optimiser that
    /// leaves the weights of untouched inputs as they are, to the bit: [`Sgd`](crate::train::Sgd) without
    /// momentum and [`Adagrad`](crate::train::Adagrad), both without weight decay, max-norm, an average, an
    /// L1 penalty and a limit on the norm of the gradient; and one with
    /// [`SparseAdam`](crate::train::SparseAdam). All others update all weights, as for dense rows.
    ///
    /// Some memory and time are by the number of columns nevertheless: those of integer weights, of moments
    /// with noise on the inputs, and of noise on inputs that are not declared
    /// [sparse](crate::nn::MlpBuilder::sparse_input).
    ///
    /// ```
    /// use thinnet::{
    ///     data::{Batch, CsrView},
    ///     nn::{Loss, Mlp},
    ///     predict::Predictor,
    ///     tensor::MatrixView,
    /// };
    ///
    /// let predictor = Predictor::new(Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?);
    /// let [mut one, mut other] = [predictor.workspace(2)?, predictor.workspace(2)?];
    /// let dense = MatrixView::new(&[0.0, 5.0, 0.0, 0.0, 7.0, 0.0, 0.0, 9.0], 2, 4)?;
    /// let sparse = CsrView::new(&[0, 1, 3], &[1, 0, 3], &[5.0, 7.0, 9.0], 4)?;
    /// let want = predictor.predict(&Batch::dense(dense), &mut one)?;
    /// let got = predictor.predict(&Batch::csr(sparse), &mut other)?;
    /// assert!(want.iter().eq(got.iter()));
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    #[inline]
    pub fn csr(rows: CsrView<'a>) -> Self {
        Self::new(rows)
    }

    /// Rows that are known to exist, with weights that have been checked.
    pub(super) fn chosen(
        inputs: Inputs<'a>,
        chosen: &'a [u32],
        weights: Option<&'a [f64]>,
    ) -> Self {
        Self { rows: inputs.inner().choose(chosen), first_row: 0, weights }
    }

    /// The same rows, starting at row `first_row` of the global batch (0 by default). Row 2^64 - 1
    /// is followed by row 0.
    #[must_use]
    pub fn starting_at(self, first_row: u64) -> Self {
        Self { first_row, ..self }
    }

    /// Gives each row a weight in training: the loss of a batch is `sum w L / sum w`, with L the loss
    /// of a row. A row of weight 0 counts like none, except that it still has masks, and that its inputs,
    /// its targets and its loss are checked. Predictions do not depend on weights.
    ///
    /// ```
    /// use thinnet::{data::Batch, tensor::MatrixView};
    ///
    /// let view = MatrixView::new(&[0.0, 0.1, 1.0, 1.1], 2, 2)?;
    /// let batch = Batch::dense(view).with_weights(&[1.0, 3.0])?;
    /// assert_eq!(batch.weights(), Some(&[1.0, 3.0][..]));
    /// let error = batch.with_weights(&[1.0, -3.0]).unwrap_err().to_string();
    /// assert_eq!(error, "weight at row 1: expected a finite number of at least 0, got -3.0");
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is not one weight per row, or a weight is negative, infinite or NaN.
    pub fn with_weights(self, weights: &'a [f64]) -> Result<Self, Error> {
        check_weights(self.rows(), weights)?;
        Ok(Self { weights: Some(weights), ..self })
    }

    /// The weights of the rows, if they were given weights.
    pub fn weights(&self) -> Option<&'a [f64]> {
        self.weights
    }

    /// Splits the rows, in order, into parts of `size` rows; the last part may be shorter. The
    /// parts keep the rows' indices in the global batch, and their weights.
    ///
    /// ```
    /// use thinnet::{data::Batch, tensor::MatrixView};
    ///
    /// let numbers = [0.0; 10];
    /// let parts = Batch::dense(MatrixView::new(&numbers, 5, 2)?).chunks(2)?;
    /// let parts: Vec<_> = parts.map(|part| (part.first_row(), part.rows())).collect();
    /// assert_eq!(parts, [(0, 2), (2, 2), (4, 1)]);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// `size` is 0.
    pub fn chunks(
        self,
        size: usize,
    ) -> Result<impl ExactSizeIterator<Item = Self> + DoubleEndedIterator, Error> {
        if size == 0 {
            return Err(Error::Zero { what: "rows of a batch", expected: "at least one" });
        }
        let rows = self.rows();
        Ok((0..rows.div_ceil(size)).map(move |part| {
            let first = part * size;
            let range = first..rows.min(first.saturating_add(size));
            let first_row = self.first_row.wrapping_add(first as u64);
            let weights = self.weights.map(|weights| &weights[range.clone()]);
            Self { rows: self.rows.part(range), first_row, weights }
        }))
    }

    /// The number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows.rows()
    }

    /// The number of columns.
    #[inline]
    pub fn columns(&self) -> usize {
        self.rows.columns()
    }

    /// The first row's index in the global batch.
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// The rows as the products take them.
    #[inline]
    pub(crate) fn inputs(&self) -> InputRows<'a> {
        self.rows
    }

    /// Checks that the batch suits a network with `inputs` inputs.
    #[inline]
    pub(crate) fn check(&self, inputs: usize, finite: bool) -> Result<(), Error> {
        same_size("columns of a batch", inputs, self.columns())?;
        if finite { self.rows.check_finite() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(batch: &Batch<'a>, row: usize) -> &'a [f32] {
        batch.inputs().dense().unwrap().at(row)
    }

    #[test]
    fn parts_are_the_rows_in_their_order_with_their_indices() {
        let numbers: Vec<f32> = (0..14).map(|i| i as f32).collect();
        let view = MatrixView::new(&numbers, 7, 2).unwrap();
        let chosen = [6, 0, 3, 3, 1];
        let weights: Vec<f64> = (0..7).map(f64::from).collect();
        let dense = Batch::dense(view).with_weights(&weights).unwrap();
        let gathered = Batch::gather(view, &chosen).unwrap().with_weights(&weights[..5]).unwrap();
        for whole in [Batch::dense(view), dense, gathered] {
            for (first_row, size) in
                [(0, 1), (40, 2), (u64::MAX, 3), (0, 5), (1, 7), (9, usize::MAX)]
            {
                let whole = whole.starting_at(first_row);
                let mut row = 0;
                let parts = whole.chunks(size).unwrap();
                assert_eq!(parts.len(), whole.rows().div_ceil(size));
                for part in parts {
                    assert_eq!(part.first_row(), first_row.wrapping_add(row as u64));
                    assert_eq!(part.rows(), size.min(whole.rows() - row));
                    assert_eq!(part.weights().is_some(), whole.weights().is_some());
                    for of_part in 0..part.rows() {
                        let weight =
                            |batch: &Batch<'_>, row: usize| batch.weights().map(|w| w[row]);
                        assert_eq!(weight(&part, of_part), weight(&whole, row));
                        assert_eq!(at(&part, of_part), at(&whole, row));
                        row += 1;
                    }
                }
                assert_eq!(row, whole.rows());
            }
            let error = whole.chunks(0).map(drop).unwrap_err().to_string();
            assert_eq!(error, "rows of a batch: expected at least one, got 0");
        }
    }
}
