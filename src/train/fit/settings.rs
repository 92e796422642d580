//! The settings of a run.

use std::{collections::BTreeSet, ops::ControlFlow, path::Path};

use super::{EarlyStopping, Event, FitRun, Fitted, Plateau, Watched, notes::Notes, run::Parts};
use crate::{
    checkpoint::Reader,
    data::Dataset,
    error::Error,
    metrics::Metric,
    train::{Provenance, Trainer, TrainerBuilder},
};

/// When a run ends, if nothing ends it earlier.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    Epochs(usize),
    Steps(u64),
}

/// The settings of a run: trains on the rows of a data set, epoch by epoch, each in an order of its
/// own, and measures loss and metrics on a validation set.
///
/// [`Self::run`] does all of it. [`Self::run_with`] also calls a function after each step and each
/// epoch, which can end the run. [`Self::start`] returns a [`FitRun`], which advances step by step
/// and can be saved; [`Self::resume`] continues one. A run is what a loop over
/// [`Dataset::batches`] and [`Trainer::step`] does, with the same bits.
///
/// ```
/// use thinnet::{data::Dataset, metrics::Metric, prelude::*, train::{EarlyStopping, Fit}};
///
/// // A grid of 20 × 20 points between -1 and 1. Class 1 is the inside of a circle.
/// let (mut points, mut classes) = (Vec::new(), Vec::new());
/// for i in 0..400 {
///     let [x, y] = [i % 20, i / 20].map(|step| step as f32 / 9.5 - 1.0);
///     points.extend([x, y]);
///     classes.push(u32::from(x * x + y * y < 0.5));
/// }
/// let data = Dataset::new(Matrix::from_rows(&points, 400, 2)?, classes)?;
/// let (train, validation) = data.hold_out(100, 1)?;
///
/// let mlp = Mlp::builder(2).hidden(64, Activation::Relu, Keep::new(0.9)?);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let sgd = Sgd::new(Schedule::constant(0.1)).momentum(Schedule::constant(0.9));
/// let trainer = Trainer::builder(mlp, sgd, 32).build()?; // batches of up to 32 rows
/// let fitted = Fit::new(&train)
///     .validation(&validation)
///     .metrics(&[Metric::ErrorRate])
///     .early_stopping(EarlyStopping::new(Metric::RocAuc, 10)?)
///     .epochs(100)
///     .run(trainer)?;
/// let best = fitted.best_epoch.map(|epoch| &fitted.history.epochs()[epoch - 1]);
/// assert!(best.and_then(|best| best.figure(Metric::RocAuc)) > Some(0.95));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    pub(super) train: &'a Dataset,
    pub(super) validation: Option<&'a Dataset>,
    pub(super) limit: Limit,
    batch: Option<usize>,
    pub(super) seed: u64,
    pub(super) evaluate_every: usize,
    metrics: Vec<Metric>,
    settings: Provenance,
    pub(super) early_stopping: Option<EarlyStopping>,
    pub(super) plateau: Option<Plateau>,
}

impl<'a> Fit<'a> {
    /// Trains on these rows: by default for 10 epochs, in batches as large as the trainer takes.
    pub fn new(train: &'a Dataset) -> Self {
        Self {
            train,
            validation: None,
            limit: Limit::Epochs(10),
            batch: None,
            seed: 0,
            evaluate_every: 1,
            metrics: Vec::new(),
            settings: Provenance::new(),
            early_stopping: None,
            plateau: None,
        }
    }

    /// Measures the loss on these rows at the end of each epoch, with the whole network where it is
    /// ([`Trainer::predictor`]). [`Dataset::hold_out`] chooses such rows at random.
    ///
    /// With [`TrainerBuilder::average`] it is the averaged network ([`Trainer::averaged_network`]) that
    /// is measured, that [`EarlyStopping`] watches and keeps, and that the run ends with. It is a copy,
    /// made for each validation.
    #[must_use]
    pub fn validation(self, validation: &'a Dataset) -> Self {
        Self { validation: Some(validation), ..self }
    }

    /// Validates after every so many epochs, and always after the last.
    #[must_use]
    pub fn evaluate_every(self, epochs: usize) -> Self {
        Self { evaluate_every: epochs, ..self }
    }

    /// Sets the number of epochs, passes over all rows.
    #[must_use]
    pub fn epochs(self, epochs: usize) -> Self {
        Self { limit: Limit::Epochs(epochs), ..self }
    }

    /// Sets the number of steps, instead of that of epochs. The last epoch can then be a part of
    /// one.
    #[must_use]
    pub fn steps(self, steps: u64) -> Self {
        Self { limit: Limit::Steps(steps), ..self }
    }

    /// Sets the rows of a batch, at most those that the trainer was built for. The last batch of an
    /// epoch has the remaining rows.
    #[must_use]
    pub fn batch(self, rows: usize) -> Self {
        Self { batch: Some(rows), ..self }
    }

    /// Sets the seed of the orders of the rows, 0 by default: see [`crate::data::epoch_order`].
    #[must_use]
    pub fn shuffle_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Sets the metrics that are measured on the validation set besides the loss.
    #[must_use]
    pub fn metrics(self, metrics: &[Metric]) -> Self {
        Self { metrics: metrics.to_vec(), ..self }
    }

    /// Ends the run when a figure of the validation set no longer improves.
    #[must_use]
    pub fn early_stopping(self, early_stopping: EarlyStopping) -> Self {
        Self { early_stopping: Some(early_stopping), ..self }
    }

    /// Lowers the learning rate when a figure of the validation set no longer improves.
    #[must_use]
    pub fn plateau(self, plateau: Plateau) -> Self {
        Self { plateau: Some(plateau), ..self }
    }

    /// Adds settings of your own that must be the same when the run is resumed, such as how the
    /// data was prepared.
    #[must_use]
    pub fn settings(self, settings: Provenance) -> Self {
        Self { settings, ..self }
    }

    /// Trains to the end. Call it inside the thread pool that it should run on.
    ///
    /// # Errors
    /// As for [`Self::start`], [`FitRun::advance`] and [`FitRun::finish`].
    pub fn run(self, trainer: Trainer) -> Result<Fitted, Error> {
        self.run_with(trainer, |_, _| ControlFlow::Continue(()))
    }

    /// Like [`Self::run`], but calls `progress` after each step and at the end of each epoch, with
    /// the run and what it has just done. The run ends there if it returns `Break`.
    ///
    /// ```
    /// use std::{ops::ControlFlow, time::{Duration, Instant}};
    ///
    /// use thinnet::{data::Dataset, prelude::*, train::{Event, Fit}};
    ///
    /// let data = Dataset::new(Matrix::from_rows(&[0.0, 1.0, 0.1, 0.9], 4, 1)?, vec![0, 1, 0, 1])?;
    /// let mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(1.0)), 2).build()?;
    /// let started = Instant::now();
    /// let fitted = Fit::new(&data).epochs(1_000_000).run_with(trainer, |run, event| {
    ///     if let Event::Epoch(done) = event {
    ///         println!("epoch {}, loss {:.4}", done.epoch, done.train_loss);
    ///     }
    ///     let is_late = started.elapsed() > Duration::from_millis(20);
    ///     if is_late { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    /// })?;
    /// assert!(fitted.steps < 2_000_000);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub fn run_with(
        self,
        trainer: Trainer,
        mut progress: impl FnMut(&FitRun<'_>, Event<'_>) -> ControlFlow<()>,
    ) -> Result<Fitted, Error> {
        let mut run = self.start(trainer)?;
        while let Some(done) = run.advance_one()? {
            let event = run.event(done);
            if event.is_some_and(|event| progress(&run, event).is_break()) {
                run.stop();
            }
        }
        run.finish()
    }

    /// Starts a run of this trainer, which goes on from the step that it is at.
    ///
    /// # Errors
    /// There are no rows; the number of epochs, steps, rows of a batch or epochs between validations
    /// is 0; a batch has more rows than the trainer was built for; rows or targets do not fit the
    /// network; metrics, early stopping or a plateau are given without a validation set, or a metric
    /// does not fit the loss; there is not enough memory.
    pub fn start(self, trainer: Trainer) -> Result<FitRun<'a>, Error> {
        FitRun::new(self, trainer)
    }

    /// Resumes a run from the checkpoint that [`FitRun::save`] wrote. It continues as if it had not
    /// been interrupted, bit for bit. Also returns the caller's notes.
    ///
    /// # Errors
    /// As for [`TrainerBuilder::resume`] and [`Self::start`]; the data or the settings of the loop
    /// are not those of the saved run.
    pub fn resume(
        self,
        trainer: TrainerBuilder,
        path: impl AsRef<Path>,
    ) -> Result<(FitRun<'a>, String), Error> {
        self.resume_from(trainer, Reader::open(path.as_ref())?)
    }

    /// Like [`Self::resume`], but from the bytes of a file.
    ///
    /// # Errors
    /// As for [`Self::resume`].
    pub fn resume_from_bytes(
        self,
        trainer: TrainerBuilder,
        bytes: &[u8],
    ) -> Result<(FitRun<'a>, String), Error> {
        self.resume_from(trainer, Reader::of_bytes(bytes)?)
    }

    fn resume_from(
        self,
        trainer: TrainerBuilder,
        file: Reader<'_>,
    ) -> Result<(FitRun<'a>, String), Error> {
        let path = file.path().map(Path::to_owned);
        let provenance = self.provenance(self.batch_of(trainer.max_rows()))?;
        // First of all, because the settings of another file differ in many ways.
        let parse = |notes: &str| Notes::parse(notes, path.as_deref());
        let (trainer, notes, best) = trainer.resume_from(file, &provenance, parse)?;
        FitRun::resumed(self, Parts { trainer, best, provenance }, notes, path.as_deref())
    }

    /// The rows of a batch, with a trainer for so many rows.
    pub(super) fn batch_of(&self, max_rows: usize) -> usize {
        self.batch.unwrap_or(max_rows).min(self.train.rows().max(1))
    }

    /// The metrics to measure: those that were asked for, and those that are watched.
    pub(super) fn measured(&self) -> Vec<Metric> {
        let stopping = self.early_stopping.map(|stopping| stopping.watched);
        let watched = stopping.into_iter().chain(self.plateau.map(|plateau| plateau.watched));
        let mut metrics = self.metrics.clone();
        for watched in watched {
            if let Watched::Metric(metric) = watched
                && !metrics.contains(&metric)
            {
                metrics.push(metric);
            }
        }
        metrics
    }

    /// What needs a validation set, if anything does.
    pub(super) fn needs_validation(&self) -> Option<&'static str> {
        let stopping = self.early_stopping.map(|_| "early stopping");
        let metrics = (!self.metrics.is_empty()).then_some("metrics");
        stopping.or(self.plateau.map(|_| "a plateau")).or(metrics)
    }

    /// Names and values of all settings that must be the same when the run is resumed.
    pub(super) fn provenance(&self, batch: usize) -> Result<Provenance, Error> {
        let mut settings = self.settings.clone();
        let metrics: Vec<_> = self.metrics.iter().map(Metric::to_string).collect();
        let (limit, number) = match self.limit {
            Limit::Epochs(epochs) => ("epochs", epochs as u64),
            Limit::Steps(steps) => ("steps", steps),
        };
        let own = [
            ("batch", Some(batch.to_string())),
            (limit, Some(number.to_string())),
            ("epochs between validations", Some(self.evaluate_every.to_string())),
            ("shuffling seed", Some(self.seed.to_string())),
            ("metrics", (!metrics.is_empty()).then(|| metrics.join(", "))),
            ("early stopping", self.early_stopping.map(|stopping| stopping.to_string())),
            ("plateau", self.plateau.map(|plateau| plateau.to_string())),
            ("data for training (SHA-256)", Some(self.train.fingerprint())),
            ("data for validation (SHA-256)", self.validation.map(Dataset::fingerprint)),
        ];
        let reserved: BTreeSet<_> = own.iter().map(|(name, _)| *name).collect();
        if let Some(name) = settings.keys().find(|name| reserved.contains(name.as_str())) {
            return Err(Error::ReservedName { name: name.clone() });
        }
        let set = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        settings.extend(set);
        Ok(settings)
    }
}
