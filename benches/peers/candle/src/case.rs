//! What the driver asks for: the part of the protocol that concerns a peer.

use std::path::PathBuf;

use serde::Deserialize;

/// A line from the driver.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    Hello { threads: usize },
    Setup { slot: String, case: Case },
    Run { slot: String, warm: usize, calls: usize },
    Losses { slot: String, steps: usize },
    Norms { slot: String },
    Answer { slot: String },
    Drop,
}

/// Work that can be timed.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Case {
    Step(Step),
    Predict(Predict),
    MonteCarlo {
        samples: usize,
        #[serde(flatten)]
        predict: Predict,
    },
    Dropout(Dropout),
}

/// Training steps.
#[derive(Debug, Deserialize)]
pub struct Step {
    pub network: Network,
    pub data: Data,
    pub batch: usize,
    pub learning_rate: f64,
    pub momentum: f64,
    /// Bound on the norm of each unit's incoming weights, for the paper's form
    /// of weights: times the keep rate of the layer's inputs for these.
    pub max_norm: f64,
}

/// Predictions.
#[derive(Debug, Deserialize)]
pub struct Predict {
    pub network: Network,
    pub data: Data,
    pub batch: usize,
}

/// The dropout operation.
#[derive(Debug, Deserialize)]
pub struct Dropout {
    pub elements: usize,
    pub keep: f64,
    pub in_place: bool,
}

/// A network and the file of its parameters.
#[derive(Debug, Deserialize)]
pub struct Network {
    pub widths: Vec<usize>,
    pub activation: String,
    pub keep_input: f64,
    pub keep_hidden: f64,
    /// For each layer the weights, row-major `[outputs][inputs]`, then the
    /// biases: little-endian f32.
    pub weights: PathBuf,
}

impl Network {
    /// The keep rate of the inputs of layer `layer`.
    pub fn keep_below(&self, layer: usize) -> f64 {
        if layer == 0 { self.keep_input } else { self.keep_hidden }
    }
}

/// The files of the rows and their classes.
#[derive(Debug, Deserialize)]
pub struct Data {
    pub inputs: PathBuf,
    pub labels: PathBuf,
}
