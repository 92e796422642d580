//! The training run that `demo` and `train` share: the library's [`Fit`] with this program's settings,
//! warnings and progress.

use std::{path::Path, time::Instant};

use thinnet::{
    Isa,
    data::Dataset,
    metrics::Metric,
    predict::{Evaluation, Predictor, evaluate},
    train::{Event, Fit, FitRun, Provenance, StepDone, Trainer, TrainerBuilder},
};

use crate::{
    curves::Point, difference, health::Health, notes::Notes, plan::Plan, progress::Progress, recipe,
};

/// The result of a training run.
pub struct Trained {
    /// The trained network.
    pub predictor: Predictor,
    /// Its errors on the test rows.
    pub evaluation: Evaluation,
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

/// Returns the fraction of rows that are wrong. The command's rows have classes, and no weights.
pub fn error_rate(evaluation: &Evaluation) -> f64 {
    evaluation.wrong.len() as f64 / evaluation.rows as f64
}

/// A training run. It advances by one step per call, so that several runs can take turns, and a run
/// can be saved and resumed at any step.
pub struct Fitting<'a> {
    test: &'a Dataset,
    isa: Isa,
    run: FitRun<'a>,
    notes: Notes,
    health: Health<'a>,
    resumed_at_step: Option<u64>,
    /// The time of each step in milliseconds.
    times: Vec<f64>,
}

impl<'a> Fitting<'a> {
    /// Starts a run on `train`, whose error is measured on `test`. `settings` are those that must be
    /// the same when it is resumed, besides the plan's.
    ///
    /// # Errors
    /// The network cannot be allocated.
    pub fn new(
        plan: &'a Plan,
        train: &'a Dataset,
        test: &'a Dataset,
        isa: Isa,
        settings: Provenance,
    ) -> anyhow::Result<Self> {
        let trainer = builder(plan, train, test, isa)?.build()?;
        let run = loop_of(plan, train, test, settings).start(trainer)?;
        Ok(Self {
            test,
            isa,
            run,
            notes: Notes::new(plan.depth()),
            health: Health::new(plan, train),
            resumed_at_step: None,
            times: Vec::new(),
        })
    }

    /// Resumes the run in the checkpoint `path`.
    ///
    /// # Errors
    /// Those of [`Fit::resume`], and notes that such a run did not write.
    pub fn resume(
        plan: &'a Plan,
        train: &'a Dataset,
        test: &'a Dataset,
        isa: Isa,
        (path, settings): (&Path, Provenance),
    ) -> anyhow::Result<Self> {
        let builder = builder(plan, train, test, isa)?;
        let fit = loop_of(plan, train, test, settings);
        let (run, notes) = fit.resume(builder, path).map_err(difference::explain)?;
        let notes = Notes::parse(&notes, plan.depth(), path)?;
        let (resumed_at_step, health) = (Some(run.trainer().steps()), Health::new(plan, train));
        Ok(Self { test, isa, run, notes, health, resumed_at_step, times: Vec::new() })
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
            Some(Event::Epoch(done)) => progress.epoch(done),
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
    /// Those of [`FitRun::finish`] and [`evaluate`], with advice as in [`Self::advance`].
    pub fn finish(mut self) -> anyhow::Result<Trained> {
        let started = Instant::now();
        self.times.sort_by(f64::total_cmp);
        let fitted = self.run.finish().map_err(|error| self.health.explain(error))?;
        let predictor = Predictor::new(fitted.network).with_isa(self.isa)?;
        let max_rows = recipe::EVALUATION_BATCH.min(self.test.rows());
        let evaluation = evaluate(&predictor, self.test, &mut predictor.workspace(max_rows)?)?;
        Ok(Trained {
            predictor,
            evaluation,
            curves: fitted.history.epochs().iter().map(Point::of).collect(),
            steps: fitted.steps,
            resumed_at_step: self.resumed_at_step,
            step_ms: self.times,
            densities: self.notes.densities,
            seconds: self.notes.seconds + started.elapsed().as_secs_f64(),
        })
    }
}

/// Returns the loop of a plan.
fn loop_of<'a>(
    plan: &Plan,
    train: &'a Dataset,
    test: &'a Dataset,
    settings: Provenance,
) -> Fit<'a> {
    Fit::new(train)
        .validation(test)
        .metrics(&[Metric::ErrorRate])
        .evaluate_every(plan.evaluate_every)
        .epochs(plan.epochs)
        .shuffle_seed(plan.seed)
        .settings(settings)
}

/// Returns the builder of a plan's trainer.
fn builder(
    plan: &Plan,
    train: &Dataset,
    test: &Dataset,
    isa: Isa,
) -> anyhow::Result<TrainerBuilder> {
    let rows = train.rows();
    let mlp = plan.network(train.inputs().columns(), train.classes().max(test.classes()))?;
    let mut trainer = Trainer::builder(mlp, plan.optimiser(rows), plan.batch.min(rows));
    if let Some(max_norm) = plan.max_norm {
        trainer = trainer.max_norm(max_norm);
    }
    Ok(trainer.seed(plan.seed).with_isa(isa)?)
}
