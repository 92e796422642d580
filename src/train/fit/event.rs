//! What a run has just done.

use super::Epoch;

/// What a call of [`FitRun::advance`](super::FitRun::advance) has done.
///
/// ```
/// use thinnet::{data::Dataset, prelude::*, train::{Event, Fit}};
///
/// let data = Dataset::new(Matrix::zeroed(5, 3)?, vec![0, 1, 0, 1, 0])?;
/// let mlp = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 2).build()?;
/// let mut run = Fit::new(&data).start(trainer)?;
/// let Some(Event::Step(first)) = run.advance()? else { unreachable!("an epoch begins with a step") };
/// assert_eq!((first.epoch, first.index, first.of_epoch, first.rows), (1, 0, 3, 2));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'r> {
    /// A step.
    Step(StepDone),
    /// The end of an epoch, with its validation.
    Epoch(&'r Epoch),
}

/// A step that was done.
///
/// [`Event`] has an example.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepDone {
    /// The number of the epoch, from 1.
    pub epoch: usize,
    /// The number of the step in the epoch, from 0.
    pub index: usize,
    /// The number of steps of an epoch.
    pub of_epoch: usize,
    /// The number of rows of the batch.
    pub rows: usize,
    /// The mean loss of the batch, before the update.
    pub loss: f32,
}
