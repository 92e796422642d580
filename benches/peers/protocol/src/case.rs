//! What the driver asks for.

use std::path::PathBuf;

use serde::Deserialize;

/// A line from the driver.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Who is there?
    Hello { threads: usize },
    /// Makes the work of `case` ready under the name `slot`.
    Setup { slot: String, case: Case },
    /// Does the work `warm` times, then `calls` times on the clock.
    Run { slot: String, warm: usize, calls: usize },
    /// The losses of the next `steps` steps.
    Losses { slot: String, steps: usize },
    /// The largest norm of the weights into a unit, layer by layer, and the
    /// norm of all of a layer's weights.
    Norms { slot: String },
    /// The predictions for the first batch.
    Answer { slot: String },
    /// The predictions for all rows.
    Answers { slot: String },
    /// Writes the network's parameters.
    Save { slot: String, path: PathBuf },
    /// Forgets all slots.
    Drop,
}

/// Work that can be timed.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Case {
    /// Training steps.
    Step(Step),
    /// Predictions by weight scaling.
    Predict(Predict),
    /// Means and variances in one pass; thinnet's.
    Moments(Predict),
    /// Predictions averaged over thinned networks.
    MonteCarlo(MonteCarlo),
    /// The dropout operation.
    Dropout(Dropout),
    /// Multiplication by Gaussian noise.
    Gaussian(Gaussian),
    /// Copying.
    Copy(Copy),
    /// Fused multiply-adds in registers.
    Peak(Peak),
}

/// Training steps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub network: Network,
    pub data: Data,
    pub batch: usize,
    #[serde(default)]
    pub optimiser: Optimiser,
    pub learning_rate: f64,
    /// SGD's.
    pub momentum: f64,
    /// Bound on the norm of each unit's incoming weights, for the paper's form
    /// of weights: times the keep rate of the layer's inputs for the scaled form.
    pub max_norm: Option<f64>,
    /// An instruction set of thinnet's.
    #[serde(default)]
    pub isa: Option<String>,
    pub threads: usize,
}

/// How a step updates the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimiser {
    /// With momentum.
    #[default]
    Sgd,
    /// With PyTorch's betas and epsilon.
    Adam,
}

/// Predictions by weight scaling.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predict {
    pub network: Network,
    pub data: Data,
    pub batch: usize,
    /// How thinnet stores its weights.
    #[serde(default)]
    pub weights: Weights,
    /// The rows from which thinnet learns an order of units for weights of 8 bits.
    #[serde(default)]
    pub calibration: Option<PathBuf>,
    /// An instruction set of thinnet's.
    #[serde(default)]
    pub isa: Option<String>,
    /// The network as an ONNX model for batches of this size; for engines that read ONNX.
    #[serde(default)]
    pub model: Option<PathBuf>,
    pub threads: usize,
}

/// What thinnet stores weights as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    #[default]
    F32,
    Bf16,
    Int8,
}

/// Predictions averaged over thinned networks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonteCarlo {
    pub network: Network,
    pub data: Data,
    pub batch: usize,
    pub samples: usize,
    pub threads: usize,
}

/// The dropout operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    pub elements: usize,
    pub keep: f64,
    pub in_place: bool,
    pub threads: usize,
}

/// x (1 + sigma z) with normal z, out of place; or z alone, which is thinnet's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaussian {
    pub elements: usize,
    pub sigma: f64,
    /// Whether only the normal numbers are made.
    #[serde(default)]
    pub alone: bool,
    pub threads: usize,
}

/// Copying; with streaming stores, or by memcpy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    pub elements: usize,
    pub streaming: bool,
    pub threads: usize,
}

/// Fused multiply-adds in registers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peak {
    pub threads: usize,
}

/// A network and the file of its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Inputs, hidden units, outputs.
    pub widths: Vec<usize>,
    pub activation: String,
    /// By thinnet's name, from which the link to the answers follows.
    pub loss: String,
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

/// The files of the rows and their targets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Rows of little-endian f32.
    pub inputs: PathBuf,
    /// For softmax cross-entropy a class per row, a little-endian u32; else a little-endian f32
    /// per output.
    pub targets: PathBuf,
}
