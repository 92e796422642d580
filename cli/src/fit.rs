//! The training run that `demo` and `train` share: the library's [`Fit`] with this program's settings,
//! warnings and progress.

use std::{path::Path, time::Instant};

use thinnet::{
    Isa,
    data::Dataset,
    metrics::Metrics,
    predict::{Evaluation, Predictor, evaluate_with},
    train::{Ending, Event, Fit, FitRun, Provenance, StepDone, Trainer, TrainerBuilder},
};

use crate::{
    curves::Point, difference, health::Health, loss, measured::Measured, notes::Notes, plan::Plan,
    progress::Progress, recipe,
};

/// The rows of a run.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Those that it trains on.
    pub train: &'a Dataset,
    /// Those that are measured after each epoch, if they are not the test rows.
    pub validation: Option<&'a Dataset>,
    /// Those that the trained network is measured on.
    pub test: &'a Dataset,
}

/// The result of a training run.
pub struct Trained {
    /// The trained network.
    pub predictor: Predictor,
    /// Its errors on the test rows.
    pub evaluation: Evaluation,
    /// Its other metrics on them; unless they have classes, the headline of the loss comes first.
    pub metrics: Vec<(String, Measured)>,
    /// What ended the run.
    pub ending: Ending,
    /// With early stopping, the number of the epoch that the network is of, from 1.
    pub best_epoch: Option<usize>,
    /// The learning curves; there is at least one epoch.
    pub curves: Vec<Point>,
    /// Updates done.
    pub steps: u64,
    /// The step at which this process resumed the run, if it did.
    pub resumed_at_step: Option<u64>,
    /// The time of each of this process's steps in milliseconds, ascending.
    pub step_ms: Vec<f64>,
    /// The active fraction of each layer's inputs, averaged over the steps of the last epoch.
    pub densities: Vec<f64>,
    /// The time of training and evaluation in seconds.
    pub seconds: f64,
}

impl Trained {
    /// Returns the median time of this process's steps in milliseconds, if it did any.
    pub fn step_ms_median(&self) -> Option<f64> {
        self.step_ms.get(self.step_ms.len() / 2).copied()
    }
}

/// Returns the fraction of rows that are wrong, of rows that have classes, and no weights.
pub fn error_rate(evaluation: &Evaluation) -> f64 {
    evaluation.wrong.len() as f64 / evaluation.rows as f64
}

/// A training run. It advances by one step per call, so that several runs can take turns, and a run
/// can be saved and resumed at any step.
pub struct Fitting<'a> {
    plan: &'a Plan,
    rows: Rows<'a>,
    isa: Isa,
    run: FitRun<'a>,
    notes: Notes,
    health: Health<'a>,
    resumed_at_step: Option<u64>,
    /// The time of each step in milliseconds.
    times: Vec<f64>,
}

impl<'a> Fitting<'a> {
    /// Starts a run. `settings` are those that must be the same when it is resumed, besides the
    /// plan's.
    ///
    /// # Errors
    /// The network cannot be allocated, or does not have a metric that is wanted.
    pub fn new(
        plan: &'a Plan,
        rows: Rows<'a>,
        isa: Isa,
        settings: Provenance,
    ) -> anyhow::Result<Self> {
        let trainer = builder(plan, rows.train, rows.test, isa)?.build()?;
        let fit = loop_of(plan, rows, settings)?;
        let (run, notes) = (fit.start(trainer)?, Notes::new(plan.depth()));
        Ok(Self::with(plan, rows, isa, run, notes))
    }

    /// Resumes the run in the checkpoint `path`.
    ///
    /// # Errors
    /// Those of [`Fit::resume`], and notes that such a run did not write.
    pub fn resume(
        plan: &'a Plan,
        rows: Rows<'a>,
        isa: Isa,
        (path, settings): (&Path, Provenance),
    ) -> anyhow::Result<Self> {
        let builder = builder(plan, rows.train, rows.test, isa)?;
        let measured = if rows.validation.is_some() { "validation" } else { "test" };
        let explain = |error| difference::explain(error, measured);
        let fit = loop_of(plan, rows, settings)?;
        let (run, notes) = fit.resume(builder, path).map_err(explain)?;
        let numbers = [plan.depth(), run.history().epochs().len()];
        let notes = Notes::parse(&notes, numbers, path)?;
        let resumed_at_step = Some(run.trainer().steps());
        Ok(Self { resumed_at_step, ..Self::with(plan, rows, isa, run, notes) })
    }

    fn with(plan: &'a Plan, rows: Rows<'a>, isa: Isa, run: FitRun<'a>, notes: Notes) -> Self {
        let health = Health::new(plan, rows.train);
        Self { plan, rows, isa, run, notes, health, resumed_at_step: None, times: Vec::new() }
    }

    /// Trains to the end of the current epoch. Call it inside the thread pool that it should run on.
    ///
    /// # Errors
    /// As [`Self::advance`].
    pub fn epoch(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let done = self.run.history().epochs().len();
        while !self.is_done() && self.run.history().epochs().len() == done {
            self.advance(progress)?;
        }
        Ok(())
    }

    /// Does one step, or ends the epoch if all its steps are done. Call it inside the thread pool
    /// that it should run on, until [`Self::is_done`].
    ///
    /// # Errors
    /// Those of [`FitRun::advance`], with advice if the loss or the parameters are no longer finite.
    pub fn advance(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let started = Instant::now();
        let event = self.run.advance().map_err(|error| self.health.explain(error))?;
        let seconds = started.elapsed().as_secs_f64();
        self.notes.seconds += seconds;
        match event {
            Some(Event::Step(done)) => self.after_step(done, seconds, progress),
            Some(Event::Epoch(done)) => {
                self.notes.ends.push(self.notes.seconds);
                let done = done.clone();
                progress.epoch(&done, self.run.is_done());
            }
            _ => {}
        }
        Ok(())
    }

    /// Shows a step that took so many seconds, and warns of problems.
    fn after_step(&mut self, done: StepDone, seconds: f64, progress: &mut Progress) {
        let (trainer, StepDone { index, of_epoch, rows, loss, .. }) = (self.run.trainer(), done);
        self.times.push(seconds * 1e3);
        progress.step(loss);
        let first = (trainer.steps() == 1).then(|| self.health.after_first(loss)).flatten();
        let densities = || trainer.densities().collect();
        let silent = self.health.after((index, of_epoch), rows, densities);
        for warning in first.into_iter().chain(silent) {
            progress.warn(&warning);
        }
        self.notes.add_step((index, of_epoch), trainer.densities());
    }

    /// Whether the run is over.
    pub fn is_done(&self) -> bool {
        self.run.is_done()
    }

    /// Returns the number of steps done.
    pub fn steps(&self) -> u64 {
        self.run.trainer().steps()
    }

    /// Returns the learning curves so far.
    pub fn curves(&self) -> Vec<Point> {
        let has_validation = self.rows.validation.is_some();
        let epochs = self.run.history().epochs().iter();
        epochs.map(|epoch| Point::of(epoch, has_validation)).collect()
    }

    /// Returns the time in seconds at the end of each finished epoch.
    pub fn ends(&self) -> &[f64] {
        &self.notes.ends
    }

    /// Returns the run, to be saved with the notes.
    pub fn run(&self) -> &FitRun<'a> {
        &self.run
    }

    /// Returns the notes of a checkpoint.
    ///
    /// # Errors
    /// Those of [`Notes::to_text`].
    pub fn notes(&self) -> anyhow::Result<String> {
        self.notes.to_text()
    }

    /// Returns the result, after the last epoch.
    ///
    /// # Errors
    /// Those of [`FitRun::finish`] and [`evaluate_with`], with advice as in [`Self::advance`].
    pub fn finish(mut self) -> anyhow::Result<Trained> {
        let started = Instant::now();
        self.times.sort_by(f64::total_cmp);
        let curves = self.curves();
        let mut fitted = self.run.finish().map_err(|error| self.health.explain(error))?;
        fitted.network.set_notes(&self.plan.notes)?;
        let (loss, outputs) = (fitted.network.loss(), fitted.network.outputs());
        let mut metrics = Metrics::new(&self.plan.watch.at_the_end(loss, outputs), loss, outputs)?;
        let predictor = Predictor::new(fitted.network).with_isa(self.isa)?;
        let test = self.rows.test;
        let mut workspace = predictor.workspace(recipe::EVALUATION_BATCH.min(test.rows()))?;
        let evaluation = evaluate_with(&predictor, test, &mut metrics, &mut workspace)?;
        Ok(Trained {
            predictor,
            evaluation,
            metrics: Measured::all(&metrics)?,
            ending: fitted.ending,
            best_epoch: fitted.best_epoch,
            curves,
            steps: fitted.steps,
            resumed_at_step: self.resumed_at_step,
            step_ms: self.times,
            densities: self.notes.densities,
            seconds: self.notes.seconds + started.elapsed().as_secs_f64(),
        })
    }
}

/// Returns the loop of a plan.
fn loop_of<'a>(plan: &Plan, rows: Rows<'a>, settings: Provenance) -> anyhow::Result<Fit<'a>> {
    let watch = &plan.watch;
    let mut fit = Fit::new(rows.train)
        .validation(rows.validation.unwrap_or(rows.test))
        .metrics(&watch.measured(plan.loss))
        .evaluate_every(plan.evaluate_every)
        .epochs(plan.epochs)
        .shuffle_seed(plan.seed)
        .settings(settings);
    if let Some(stopping) = watch.early_stopping {
        fit = fit.early_stopping(stopping.setting()?);
    }
    if let Some(plateau) = watch.plateau {
        fit = fit.plateau(plateau.setting()?);
    }
    Ok(fit)
}

/// Returns the builder of a plan's trainer.
fn builder(
    plan: &Plan,
    train: &Dataset,
    test: &Dataset,
    isa: Isa,
) -> anyhow::Result<TrainerBuilder> {
    let (rows, outputs) = (train.rows(), loss::outputs(plan.loss, train, test));
    let mlp = plan.network(train.inputs().columns(), outputs)?;
    plan.watch.check(mlp.loss(), mlp.outputs())?;
    let mut trainer = Trainer::builder(mlp, plan.optimiser(rows), plan.batch.min(rows));
    if let Some(max_norm) = plan.max_norm {
        trainer = trainer.max_norm(max_norm);
    }
    trainer = plan.objective.apply(trainer, train, outputs)?;
    Ok(trainer.seed(plan.seed).with_isa(isa)?)
}
