//! Early stopping.

use std::fmt;

use super::{Watched, plateau::checked_change};
use crate::error::Error;

/// Ends a run when a figure of the validation set no longer improves, and keeps the parameters with
/// the best figure.
///
/// The run ends after `patience` validations in a row without a figure that is better than the best
/// so far by more than the least change. A figure that is undefined or not finite is not better than
/// any. If there was none at all by the end, [`FitRun::finish`](super::FitRun::finish) returns an
/// error. This is the rule of Keras's `EarlyStopping` with `restore_best_weights`.
///
/// The best parameters are a copy of the network: 4 bytes per parameter in memory, and as many in a
/// checkpoint, which has 8 bytes per parameter without them with SGD or Adagrad, and 12 with Adam or
/// AdamW.
///
/// With [`TrainerBuilder::average`](crate::train::TrainerBuilder::average), the figure watched is that of
/// the averaged network, and the copy is one of it.
///
/// With max-norm, the figure of the copy can differ from the one watched by rounding: see
/// [`Trainer::predictor`](crate::train::Trainer::predictor).
///
/// ```
/// use thinnet::{data::Dataset, prelude::*, train::{EarlyStopping, Ending, Fit, Watched}};
///
/// let data = Dataset::new(Matrix::from_rows(&[0.0, 1.0, 0.1, 0.9], 4, 1)?, vec![0, 1, 0, 1])?;
/// // The other way round: the better the network learns the data, the worse it does here.
/// let other = Dataset::new(Matrix::from_rows(&[0.0, 1.0], 2, 1)?, vec![1, 0])?;
/// let mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(1.0)), 4).build()?;
/// let stopping = EarlyStopping::new(Watched::Loss, 3)?;
/// let fit = Fit::new(&data).validation(&other).early_stopping(stopping).epochs(100);
/// let fitted = fit.run(trainer)?;
/// assert_eq!((fitted.ending, fitted.best_epoch), (Ending::EarlyStopping, Some(1)));
/// assert_eq!(fitted.history.epochs().len(), 4);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStopping {
    pub(super) watched: Watched,
    pub(super) patience: usize,
    pub(super) least_change: f64,
}

impl EarlyStopping {
    /// Early stopping by the loss or a metric, which is then measured too.
    ///
    /// # Errors
    /// `patience` is 0, or of two figures [neither](crate::metrics::Better::Neither) is better.
    pub fn new(watched: impl Into<Watched>, patience: usize) -> Result<Self, Error> {
        let watched: Watched = watched.into();
        Ok(Self {
            watched: watched.checked()?,
            patience: super::plateau::checked_patience(patience)?,
            least_change: 0.0,
        })
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

/// For example, `roc_auc, patience 5, least change 0.001`.
impl fmt::Display for EarlyStopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { watched, patience, least_change } = self;
        write!(f, "{watched}, patience {patience}, least change {least_change:?}")
    }
}
