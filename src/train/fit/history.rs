//! What a run has measured, epoch by epoch.

use serde::{Deserialize, Serialize};

use crate::metrics::Metric;

/// The finished epochs of a run, in order.
///
/// ```
/// use thinnet::{data::Dataset, metrics::Metric, prelude::*, train::Fit};
///
/// let x = Matrix::from_rows(&[0.0, 1.0, 0.1, 0.9], 4, 1)?;
/// let data = Dataset::new(x, vec![0, 1, 0, 1])?;
/// let mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(1.0)), 2).build()?;
/// let fit = Fit::new(&data).validation(&data).metrics(&[Metric::ErrorRate]).epochs(30);
/// let history = fit.run(trainer)?.history;
/// for epoch in history.epochs() {
///     let error = epoch.figure(Metric::ErrorRate);
///     println!("{}: loss {:.3}, error {error:.3?}", epoch.epoch, epoch.train_loss);
/// }
/// assert_eq!(history.epochs().len(), 30);
/// assert_eq!(history.last().and_then(|last| last.figure(Metric::ErrorRate)), Some(0.0));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    epochs: Vec<Epoch>,
}

impl History {
    /// The finished epochs.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// The last finished epoch.
    pub fn last(&self) -> Option<&Epoch> {
        self.epochs.last()
    }

    /// Adds an epoch.
    pub(super) fn push(&mut self, epoch: Epoch) {
        self.epochs.push(epoch);
    }
}

/// What was measured in an epoch.
///
/// [`History`] has an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Epoch {
    /// The number of the epoch, from 1.
    pub epoch: usize,
    /// The steps that the trainer had done at its end.
    pub steps: u64,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// The mean loss of its thinned networks over the rows, sum w L / sum w with the weights of rows and
    /// classes, each before the update that its batch led to.
    pub train_loss: f64,
    /// What was measured on the validation set at its end, if that was due.
    pub validation: Option<Validation>,
}

impl Epoch {
    /// The figure of a metric on the validation set; `None` if it was not measured, or as described
    /// at [`Validation::figures`].
    pub fn figure(&self, metric: Metric) -> Option<f64> {
        let figures = &self.validation.as_ref()?.figures;
        figures.iter().find(|(measured, _)| *measured == metric)?.1
    }
}

/// What was measured on the validation set, with the whole network in place of thinned ones; if
/// parameters are averaged, with the averaged network.
///
/// [`History`] has an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Validation {
    /// The mean loss of the rows.
    pub loss: f64,
    /// The figure of each metric, in the order in which they were given; `None` where a metric is
    /// undefined for these rows (such as a precision without positive answers) or not finite.
    pub figures: Vec<(Metric, Option<f64>)>,
}
