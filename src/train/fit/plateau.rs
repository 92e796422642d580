//! A lower learning rate where the figures no longer improve.

use std::fmt;

use super::Watched;
use crate::error::Error;

/// Lowers the learning rate when a figure of the validation set no longer improves.
///
/// After `patience` validations in a row without a figure that is better than the best so far by
/// more than the least change, the learning rates of all further steps are multiplied by a factor
/// ([`Trainer::scale_learning_rate`](crate::train::Trainer::scale_learning_rate)), and counting
/// starts again; the best figure stays. A figure that is undefined or not finite is not better than
/// any. This is the rule of Keras's `ReduceLROnPlateau`; PyTorch's waits for one validation more.
///
/// ```
/// use thinnet::{data::Dataset, prelude::*, train::{Fit, Plateau, Watched}};
///
/// let data = Dataset::new(Matrix::from_rows(&[0.0, 1.0, 0.1, 0.9], 4, 1)?, vec![0, 1, 0, 1])?;
/// let other = Dataset::new(Matrix::from_rows(&[0.0, 1.0], 2, 1)?, vec![1, 0])?;
/// let mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.8)), 4).build()?;
/// let plateau = Plateau::new(Watched::Loss, 2, 0.5)?;
/// let fitted = Fit::new(&data).validation(&other).plateau(plateau).epochs(6).run(trainer)?;
/// let rates = fitted.history.epochs().iter().map(|epoch| epoch.learning_rate);
/// assert_eq!(rates.collect::<Vec<_>>(), [0.8, 0.8, 0.8, 0.4, 0.4, 0.2]);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    pub(super) watched: Watched,
    pub(super) patience: usize,
    pub(super) factor: f64,
    pub(super) least_change: f64,
}

impl Plateau {
    /// Multiplies the learning rate by `factor` where the loss or a metric, which is then measured
    /// too, does not improve for `patience` validations.
    ///
    /// # Errors
    /// `patience` is 0, `factor` is not above 0 and below 1, or of two figures
    /// [neither](crate::metrics::Better::Neither) is better.
    pub fn new(watched: impl Into<Watched>, patience: usize, factor: f64) -> Result<Self, Error> {
        if !(factor > 0.0 && factor < 1.0) {
            let (what, expected) = ("factor of the learning rate", "a number above 0 and below 1");
            return Err(Error::OutOfRange { what, value: factor, expected });
        }
        let patience = checked_patience(patience)?;
        let watched: Watched = watched.into();
        Ok(Self { watched: watched.checked()?, patience, factor, least_change: 0.0 })
    }

    /// Sets by how much a figure has to be better than the best so far, in its own unit: 0 by
    /// default, where any improvement counts.
    ///
    /// # Errors
    /// It is negative, NaN or infinite.
    pub fn least_change(self, least_change: f64) -> Result<Self, Error> {
        Ok(Self { least_change: checked_change(least_change)?, ..self })
    }
}

/// For example, `loss, patience 5, factor 0.1, least change 0.0`.
impl fmt::Display for Plateau {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { watched, patience, factor, least_change } = self;
        write!(
            f,
            "{watched}, patience {patience}, factor {factor:?}, least change {least_change:?}"
        )
    }
}

pub(super) fn checked_patience(patience: usize) -> Result<usize, Error> {
    if patience == 0 {
        let expected = "at least one validation without improvement";
        return Err(Error::Zero { what: "patience", expected });
    }
    Ok(patience)
}

pub(super) fn checked_change(change: f64) -> Result<f64, Error> {
    if !(change.is_finite() && change >= 0.0) {
        let (what, expected) = ("least change of a figure", "a finite number of at least 0");
        return Err(Error::OutOfRange { what, value: change, expected });
    }
    Ok(change)
}
