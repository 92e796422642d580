//! Training steps.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use peer_protocol::{
    Outcome, Work,
    case::{self, Step},
    files,
};
use serde_json::{Value, json};
use thinnet::{
    Isa,
    data::Batch,
    nn::Mlp,
    tensor::MatrixView,
    train::{Adam, MaxNorm, Optimiser, Schedule, Sgd, Trainer},
};

use crate::{network, targets, threads::Threads};

/// A trainer and the batches that it takes in turn.
pub struct Training {
    trainer: Trainer,
    inputs: Vec<f32>,
    targets: targets::Owned,
    batch: usize,
    threads: Threads,
}

impl Training {
    pub fn new(step: &Step) -> Outcome<Self> {
        let mlp = network::load(&step.network)?;
        let inputs = files::floats(&step.data.inputs)?;
        let targets = targets::Owned::read(&step.data.targets, &mlp)?;
        let (batch, rows) = (step.batch, targets.rows());
        if batch == 0 || inputs.len() != rows * mlp.inputs() || rows < batch {
            let (got, width) = (inputs.len(), mlp.inputs());
            return Err(format!(
                "{got} inputs and {rows} targets: expected {width} inputs per target, and at least a batch of {batch}"
            )
            .into());
        }
        let rate = Schedule::constant(step.learning_rate);
        let momentum = Schedule::constant(step.momentum);
        let optimiser = match step.optimiser {
            case::Optimiser::Sgd => Optimiser::from(Sgd::new(rate).momentum(momentum)),
            case::Optimiser::Adam => Adam::new(rate).into(),
        };
        let isa = step.isa.as_deref().map_or(Ok(Isa::detect()), str::parse)?;
        let mut trainer = Trainer::builder(mlp, optimiser, batch);
        if let Some(bound) = step.max_norm {
            trainer = trainer.max_norm(MaxNorm::Paper(bound));
        }
        let trainer = trainer.seed(1).with_isa(isa)?.build()?;
        Ok(Self { trainer, inputs, targets, batch, threads: Threads::new(step.threads)? })
    }

    /// The next `count` steps, each with the next batch; their losses go to `see`.
    fn steps(&mut self, count: usize, mut see: impl FnMut(f32) + Send) -> Outcome<Duration> {
        let Self { trainer, inputs, targets, batch, threads } = self;
        let (batches, width) = (targets.rows() / *batch, inputs.len() / targets.rows());
        threads.install(|| {
            let started = Instant::now();
            for _ in 0..count {
                let first = (trainer.steps() as usize % batches) * *batch;
                let rows = &inputs[first * width..][..*batch * width];
                let rows = Batch::dense(MatrixView::new(rows, *batch, width)?);
                see(trainer.step(&rows, targets.of(first, *batch)?)?);
            }
            Ok(started.elapsed())
        })
    }

    fn network(&self) -> Outcome<Mlp> {
        Ok(self.trainer.network()?)
    }
}

impl Work for Training {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        self.steps(calls, |_| ())
    }

    fn about(&self) -> Value {
        let densities: Vec<f64> = self.trainer.densities().collect();
        json!({ "isa": self.trainer.isa().name(), "densities": densities })
    }

    fn losses(&mut self, steps: usize) -> Outcome<Vec<f32>> {
        let mut losses = Vec::with_capacity(steps);
        self.steps(steps, |loss| losses.push(loss))?;
        Ok(losses)
    }

    fn norms(&self) -> Outcome<Vec<[f64; 2]>> {
        network::norms(&self.network()?)
    }

    fn save(&self, path: &Path) -> Outcome<()> {
        network::save(&self.network()?, path)
    }
}
