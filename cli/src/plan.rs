//! The settings of a run: network, optimiser, batches, seed.

use serde::Serialize;
use thinnet::{
    Error, Keep, Noise, Sigma,
    nn::{Activation, Initialisation, Loss, Mlp},
    train::{MaxNorm, Optimiser, Schedule},
};

use crate::{optimiser::Choice, source::Form, train::Objective, watch::Watch};

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
    /// authors' published code (sgd only)
    Paper,
}

/// The kind of noise that a keep rate p stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum NoiseKind {
    /// Dropout: keeps a unit with probability p
    Bernoulli,
    /// Multiplies each unit by a number from N(1, (1 - p) / p), which has the same variance and
    /// drops no unit
    Gaussian,
}

impl NoiseKind {
    /// Returns the noise for a keep rate.
    pub fn at(self, keep: Keep) -> Noise {
        match self {
            Self::Bernoulli => keep.into(),
            Self::Gaussian => Sigma::from(keep).into(),
        }
    }
}

/// All settings of a run, except the data and the machine.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    /// Their activation; the identity if they are maxout units.
    pub activation: Activation,
    /// The number of linear pieces of each, if they are maxout units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maxout: Option<usize>,
    /// The kind of noise.
    pub noise: NoiseKind,
    /// Keep rate of the inputs.
    pub input_keep: Keep,
    /// Whether the masks of the inputs are drawn for the entries of a row only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sparse_input: bool,
    /// Keep rate of the hidden units.
    pub hidden_keep: Keep,
    /// Initialisation of the weights.
    pub initialisation: Initialisation,
    /// Rows per batch; the last batch of an epoch has the remaining rows.
    pub batch: usize,
    /// The number of passes over all training rows.
    pub epochs: usize,
    /// Learning rate at the first step.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: LrSchedule,
    /// The optimiser and its other settings.
    #[serde(flatten)]
    pub optimiser: Choice,
    /// The options with any optimiser.
    #[serde(flatten)]
    pub objective: Objective,
    /// The loss.
    pub loss: Loss,
    /// Bound on the norm of the weights into a unit.
    pub max_norm: Option<MaxNorm>,
    /// Random seed for the weights, the masks, the order of the rows and the choice of held-out rows.
    pub seed: u64,
    /// Epochs between evaluations; the last epoch is always evaluated.
    pub evaluate_every: usize,
    /// The validation rows, and what is measured on them.
    #[serde(flatten)]
    pub watch: Watch,
    /// How svmlight files are read, if the rows are from such.
    #[serde(flatten)]
    pub svmlight: Option<Form>,
    /// The notes of the trained network.
    #[serde(skip)]
    pub notes: String,
}

impl Plan {
    /// Returns the number of steps in an epoch over `rows` rows.
    pub fn steps_per_epoch(&self, rows: usize) -> usize {
        rows.div_ceil(self.batch)
    }

    /// Returns the total number of steps.
    pub fn steps(&self, rows: usize) -> u64 {
        (self.steps_per_epoch(rows) as u64).saturating_mul(self.epochs as u64)
    }

    /// Returns the optimiser of a run over `rows` rows.
    pub fn optimiser(&self, rows: usize) -> Optimiser {
        let (from, to, steps) = (self.learning_rate, 0.0, self.steps(rows));
        let rate = match self.schedule {
            LrSchedule::Constant => Schedule::constant(from),
            LrSchedule::Linear => Schedule::Linear { from, to, steps },
            LrSchedule::Cosine => Schedule::Cosine { from, to, steps },
            LrSchedule::Paper => Schedule::paper_learning_rate(from),
        };
        self.optimiser.with(self.objective.warmed_up(rate))
    }

    /// Returns the number of layers with weights.
    pub fn depth(&self) -> usize {
        self.hidden.len() + 1
    }

    /// Returns the noise on the inputs.
    pub fn input_noise(&self) -> Noise {
        self.noise.at(self.input_keep)
    }

    /// Returns the noise on the hidden units.
    pub fn hidden_noise(&self) -> Noise {
        self.noise.at(self.hidden_keep)
    }

    /// Builds the untrained network.
    pub fn network(&self, inputs: usize, outputs: usize) -> Result<Mlp, Error> {
        let mut mlp = Mlp::builder(inputs).input_noise(self.input_noise());
        if self.sparse_input {
            mlp = mlp.sparse_input();
        }
        for &width in &self.hidden {
            mlp = match self.maxout {
                Some(pieces) => mlp.hidden_maxout(width, pieces, self.hidden_noise()),
                None => mlp.hidden(width, self.activation, self.hidden_noise()),
            };
        }
        mlp.output(outputs, self.loss).initialisation(self.initialisation).seed(self.seed).build()
    }
}
