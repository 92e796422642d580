//! What a training is made of: network, optimiser, batches, seed.

use serde::Serialize;
use thinnet::{
    Error, Keep,
    nn::{Activation, Initialisation, Loss, Mlp},
    train::{MaxNorm, Schedule, Sgd},
};

/// How the learning rate changes from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LrSchedule {
    /// Does not change
    Constant,
    /// Falls linearly to 0 at the end
    Linear,
    /// Falls along half a cosine wave to 0 at the end
    Cosine,
    /// Divided by 1 + t/10000 at step t, with a momentum that rises from 0.5 to 0.99, as in the
    /// authors' published code
    Paper,
}

/// All that a training is made of, but the data and the machine.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Units of the hidden layers.
    pub hidden: Vec<usize>,
    /// Their activation.
    pub activation: Activation,
    /// Keep rate of the inputs.
    pub input_keep: Keep,
    /// Keep rate of the hidden units.
    pub hidden_keep: Keep,
    /// How weights start.
    pub initialisation: Initialisation,
    /// Rows of a batch; an epoch's last one holds what is left.
    pub batch: usize,
    /// How often all rows are seen.
    pub epochs: usize,
    /// Learning rate at the first step.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: LrSchedule,
    /// Momentum; `None` with [`LrSchedule::Paper`], which brings its own.
    pub momentum: Option<f64>,
    /// Nesterov's form of momentum.
    pub nesterov: bool,
    /// Weight decay.
    pub weight_decay: f64,
    /// Bound on the norm of the weights into a unit.
    pub max_norm: Option<MaxNorm>,
    /// Seed of weights, masks, the order of rows and the choice of those held out.
    pub seed: u64,
    /// Epochs from one evaluation to the next; the last is always evaluated.
    pub evaluate_every: usize,
}

impl Plan {
    /// Steps of an epoch over `rows` rows.
    pub fn steps_per_epoch(&self, rows: usize) -> usize {
        rows.div_ceil(self.batch)
    }

    /// Updates in all.
    pub fn steps(&self, rows: usize) -> u64 {
        (self.steps_per_epoch(rows) as u64).saturating_mul(self.epochs as u64)
    }

    /// The optimiser of a training over `rows` rows.
    pub fn optimiser(&self, rows: usize) -> Sgd {
        let (from, to, steps) = (self.learning_rate, 0.0, self.steps(rows));
        let rate = match self.schedule {
            LrSchedule::Constant => Schedule::constant(from),
            LrSchedule::Linear => Schedule::Linear { from, to, steps },
            LrSchedule::Cosine => Schedule::Cosine { from, to, steps },
            LrSchedule::Paper => Schedule::paper_learning_rate(from),
        };
        let momentum = self.momentum.map_or(Schedule::paper_momentum(), Schedule::constant);
        let mut sgd = Sgd::new(rate).momentum(momentum).weight_decay(self.weight_decay);
        if self.nesterov {
            sgd = sgd.nesterov();
        }
        match self.max_norm {
            Some(max_norm) => sgd.max_norm(max_norm),
            None => sgd,
        }
    }

    /// Layers with weights.
    pub fn depth(&self) -> usize {
        self.hidden.len() + 1
    }

    /// The network before training.
    pub fn network(&self, inputs: usize, classes: usize) -> Result<Mlp, Error> {
        let mut mlp = Mlp::builder(inputs).input_keep(self.input_keep);
        for &width in &self.hidden {
            mlp = mlp.hidden(width, self.activation, self.hidden_keep);
        }
        mlp.output(classes, Loss::SoftmaxCrossEntropy)
            .initialisation(self.initialisation)
            .seed(self.seed)
            .build()
    }
}
