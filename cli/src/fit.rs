//! The training loop that `demo` and `train` share.

use std::{path::Path, time::Instant};

use thinnet::{
    Isa,
    data::{Batches, Dataset},
    predict::{Evaluation, Predictor, Workspace, evaluate},
    train::{Provenance, Trainer, TrainerBuilder},
};

use crate::{
    difference,
    health::Health,
    plan::Plan,
    progress::Progress,
    recipe,
    run_state::{Epoch, RunState},
};

/// The result of a training run.
pub struct Fit {
    /// The trained network.
    pub predictor: Predictor,
    /// Its errors on the test rows.
    pub evaluation: Evaluation,
    /// The learning curves; there is at least one epoch.
    pub curves: Vec<Epoch>,
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

impl Fit {
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
    plan: &'a Plan,
    train: &'a Dataset,
    test: &'a Dataset,
    isa: Isa,
    trainer: Trainer,
    workspace: Workspace,
    state: RunState,
    health: Health<'a>,
    resumed_at_step: Option<u64>,
    /// The batches of the current epoch.
    batches: Batches<'a>,
    /// The time of each step in milliseconds.
    times: Vec<f64>,
    /// The latest evaluation, if this process has made one.
    evaluation: Option<Evaluation>,
}

impl<'a> Fitting<'a> {
    /// Starts a run on `train`, whose error is measured on `test`.
    ///
    /// # Errors
    /// The network cannot be allocated.
    pub fn new(
        plan: &'a Plan,
        train: &'a Dataset,
        test: &'a Dataset,
        isa: Isa,
    ) -> anyhow::Result<Self> {
        let trainer = builder(plan, train, test, isa)?.build()?;
        let state = RunState::new(plan.depth());
        Self::with(plan, train, test, trainer, state)
    }

    /// Resumes the run in the checkpoint `path`.
    ///
    /// # Errors
    /// Those of [`TrainerBuilder::resume`], and notes that such a run did not write.
    pub fn resume(
        plan: &'a Plan,
        train: &'a Dataset,
        test: &'a Dataset,
        isa: Isa,
        (path, settings): (&Path, &Provenance),
    ) -> anyhow::Result<Self> {
        let builder = builder(plan, train, test, isa)?;
        let (trainer, notes) = builder.resume(path, settings).map_err(difference::explain)?;
        let state = RunState::from_notes(&notes, plan.depth(), path)?;
        let (step, of_epoch) = (trainer.steps(), plan.steps_per_epoch(train.rows()));
        let within = state.steps_of_epoch(step, of_epoch);
        let done = state.curves.len();
        anyhow::ensure!(
            within.is_some() && step <= plan.steps(train.rows()),
            "{}: step {step} does not fit {done} finished epochs of {of_epoch} steps: expected a \
             checkpoint that `thinnet train` saved",
            path.display()
        );
        let fitting = Self::with(plan, train, test, trainer, state)?;
        Ok(Self { resumed_at_step: Some(step), ..fitting })
    }

    fn with(
        plan: &'a Plan,
        train: &'a Dataset,
        test: &'a Dataset,
        trainer: Trainer,
        state: RunState,
    ) -> anyhow::Result<Self> {
        let max_tested = recipe::EVALUATION_BATCH.min(test.rows());
        Ok(Self {
            workspace: Predictor::new(trainer.network()?).workspace(max_tested)?,
            isa: trainer.isa(),
            plan,
            train,
            test,
            batches: train.batches(plan.seed, state.curves.len() as u64, plan.batch)?,
            trainer,
            state,
            health: Health::new(plan, train),
            resumed_at_step: None,
            times: Vec::new(),
            evaluation: None,
        })
    }

    /// Trains to the end of the current epoch. Call it inside the thread pool that it should run on.
    ///
    /// # Errors
    /// As [`Self::advance`].
    pub fn epoch(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let done = self.state.curves.len();
        while self.state.curves.len() == done {
            self.advance(progress)?;
        }
        Ok(())
    }

    /// Does one step, or ends the epoch if all its steps are done. Call it inside the thread pool
    /// that it should run on, until [`Self::is_done`].
    ///
    /// # Errors
    /// Those of [`Trainer::step`] and [`evaluate`], with advice if the loss or the parameters are no
    /// longer finite.
    pub fn advance(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let started = Instant::now();
        let of_epoch = self.batches.len();
        let within = self.state.steps_of_epoch(self.trainer.steps(), of_epoch);
        match within.unwrap_or(of_epoch) {
            step if step < of_epoch => self.step(step, progress)?,
            _ => self.end_epoch(progress)?,
        }
        self.state.seconds += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// Whether all epochs are done.
    pub fn is_done(&self) -> bool {
        self.state.curves.len() >= self.plan.epochs
    }

    /// Does step `step` of the current epoch.
    fn step(&mut self, step: usize, progress: &mut Progress) -> anyhow::Result<()> {
        let (plan, epoch) = (self.plan, self.state.curves.len());
        let (steps, (batch, targets)) = (self.batches.len(), self.batches.batch(step)?);
        let rows = batch.rows();
        let clock = Instant::now();
        let loss = self.trainer.step(&batch, targets);
        self.times.push(clock.elapsed().as_secs_f64() * 1e3);
        let loss = loss.map_err(|error| self.health.explain(error))?;
        self.state.losses += f64::from(loss) * rows as f64;
        progress.step(loss);
        let first = (self.trainer.steps() == 1).then(|| self.health.after_first(loss)).flatten();
        let silent = self.health.after((step, steps), rows, || self.trainer.densities().collect());
        for warning in first.into_iter().chain(silent) {
            progress.warn(&warning);
        }
        if epoch + 1 == plan.epochs {
            for (sum, density) in self.state.densities.iter_mut().zip(self.trainer.densities()) {
                *sum += density / steps as f64;
            }
        }
        Ok(())
    }

    /// Adds a point to the learning curves and begins the next epoch.
    fn end_epoch(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let epoch = self.state.curves.len() + 1;
        let last = epoch == self.plan.epochs;
        let mut test_error = None;
        if last || epoch.is_multiple_of(self.plan.evaluate_every) {
            let evaluation = self.evaluate()?;
            test_error = Some(error_rate(&evaluation));
            self.evaluation = Some(evaluation);
        }
        let train_loss = self.state.losses / self.train.rows() as f64;
        let done = Epoch { epoch, train_loss, test_error };
        self.state.losses = 0.0;
        self.state.curves.push(done);
        self.batches.shuffle(self.plan.seed, epoch as u64);
        progress.epoch(&done);
        Ok(())
    }

    /// Evaluates the current network.
    fn evaluate(&mut self) -> anyhow::Result<Evaluation> {
        self.trainer.ensure_finite().map_err(|error| self.health.explain(error))?;
        let predictor = Predictor::new(self.trainer.network()?).with_isa(self.isa)?;
        Ok(evaluate(&predictor, self.test, &mut self.workspace)?)
    }

    /// Returns the trainer, to be saved.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Returns the rest of what a checkpoint contains.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Returns the result, after the last epoch.
    ///
    /// # Errors
    /// Those of [`evaluate`], if the run was resumed after its end.
    pub fn finish(mut self) -> anyhow::Result<Fit> {
        self.times.sort_by(f64::total_cmp);
        let evaluation = match self.evaluation.take() {
            Some(evaluation) => evaluation,
            // The run was resumed after its end.
            None => self.evaluate()?,
        };
        Ok(Fit {
            steps: self.trainer.steps(),
            resumed_at_step: self.resumed_at_step,
            predictor: Predictor::new(self.trainer.into_network()).with_isa(self.isa)?,
            evaluation,
            curves: self.state.curves,
            step_ms: self.times,
            densities: self.state.densities,
            seconds: self.state.seconds,
        })
    }
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
