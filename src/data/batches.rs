//! The batches of an epoch.

use std::{fmt, ops::Range};

use super::{Batch, Inputs, epoch_order};
use crate::{
    abridged::Few,
    error::{Error, below, check_weights, same_size},
    memory::reserve,
    nn::Targets,
    tensor::Matrix,
};

/// The rows of a data set divided into batches: n rows make ceil(n / size) batches, the last of
/// which may be smaller. [`Self::shuffle`] puts the rows into the order of an epoch.
///
/// The inputs are borrowed. In addition it holds 4 bytes per row, and a copy of the targets and weights in
/// the order of the rows. All of this is allocated on construction: neither shuffling nor iterating
/// over the batches allocates.
///
/// ```
/// use thinnet::{
///     Keep,
///     data::Batches,
///     nn::{Activation, Loss, Mlp, Targets},
///     tensor::MatrixView,
///     train::{Schedule, Sgd, Trainer},
/// };
///
/// let mlp = Mlp::builder(1).hidden(64, Activation::Relu, Keep::new(0.9)?);
/// let mlp = mlp.output(1, Loss::SquaredError).build()?;
/// let mut trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.05)), 32).build()?;
/// let x: Vec<f32> = (0..100).map(|i| i as f32 / 100.0).collect();
/// let y: Vec<f32> = x.iter().map(|x| x * x).collect();
/// let [x, y] = [&x, &y].map(|column| MatrixView::new(column, 100, 1));
/// let mut batches = Batches::new(x?, Targets::Values(y?), 32)?;
/// assert_eq!(batches.len(), 4);
/// for epoch in 0..10 {
///     batches.shuffle(7, epoch);
///     for (batch, targets) in &batches {
///         trainer.step(&batch, targets)?;
///     }
/// }
/// assert_eq!(trainer.steps(), 40);
/// # Ok::<(), thinnet::Error>(())
/// ```
pub struct Batches<'a> {
    inputs: Inputs<'a>,
    targets: Targets<'a>,
    size: usize,
    len: usize,
    /// The indices of the rows, in the order in which they are batched.
    order: Vec<u32>,
    /// The targets in that order, if they are classes.
    classes: Vec<u32>,
    /// The targets in that order, if they are numbers.
    numbers: Matrix,
    weights: Option<Weights<'a>>,
}

/// The weights of the rows.
struct Weights<'a> {
    /// In the data set's order.
    all: &'a [f64],
    /// In the order of the rows.
    ordered: Vec<f64>,
}

impl<'a> Batches<'a> {
    /// Batches of `size` rows, dense or sparse, in the order of the data set.
    ///
    /// # Errors
    /// The number of targets is not the number of rows, `size` is 0, there are more than 2^32 - 1
    /// rows, or there is not enough memory.
    pub fn new(
        inputs: impl Into<Inputs<'a>>,
        targets: Targets<'a>,
        size: usize,
    ) -> Result<Self, Error> {
        let inputs = inputs.into();
        let rows = inputs.rows();
        same_size("rows of the targets", rows, targets.rows())?;
        if size == 0 {
            return Err(Error::Zero { what: "rows of a batch", expected: "at least one" });
        }
        let count = u32::try_from(rows).map_err(|_| Error::TooMany {
            what: "rows of a data set",
            most: u32::MAX as usize,
            got: rows,
        })?;
        let mut order = reserve("row numbers", rows)?;
        order.extend(0..count);
        let (mut classes, mut numbers) = (Vec::new(), Matrix::zeroed(0, 0)?);
        match targets {
            Targets::Classes(all) => {
                classes = reserve("labels", rows)?;
                classes.extend_from_slice(all);
            }
            Targets::Values(all) | Targets::Binary(all) => {
                numbers = Matrix::zeroed(rows, all.columns())?;
            }
        }
        let len = rows.div_ceil(size);
        let weights = None;
        let mut batches = Self { inputs, targets, size, len, order, classes, numbers, weights };
        batches.order_targets();
        Ok(batches)
    }

    /// Gives each row a weight: see [`Batch::with_weights`].
    ///
    /// ```
    /// use thinnet::{data::Batches, nn::Targets, tensor::MatrixView};
    ///
    /// let x = MatrixView::new(&[0.0; 3], 3, 1)?;
    /// let batches = Batches::new(x, Targets::Classes(&[0, 1, 0]), 2)?;
    /// let batches = batches.with_weights(&[1.0, 5.0, 2.0])?;
    /// assert_eq!(batches.batch(1)?.0.weights(), Some(&[2.0][..]));
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is not one weight per row, a weight is negative, infinite or NaN, or there is not enough
    /// memory.
    pub fn with_weights(mut self, weights: &'a [f64]) -> Result<Self, Error> {
        check_weights(self.order.len(), weights)?;
        let mut ordered = reserve("weights of rows", weights.len())?;
        ordered.extend(self.order.iter().map(|&row| weights[row as usize]));
        self.weights = Some(Weights { all: weights, ordered });
        Ok(self)
    }

    /// Drops the last batch if it has fewer rows than `size`. If it is the only one, no batch is
    /// left.
    #[must_use]
    pub fn drop_last(mut self) -> Self {
        self.len = self.order.len() / self.size;
        self
    }

    /// Puts the rows into [the order of an epoch](epoch_order), whatever their present order.
    pub fn shuffle(&mut self, seed: u64, epoch: u64) {
        epoch_order(seed, epoch, &mut self.order);
        self.order_targets();
    }

    /// The number of batches.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Batch `index` of the epoch, from 0, and its targets: for resuming within an epoch.
    ///
    /// # Errors
    /// There is no such batch.
    pub fn batch(&self, index: usize) -> Result<(Batch<'_>, Targets<'_>), Error> {
        below("batch of an epoch", self.len, index)?;
        Ok(self.at(index))
    }

    /// Iterates over the batches and their targets.
    pub fn iter(&self) -> BatchIter<'_> {
        BatchIter { batches: self, left: 0..self.len }
    }

    /// A batch that is known to exist.
    fn at(&self, index: usize) -> (Batch<'_>, Targets<'_>) {
        let first = index * self.size;
        let rows = first..self.order.len().min(first.saturating_add(self.size));
        let targets = match self.targets {
            Targets::Classes(_) => Targets::Classes(&self.classes[rows.clone()]),
            Targets::Values(_) => Targets::Values(self.numbers.view().part(rows.clone())),
            Targets::Binary(_) => Targets::Binary(self.numbers.view().part(rows.clone())),
        };
        let weights = self.weights.as_ref().map(|weights| &weights.ordered[rows.clone()]);
        (Batch::chosen(self.inputs, &self.order[rows], weights), targets)
    }

    /// Puts the targets and weights into the order of the rows.
    fn order_targets(&mut self) {
        let rows = self.order.iter().map(|&row| row as usize);
        if let Some(Weights { all, ordered }) = &mut self.weights {
            ordered.iter_mut().zip(rows.clone()).for_each(|(to, row)| *to = all[row]);
        }
        match self.targets {
            Targets::Classes(all) => {
                self.classes.iter_mut().zip(rows).for_each(|(to, row)| *to = all[row]);
            }
            Targets::Values(all) | Targets::Binary(all) => {
                for (place, row) in rows.enumerate() {
                    self.numbers.at_mut(place).copy_from_slice(all.at(row));
                }
            }
        }
    }
}

impl fmt::Debug for Batches<'_> {
    /// The shape, and the first few rows and targets in the data set's own order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches")
            .field("inputs", &self.inputs)
            .field("targets", &self.targets)
            .field("size", &self.size)
            .field("len", &self.len)
            .field("weights", &self.weights.as_ref().map(|weights| Few(weights.all.iter())))
            .finish_non_exhaustive()
    }
}

/// Iterator over the batches of [`Batches`] and their targets.
///
/// ```
/// use thinnet::{data::Batches, nn::Targets, tensor::MatrixView};
///
/// let x = MatrixView::new(&[0.0; 10], 5, 2)?;
/// let batches = Batches::new(x, Targets::Classes(&[0, 1, 0, 1, 0]), 2)?;
/// let rows = batches.iter().map(|(batch, _)| batch.rows());
/// assert_eq!(rows.collect::<Vec<_>>(), [2, 2, 1]);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BatchIter<'a> {
    batches: &'a Batches<'a>,
    left: Range<usize>,
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = (Batch<'a>, Targets<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left.next().map(|index| self.batches.at(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl DoubleEndedIterator for BatchIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left.next_back().map(|index| self.batches.at(index))
    }
}

impl ExactSizeIterator for BatchIter<'_> {}

impl<'a> IntoIterator for &'a Batches<'_> {
    type Item = (Batch<'a>, Targets<'a>);
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Dataset, tensor::MatrixView};

    /// Row i holds 10 i and 10 i + 1.
    fn inputs(rows: usize) -> Matrix {
        let numbers: Vec<f32> = (0..2 * rows).map(|i| (i / 2 * 10 + i % 2) as f32).collect();
        Matrix::from_rows(&numbers, rows, 2).unwrap()
    }

    /// The first number of each batch's rows, and a number for each target.
    fn seen(batches: &Batches<'_>) -> Vec<Vec<(u32, u32)>> {
        let of_batch = |(batch, targets): (Batch<'_>, Targets<'_>)| {
            assert_eq!((batch.rows(), batch.first_row()), (targets.rows(), 0));
            let target = |row: usize| match targets {
                Targets::Classes(classes) => classes[row],
                Targets::Values(values) => values.at(row)[2] as u32,
                Targets::Binary(bits) => (bits.at(row)[1] * 1024.0) as u32,
            };
            if let Some(weights) = batch.weights() {
                let of_targets = (0..targets.rows()).map(|row| f64::from(target(row)) / 2.0);
                assert!(weights.iter().copied().eq(of_targets), "{weights:?}");
            }
            (0..batch.rows())
                .map(|row| (batch.inputs().dense().unwrap().at(row)[0] as u32 / 10, target(row)))
                .collect()
        };
        batches.iter().map(of_batch).collect()
    }

    #[test]
    fn batches_follow_the_order_that_is_drawn_by_hand() {
        for (rows, size) in [
            (0, 1),
            (1, 1),
            (1, 7),
            (7, 7),
            (20, 6),
            (21, 7),
            (22, 21),
            (100, 1000),
            (9, usize::MAX),
        ] {
            let inputs = inputs(rows);
            let labels: Vec<u32> = (0..rows as u32).map(|row| 3 * row + 1).collect();
            let values: Vec<f32> = labels.iter().flat_map(|&t| [0.5, 0.25, t as f32]).collect();
            let bits: Vec<f32> = labels.iter().flat_map(|&t| [1.0, t as f32 / 1024.0]).collect();
            let data = Dataset::new(inputs.clone(), labels.clone()).unwrap();
            let mut order = vec![0; rows];
            epoch_order(9, 4, &mut order);
            let want: Vec<Vec<_>> = order
                .chunks(size)
                .map(|chosen| chosen.iter().map(|&row| (row, labels[row as usize])).collect())
                .collect();
            assert_eq!(seen(&data.batches(9, 4, size).unwrap()), want, "{rows}, {size}");
            for targets in [
                Targets::Classes(&labels),
                Targets::Values(MatrixView::new(&values, rows, 3).unwrap()),
                Targets::Binary(MatrixView::new(&bits, rows, 2).unwrap()),
            ] {
                let weights: Vec<f64> = labels.iter().map(|&t| f64::from(t) / 2.0).collect();
                let batches = Batches::new(inputs.view(), targets, size).unwrap();
                let mut batches = batches.with_weights(&weights).unwrap();
                let unshuffled = seen(&batches).concat();
                let own: Vec<_> = (0..rows as u32).zip(labels.iter().copied()).collect();
                assert_eq!(unshuffled, own);
                batches.shuffle(9, 3);
                batches.shuffle(9, 4);
                assert_eq!(seen(&batches), want, "{rows}, {size}, {targets:?}");
            }
        }
    }

    #[test]
    fn batches_are_counted_from_both_ends_and_by_number() {
        let inputs = inputs(20);
        let labels: Vec<u32> = (0..20).collect();
        let batches = Batches::new(inputs.view(), Targets::Classes(&labels), 6).unwrap();
        let rows = |(batch, _): (Batch<'_>, Targets<'_>)| batch.rows();
        assert_eq!((batches.len(), batches.iter().len()), (4, 4));
        assert_eq!(batches.iter().map(rows).collect::<Vec<_>>(), [6, 6, 6, 2]);
        assert_eq!(batches.iter().rev().map(rows).collect::<Vec<_>>(), [2, 6, 6, 6]);
        assert_eq!(batches.iter().cycle().skip(7).map(rows).next(), Some(2));
        assert_eq!(rows(batches.batch(3).unwrap()), 2);
        let error = batches.batch(4).unwrap_err().to_string();
        assert_eq!(error, "batch of an epoch: expected an index below 4, got 4");
        let whole = batches.drop_last();
        assert_eq!(whole.iter().map(rows).collect::<Vec<_>>(), [6, 6, 6]);
        assert!(whole.batch(3).is_err());
        let none = Batches::new(inputs.view(), Targets::Classes(&labels), 21).unwrap();
        assert!(!none.is_empty() && none.drop_last().is_empty());
    }

    #[test]
    fn what_makes_no_batches_is_refused() {
        let inputs = inputs(3);
        let refused = |inputs, targets, size| {
            Batches::new(inputs, targets, size).map(drop).unwrap_err().to_string()
        };
        let zero = refused(inputs.view(), Targets::Classes(&[0, 1, 2]), 0);
        assert_eq!(zero, "rows of a batch: expected at least one, got 0");
        let few = refused(inputs.view(), Targets::Classes(&[0, 1]), 1);
        assert_eq!(few, "rows of the targets: expected 3, got 2");
        // Rows without columns take no memory.
        let rows = u32::MAX as usize + 1;
        let empty = MatrixView::new(&[], rows, 0).unwrap();
        assert!(
            refused(empty, Targets::Values(empty), 1)
                .contains("rows of a data set: expected at most 4294967295, got 4294967296")
        );
    }
}
