//! The training loop that `demo` and `train` share.

use std::time::Instant;

use serde::Serialize;
use thinnet::{
    Error, Isa,
    data::{Batch, Dataset, shuffle},
    nn::Targets,
    predict::{Evaluation, Predictor, Workspace, evaluate},
    train::Trainer,
};

use crate::{plan::Plan, progress::Progress, recipe};

/// A point of the learning curves.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Mean loss of its thinned networks.
    pub train_loss: f64,
    /// Part of the test rows that are wrong after it, where that was measured.
    pub test_error: Option<f64>,
}

/// What came out.
pub struct Fit {
    /// The trained network.
    pub predictor: Predictor,
    /// Its errors on the test rows.
    pub evaluation: Evaluation,
    /// The learning curves; there is at least one epoch.
    pub curves: Vec<Epoch>,
    /// Updates done.
    pub steps: u64,
    /// Milliseconds of the fastest step.
    pub step_ms_min: f64,
    /// Milliseconds of the median step.
    pub step_ms_median: f64,
    /// Active part of each layer's inputs, averaged over the last epoch's steps.
    pub densities: Vec<f64>,
    /// Seconds that all of it took.
    pub seconds: f64,
}

/// A training on its way, an epoch a call, so that several can take turns.
pub struct Fitting<'a> {
    plan: &'a Plan,
    train: &'a Dataset,
    test: &'a Dataset,
    isa: Isa,
    trainer: Trainer,
    workspace: Workspace,
    /// The rows in this epoch's order.
    order: Vec<u32>,
    /// The classes of a batch.
    classes: Vec<u32>,
    /// Milliseconds of each step.
    times: Vec<f64>,
    densities: Vec<f64>,
    curves: Vec<Epoch>,
    evaluation: Evaluation,
    seconds: f64,
}

impl<'a> Fitting<'a> {
    /// Before the first epoch of a training on `train`, whose error is measured
    /// on `test`.
    ///
    /// # Errors
    /// A network that cannot be allocated.
    pub fn new(
        plan: &'a Plan,
        train: &'a Dataset,
        test: &'a Dataset,
        isa: Isa,
    ) -> anyhow::Result<Self> {
        let rows = train.rows();
        let most_rows = plan.batch.min(rows);
        let mlp = plan.network(train.inputs().columns(), train.classes().max(test.classes()))?;
        let most_tested = recipe::EVALUATION_BATCH.min(test.rows());
        let workspace = Predictor::new(&mlp).workspace(most_tested)?;
        let sgd = plan.optimiser(rows);
        let trainer = Trainer::builder(mlp, sgd, most_rows).seed(plan.seed).isa(isa).build()?;
        Ok(Self {
            plan,
            train,
            test,
            isa,
            trainer,
            workspace,
            order: vec![0; rows],
            classes: Vec::with_capacity(most_rows),
            times: Vec::new(),
            densities: vec![0.0; plan.hidden.len() + 1],
            curves: Vec::new(),
            evaluation: Evaluation { rows: 0, wrong: Vec::new(), loss: 0.0 },
            seconds: 0.0,
        })
    }

    /// Trains for one epoch. To be called inside the pool that it shall run on.
    ///
    /// # Errors
    /// As [`Trainer::step`] and [`evaluate`]; where the loss or the parameters
    /// left the finite numbers, with the advice to lower the learning rate.
    pub fn epoch(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let started = Instant::now();
        let (plan, rows) = (self.plan, self.train.rows());
        let epoch = self.curves.len() + 1;
        let last = epoch == plan.epochs;
        shuffle(plan.seed, epoch as u64 - 1, &mut self.order);
        let mut losses = 0.0;
        for chosen in self.order.chunks(plan.batch) {
            self.classes.clear();
            self.classes.extend(chosen.iter().map(|&row| self.train.labels()[row as usize]));
            let batch = Batch::gather(self.train.inputs(), chosen)?;
            let clock = Instant::now();
            let loss = self.trainer.step(&batch, Targets::Classes(&self.classes));
            self.times.push(clock.elapsed().as_secs_f64() * 1e3);
            let loss = loss.map_err(|error| explain(plan, error))?;
            losses += f64::from(loss) * chosen.len() as f64;
            progress.step(loss);
            if last {
                for (sum, density) in self.densities.iter_mut().zip(self.trainer.densities()) {
                    *sum += density / plan.steps_per_epoch(rows) as f64;
                }
            }
        }
        let mut test_error = None;
        if last || epoch.is_multiple_of(plan.evaluate_every) {
            self.trainer.ensure_finite().map_err(|error| explain(plan, error))?;
            let predictor = Predictor::new(self.trainer.network()).with_isa(self.isa)?;
            self.evaluation = evaluate(&predictor, self.test, &mut self.workspace)?;
            test_error = Some(self.evaluation.error());
        }
        let done = Epoch { epoch, train_loss: losses / rows as f64, test_error };
        self.curves.push(done);
        progress.epoch(&done);
        self.seconds += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// What came out, after the last epoch.
    ///
    /// # Errors
    /// None that a training on its way gives.
    pub fn finish(mut self) -> anyhow::Result<Fit> {
        self.times.sort_by(f64::total_cmp);
        Ok(Fit {
            steps: self.trainer.steps(),
            predictor: Predictor::new(self.trainer.into_network()).with_isa(self.isa)?,
            evaluation: self.evaluation,
            curves: self.curves,
            step_ms_min: self.times.first().copied().unwrap_or_default(),
            step_ms_median: self.times.get(self.times.len() / 2).copied().unwrap_or_default(),
            densities: self.densities,
            seconds: self.seconds,
        })
    }
}

/// Adds what to do about it.
fn explain(plan: &Plan, error: Error) -> anyhow::Error {
    match error {
        Error::NonFiniteLoss { .. } | Error::NonFiniteParameters { .. } => anyhow::anyhow!(
            "training diverged, no model is written: {error}; try a --learning-rate below {:?}",
            plan.learning_rate
        ),
        _ => error.into(),
    }
}
