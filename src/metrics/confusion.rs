//! The confusion matrix.

use super::sum::ExactSum;
use crate::{
    error::{Error, check_weight, same_size},
    memory::reserve,
};

/// How many rows of each class were taken for which class.
///
/// ```
/// use thinnet::metrics::ConfusionMatrix;
///
/// let mut matrix = ConfusionMatrix::new(2)?;
/// for (label, predicted) in [(0, 0), (0, 0), (0, 1), (1, 0)] {
///     matrix.add(label, predicted, 1.0)?;
/// }
/// let rows: Vec<Vec<f64>> = matrix.rows().map(Iterator::collect).collect();
/// assert_eq!(rows, [[2.0, 1.0], [1.0, 0.0]]);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConfusionMatrix {
    classes: usize,
    /// `[label][predicted]`
    weights: Vec<ExactSum>,
    rows: usize,
}

impl ConfusionMatrix {
    /// Makes a matrix of zeros for so many classes. It takes 32 bytes for each of its elements.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn new(classes: usize) -> Result<Self, Error> {
        let too_large = || Error::TooLarge { what: "confusion matrix", shape: [classes; 2] };
        let elements = classes.checked_mul(classes).ok_or_else(too_large)?;
        let mut weights = reserve("confusion matrix", elements).map_err(|_| too_large())?;
        weights.resize(elements, ExactSum::default());
        Ok(Self { classes, weights, rows: 0 })
    }

    /// Adds a row of class `label` that was taken for class `predicted`, with its weight, 1 for the
    /// matrix to count rows.
    ///
    /// # Errors
    /// There is no such class, or the weight is negative or not finite.
    pub fn add(&mut self, label: u32, predicted: usize, weight: f64) -> Result<(), Error> {
        let (row, classes) = (self.rows, self.classes);
        if label as usize >= classes {
            return Err(Error::Class { row, class: label, classes });
        }
        crate::error::below("predicted class", classes, predicted)?;
        check_weight(weight, row)?;
        self.count(label, predicted, weight);
        Ok(())
    }

    /// [`Self::add`] of a row that has been checked.
    pub(super) fn count(&mut self, label: u32, predicted: usize, weight: f64) {
        self.weights[label as usize * self.classes + predicted].add(weight);
        self.rows += 1;
    }

    /// Adds the rows of another matrix.
    ///
    /// # Errors
    /// It has another number of classes.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        same_size("classes", self.classes, other.classes)?;
        self.count_all(other);
        Ok(())
    }

    /// [`Self::merge`] with one that has as many classes.
    pub(super) fn count_all(&mut self, other: &Self) {
        super::prior::add_all(&mut self.weights, &other.weights);
        self.rows += other.rows;
    }

    /// The rows of the matrix, one per label: the weights of the rows that were taken for each class.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = impl ExactSizeIterator<Item = f64> + '_> {
        // At least 1, as `chunks` needs; a matrix without classes has no rows.
        self.weights.chunks(self.classes.max(1)).map(|row| row.iter().map(ExactSum::value))
    }
}
