//! A run, which advances step by step.

use std::{path::Path, sync::OnceLock};

use serde::{Deserialize, Serialize};

use super::{
    Epoch, Event, Fit, History, StepDone, Validation, Watched, notes::Notes, settings::Limit,
};
use crate::{
    checkpoint::Writer,
    data::{Batches, Dataset},
    error::{Error, at_most, same_size},
    metrics::{Metric, Metrics},
    nn::Mlp,
    predict::{Workspace, evaluate_with},
    train::{Provenance, Trainer},
};

/// The rows that are evaluated at a time.
const EVALUATED: usize = 256;

/// What ended a run.
///
/// [`EarlyStopping`](super::EarlyStopping) has an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// All epochs or steps are done.
    Complete,
    /// [`EarlyStopping`](super::EarlyStopping).
    EarlyStopping,
    /// The caller.
    Stopped,
}

/// The result of a run.
///
/// [`Fit`] has an example.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fitted {
    /// The network: with early stopping, with the best parameters. With
    /// [`TrainerBuilder::average`](crate::train::TrainerBuilder::average), it is an averaged one.
    pub network: Mlp,
    /// What was measured.
    pub history: History,
    /// The steps that the trainer has done.
    pub steps: u64,
    /// What ended the run.
    pub ending: Ending,
    /// With early stopping, the number of the epoch, from 1, after which the network was this one;
    /// `None` if the run ended before the first validation.
    pub best_epoch: Option<usize>,
}

/// A run that has started. It advances one step per call, so that several runs can take turns, and
/// it can be saved and resumed at any step. A signal such as Ctrl-C is the caller's to catch: between
/// two steps it can save and end the run.
///
/// ```
/// use thinnet::{data::Dataset, prelude::*, train::{Fit, TrainerBuilder}};
///
/// let data = Dataset::new(Matrix::from_rows(&[0.0, 1.0, 0.1, 0.9], 4, 1)?, vec![0, 1, 0, 1])?;
/// let trainer = || -> Result<TrainerBuilder, thinnet::Error> {
///     let mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
///     Ok(Trainer::builder(mlp, Sgd::new(Schedule::constant(1.0)), 2))
/// };
/// let fit = Fit::new(&data).epochs(3);
///
/// let mut run = fit.clone().start(trainer()?.build()?)?;
/// run.advance()?;
/// let checkpoint = run.to_bytes("a note")?;
///
/// let (mut resumed, note) = fit.resume_from_bytes(trainer()?, &checkpoint)?;
/// assert_eq!((resumed.trainer().steps(), note.as_str()), (1, "a note"));
/// for run in [&mut run, &mut resumed] {
///     while run.advance()?.is_some() {}
/// }
/// assert_eq!(run.finish()?.network.digest(), resumed.finish()?.network.digest());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Debug)]
pub struct FitRun<'a> {
    fit: Fit<'a>,
    trainer: Trainer,
    /// For evaluations, if there is a validation set.
    workspace: Option<Workspace>,
    /// The batches of the current epoch.
    batches: Batches<'a>,
    batch: usize,
    metrics: Vec<Metric>,
    /// The steps of the run.
    total: u64,
    state: Notes,
    /// With early stopping, the best parameters so far.
    best: Option<Mlp>,
    /// What a checkpoint says about the data and the settings; made when it is first needed.
    provenance: OnceLock<Provenance>,
}

/// What a checkpoint holds of a run, besides its notes.
pub(super) struct Parts {
    pub trainer: Trainer,
    pub best: Option<Mlp>,
    pub provenance: Provenance,
}

/// [`Event`] without what it borrows.
#[derive(Clone, Copy)]
pub(super) enum Done {
    Step(StepDone),
    Epoch,
}

impl<'a> FitRun<'a> {
    /// A run from the step that the trainer is at.
    pub(super) fn new(fit: Fit<'a>, trainer: Trainer) -> Result<Self, Error> {
        let first_step = trainer.steps();
        Self::with(fit, trainer, Notes { first_step, ..Notes::default() })
    }

    /// The run in a checkpoint, and the caller's notes.
    pub(super) fn resumed(
        fit: Fit<'a>,
        Parts { trainer, best, provenance }: Parts,
        notes: Notes,
        path: Option<&Path>,
    ) -> Result<(Self, String), Error> {
        let mut run = Self::with(fit, trainer, notes)?;
        let numbers = [run.batches.len() as u64, run.total, run.trainer.steps()];
        run.state.check(path, numbers, best.is_some())?;
        run.batches.shuffle(run.fit.seed, run.epochs_done() as u64);
        let own = std::mem::take(&mut run.state.own);
        Ok((Self { best, provenance: provenance.into(), ..run }, own))
    }

    fn with(fit: Fit<'a>, trainer: Trainer, state: Notes) -> Result<Self, Error> {
        let (train, batch) = (fit.train, fit.batch_of(trainer.max_rows()));
        let network = trainer.raw().0;
        ensure_any("rows of the training set", train.rows())?;
        ensure_any("epochs between validations", fit.evaluate_every)?;
        check_data(train, network)?;
        at_most("rows of a batch", trainer.max_rows(), batch)?;
        let batches = train.batches(fit.seed, 0, batch)?;
        let total = match fit.limit {
            Limit::Epochs(epochs) => (batches.len() as u64).saturating_mul(epochs as u64),
            Limit::Steps(steps) => steps,
        };
        ensure_any("epochs or steps of a run", usize::from(total > 0))?;
        let metrics = fit.measured();
        let workspace = match (fit.validation, fit.needs_validation()) {
            (None, None) => None,
            (None, Some(what)) => return Err(Error::NoValidation { what }),
            (Some(rows), _) => {
                check_data(rows, network)?;
                ensure_any("rows of the validation set", rows.rows())?;
                Metrics::new(&metrics, network.loss(), network.outputs())?;
                Some(trainer.predictor().workspace(EVALUATED.min(rows.rows()))?)
            }
        };
        let (best, provenance) = (None, OnceLock::new());
        Ok(Self {
            fit,
            trainer,
            workspace,
            batches,
            batch,
            metrics,
            total,
            state,
            best,
            provenance,
        })
    }

    /// Does one step, or ends the epoch if all its steps are done. Returns what it did, or `None` if
    /// the run is over. Call it inside the thread pool that it should run on.
    ///
    /// # Errors
    /// As for [`Trainer::step`]; at the end of an epoch also as for
    /// [`evaluate_with`](crate::predict::evaluate_with), or if there is not enough memory for the
    /// best parameters.
    pub fn advance(&mut self) -> Result<Option<Event<'_>>, Error> {
        let done = self.advance_one()?;
        Ok(done.and_then(|done| self.event(done)))
    }

    pub(super) fn advance_one(&mut self) -> Result<Option<Done>, Error> {
        if self.is_done() {
            return Ok(None);
        }
        let (of_epoch, done) = (self.batches.len() as u64, self.steps_done());
        let begun = (self.epochs_done() as u64) * of_epoch;
        if done < self.total && done < begun + of_epoch {
            return self.step((done - begun) as usize).map(|step| Some(Done::Step(step)));
        }
        self.end_epoch()?;
        Ok(Some(Done::Epoch))
    }

    /// What was just done, with what it borrows.
    pub(super) fn event(&self, done: Done) -> Option<Event<'_>> {
        match done {
            Done::Step(step) => Some(Event::Step(step)),
            Done::Epoch => self.state.history.last().map(Event::Epoch),
        }
    }

    fn step(&mut self, index: usize) -> Result<StepDone, Error> {
        let (batch, targets) = self.batches.batch(index)?;
        let rows = batch.rows();
        let (loss, weight) = self.trainer.step_weighted(&batch, targets, &mut |_| ())?;
        self.state.losses += f64::from(loss) * weight;
        self.state.weight += weight;
        let (epoch, of_epoch) = (self.epochs_done() + 1, self.batches.len());
        Ok(StepDone { epoch, index, of_epoch, rows, loss })
    }

    /// Ends the epoch, whose steps are done.
    fn end_epoch(&mut self) -> Result<(), Error> {
        let epoch = self.epochs_done() + 1;
        let last = self.steps_done() == self.total;
        let mut done = Epoch {
            epoch,
            steps: self.trainer.steps(),
            learning_rate: self.trainer.updates().rate(self.trainer.steps().saturating_sub(1)),
            train_loss: self.state.losses / self.state.weight,
            validation: None,
        };
        if let Some(rows) = self.fit.validation
            && (last || epoch.is_multiple_of(self.fit.evaluate_every))
        {
            let averaged = self.averaged()?;
            let (measured, undefined) = self.validate(rows, averaged.as_ref())?;
            self.decide(epoch, &measured, undefined, averaged)?;
            done.validation = Some(measured);
        }
        self.state.history.push(done);
        (self.state.losses, self.state.weight) = (0.0, 0.0);
        self.batches.shuffle(self.fit.seed, epoch as u64);
        Ok(())
    }

    /// Measures the network on the validation set, `averaged` if it is given. Also returns why the figure that early stopping
    /// watches is undefined, if it is.
    fn validate(
        &mut self,
        rows: &Dataset,
        averaged: Option<&Mlp>,
    ) -> Result<(Validation, Option<String>), Error> {
        self.trainer.ensure_finite()?;
        let workspace = match &mut self.workspace {
            Some(workspace) => workspace,
            none => none.insert(self.trainer.predictor().workspace(EVALUATED)?),
        };
        let network = self.trainer.raw().0;
        let mut metrics = Metrics::new(&self.metrics, network.loss(), network.outputs())?;
        let found = match averaged {
            Some(mlp) => {
                let predictor = self.trainer.predictor_of(mlp);
                evaluate_with(&predictor, rows, &mut metrics, workspace)?
            }
            None => evaluate_with(&self.trainer.predictor(), rows, &mut metrics, workspace)?,
        };
        let watched = self.fit.early_stopping.map(|stopping| stopping.watched);
        let (mut figures, mut undefined) = (Vec::new(), None);
        for (metric, figure) in metrics.figures() {
            let value = match figure {
                Ok(figure) => Ok(figure.value).and_then(finite),
                Err(Error::UndefinedMetric { reason, .. }) => Err(reason),
                Err(error) => return Err(error),
            };
            if let (Err(reason), true) = (&value, watched == Some(Watched::Metric(metric))) {
                undefined = Some(reason.clone());
            }
            figures.push((metric, value.ok()));
        }
        let undefined_loss = |reason| Error::UndefinedMetric { metric: "loss", reason };
        let loss = finite(found.loss).map_err(undefined_loss)?;
        Ok((Validation { loss, figures }, undefined))
    }

    /// Keeps the parameters, ends the run, or lowers the learning rate, as the figures of an epoch
    /// say.
    fn decide(
        &mut self,
        epoch: usize,
        measured: &Validation,
        undefined: Option<String>,
        averaged: Option<Mlp>,
    ) -> Result<(), Error> {
        if let Some(stopping) = self.fit.early_stopping {
            let (watched, mut best) = (stopping.watched, self.state.early_stopping);
            if best.take(watched, stopping.least_change, watched.of(measured), epoch) {
                self.best = Some(averaged.map_or_else(|| self.trainer.network(), Ok)?);
            }
            self.state.early_stopping = best;
            self.state.undefined = undefined;
            if best.waited >= stopping.patience {
                self.state.ended = Some(Ending::EarlyStopping);
            }
        }
        if let Some(plateau) = self.fit.plateau {
            let (watched, mut best) = (plateau.watched, self.state.plateau);
            best.take(watched, plateau.least_change, watched.of(measured), epoch);
            if best.waited >= plateau.patience {
                self.trainer.scale_learning_rate(plateau.factor)?;
                best.waited = 0;
            }
            self.state.plateau = best;
        }
        Ok(())
    }

    /// The averaged network, if the trainer averages.
    fn averaged(&self) -> Result<Option<Mlp>, Error> {
        let averages = self.trainer.updates().average.is_some();
        averages.then(|| self.trainer.averaged_network()).transpose()
    }

    /// Ends the run where it is. A checkpoint saved afterwards is that of a run that has ended: to
    /// continue it later, save it before.
    pub fn stop(&mut self) {
        if !self.is_done() {
            self.state.ended = Some(Ending::Stopped);
        }
    }

    /// Whether the run is over.
    pub fn is_done(&self) -> bool {
        let of_epoch = self.batches.len() as u64;
        let finished = (self.epochs_done() as u64).saturating_mul(of_epoch);
        self.state.ended.is_some() || finished >= self.total
    }

    /// The trainer.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// The trainer, at the step that the run is at and with the parameters of that step.
    pub fn into_trainer(self) -> Trainer {
        self.trainer
    }

    /// What was measured so far.
    pub fn history(&self) -> &History {
        &self.state.history
    }

    /// With early stopping, the number of the epoch with the best figure so far, from 1.
    pub fn best_epoch(&self) -> Option<usize> {
        self.state.early_stopping.epoch()
    }

    /// The number of steps of the run, if nothing ends it earlier.
    pub fn total_steps(&self) -> u64 {
        self.total
    }

    /// The number of steps of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.batches.len()
    }

    /// Saves a checkpoint, with notes of the caller's own; the file appears either complete or not
    /// at all. The first call computes the digest of the data.
    ///
    /// # Errors
    /// As for [`Trainer::save`].
    pub fn save(&self, path: impl AsRef<Path>, notes: &str) -> Result<(), Error> {
        self.checkpoint(notes)?.save(path.as_ref())
    }

    /// A checkpoint as bytes.
    ///
    /// # Errors
    /// As for [`Trainer::to_bytes`].
    pub fn to_bytes(&self, notes: &str) -> Result<Vec<u8>, Error> {
        self.checkpoint(notes)?.into_bytes()
    }

    fn checkpoint(&self, notes: &str) -> Result<Writer<'_>, Error> {
        let provenance = match self.provenance.get() {
            Some(provenance) => provenance,
            None => {
                let made = self.fit.provenance(self.batch)?;
                self.provenance.get_or_init(|| made)
            }
        };
        let state = Notes { own: notes.to_owned(), ..self.state.clone() };
        self.trainer.checkpoint(provenance, &state.to_text()?, self.best.as_ref())
    }

    /// The result. With early stopping, the network has the best parameters; with
    /// [`TrainerBuilder::average`](crate::train::TrainerBuilder::average), averaged ones.
    ///
    /// # Errors
    /// The parameters are not finite; or there were validations, but the figure that early stopping
    /// watches was undefined or not finite each time.
    pub fn finish(mut self) -> Result<Fitted, Error> {
        let best_epoch = self.best_epoch();
        if let (Some(stopping), None, Some(reason)) =
            (self.fit.early_stopping, best_epoch, &self.state.undefined)
        {
            let metric = match stopping.watched {
                Watched::Loss => "loss",
                Watched::Metric(metric) => metric.name(),
            };
            let reason = format!("{reason}, after each epoch, so no parameters are the best");
            return Err(Error::UndefinedMetric { metric, reason });
        }
        let complete = if self.is_done() { Ending::Complete } else { Ending::Stopped };
        let (steps, ending) = (self.trainer.steps(), self.state.ended.unwrap_or(complete));
        let network = match self.best.take() {
            Some(best) => best,
            None => {
                self.trainer.ensure_finite()?;
                match self.averaged()? {
                    Some(averaged) => averaged,
                    None => self.trainer.into_network(),
                }
            }
        };
        Ok(Fitted { network, history: self.state.history, steps, ending, best_epoch })
    }

    fn epochs_done(&self) -> usize {
        self.state.history.epochs().len()
    }

    /// The steps of the run that are done.
    fn steps_done(&self) -> u64 {
        self.trainer.steps() - self.state.first_step
    }
}

/// Checks that a number is not 0.
fn ensure_any(what: &'static str, number: usize) -> Result<(), Error> {
    if number == 0 { Err(Error::Zero { what, expected: "at least one" }) } else { Ok(()) }
}

/// Checks that rows and targets fit the network.
fn check_data(data: &Dataset, network: &Mlp) -> Result<(), Error> {
    same_size("columns of a data set", network.inputs(), data.inputs().columns())?;
    data.targets().check(network.loss(), network.outputs(), data.rows())
}

/// The figure, or why there is none.
fn finite(figure: f64) -> Result<f64, String> {
    if figure.is_finite() { Ok(figure) } else { Err(format!("it is {figure}")) }
}
