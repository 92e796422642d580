//! The state of a run beyond that of its trainer, as a checkpoint holds it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Ending, History, watched::Best};
use crate::error::Error;

/// The state, which is stored as JSON in the notes of the trainer's checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notes {
    /// The steps that the trainer had done before the run.
    pub first_step: u64,
    /// The finished epochs.
    pub history: History,
    /// The sum of the losses over the rows of the current epoch, each times the weight of its row and
    /// class.
    pub losses: f64,
    /// The sum of those weights.
    pub weight: f64,
    /// What early stopping watches.
    pub early_stopping: Best,
    /// What a plateau is looked for in.
    pub plateau: Best,
    /// Why the last figure of early stopping is undefined, if it is.
    pub undefined: Option<String>,
    /// What ended the run before all its steps were done.
    pub ended: Option<Ending>,
    /// The caller's notes.
    pub own: String,
}

/// What a checkpoint says about its run, besides what it says about the trainer.
///
/// ```
/// use thinnet::{checkpoint::Contents, data::Dataset, prelude::*, train::{Fit, SavedFit}};
///
/// let data = Dataset::new(Matrix::from_rows(&[0.0, 1.0, 0.1, 0.9], 4, 1)?, vec![0, 1, 0, 1])?;
/// let mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(1.0)), 2).build()?;
/// let mut run = Fit::new(&data).start(trainer)?;
/// while run.history().epochs().len() < 3 {
///     run.advance()?;
/// }
/// let contents = Contents::from_bytes(&run.to_bytes("a note")?)?;
///
/// let notes = contents.training.unwrap().notes;
/// let saved = SavedFit::from_notes(&notes).unwrap();
/// assert_eq!((saved.history.epochs().len(), saved.notes.as_str()), (3, "a note"));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SavedFit {
    /// The finished epochs.
    pub history: History,
    /// With early stopping, the number of the epoch with the best figure so far, from 1.
    pub best_epoch: Option<usize>,
    /// What ended the run before all its steps were done, if anything did.
    pub ending: Option<Ending>,
    /// The caller's notes.
    pub notes: String,
}

impl SavedFit {
    /// Reads it from the notes of a checkpoint
    /// ([`TrainingState::notes`](crate::checkpoint::TrainingState::notes)); `None` if they are not
    /// those that [`FitRun::save`](super::FitRun::save) writes.
    pub fn from_notes(notes: &str) -> Option<Self> {
        let Notes { history, early_stopping, ended, own, .. } = serde_json::from_str(notes).ok()?;
        let best_epoch = early_stopping.epoch();
        Some(Self { history, best_epoch, ending: ended, notes: own })
    }
}

/// An error about the notes of a file.
fn refused(path: Option<&Path>, reason: &str) -> Error {
    Error::format(path, format!("{reason}: expected a checkpoint that FitRun::save wrote"))
}

impl Notes {
    /// The text.
    pub fn to_text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Metadata { reason: error.to_string() })
    }

    /// Parses the text; `path` names the file in errors.
    pub fn parse(text: &str, path: Option<&Path>) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| {
            let resumes = "TrainerBuilder::resume resumes one that Trainer::save wrote";
            refused(path, &format!("the state of the run cannot be read: {error} ({resumes})"))
        })
    }

    /// Checks what was parsed; `path` names the file in errors. `of_epoch` are the steps of an epoch,
    /// `total` those of the run, `step` those that the trainer has done, and `best` says whether the
    /// checkpoint has best parameters.
    pub fn check(
        &self,
        path: Option<&Path>,
        [of_epoch, total, step]: [u64; 3],
        best: bool,
    ) -> Result<(), Error> {
        let notes = self;
        let refuse = |reason: String| Err(refused(path, &reason));
        let epochs = notes.history.epochs();
        let finished = epochs.len();
        let end_of = |epoch: usize| of_epoch.saturating_mul(epoch as u64).min(total);
        let within = step.checked_sub(notes.first_step).is_some_and(|done| {
            let begun = end_of(finished) < total || done == total;
            begun && (end_of(finished)..=end_of(finished + 1)).contains(&done)
        });
        if !within {
            let first = notes.first_step;
            return refuse(format!(
                "step {step} of a run from step {first} does not fit {finished} finished epochs of \
                 {of_epoch} steps"
            ));
        }
        for (epoch, number) in epochs.iter().zip(1..) {
            let ends = notes.first_step + end_of(number);
            if (epoch.epoch, epoch.steps) != (number, ends) {
                let (found, steps) = (epoch.epoch, epoch.steps);
                return refuse(format!(
                    "epoch {found} at step {steps} in place of epoch {number} at step {ends}"
                ));
            }
        }
        let begun = step - notes.first_step > end_of(finished);
        if begun != (notes.weight > 0.0) || notes.weight < 0.0 {
            let weight = notes.weight;
            return refuse(format!("losses of rows of weight {weight:?} in the epoch"));
        }
        for watched in [notes.early_stopping, notes.plateau] {
            let (best, waited) = (watched.epoch().unwrap_or(0), watched.waited);
            if best > finished || waited > finished {
                return refuse(format!(
                    "a best epoch {best} and {waited} validations since, after {finished} epochs"
                ));
            }
        }
        if best != notes.early_stopping.at.is_some() {
            return refuse("best parameters without their figure, or the reverse".to_owned());
        }
        Ok(())
    }
}
