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
    /// The class probabilities of the first batch.
    Answer { slot: String },
    /// Writes the network's parameters.
    Save { slot: String, path: PathBuf },
    /// Forgets all slots.
    Drop,
}

/// Work that can be timed.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Case {
    /// Training steps.
    Step {
        network: Network,
        data: Data,
        batch: usize,
        learning_rate: f64,
        momentum: f64,
        /// Bound on the norm of each unit's incoming weights, for the paper's
        /// form of weights.
        max_norm: f64,
        #[serde(default)]
        isa: Option<String>,
        threads: usize,
    },
    /// Predictions by weight scaling.
    Predict { network: Network, data: Data, batch: usize, threads: usize },
    /// Predictions averaged over thinned networks: the peers' alone so far.
    #[expect(dead_code, reason = "thinnet has no Monte-Carlo prediction yet")]
    MonteCarlo { network: Network, data: Data, batch: usize, samples: usize, threads: usize },
    /// The dropout operation.
    Dropout { elements: usize, keep: f64, in_place: bool, threads: usize },
    /// Copying; with streaming stores, or by memcpy.
    Copy { elements: usize, streaming: bool, threads: usize },
    /// Fused multiply-adds in registers.
    Peak { threads: usize },
}

/// A network and the file of its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Inputs, hidden units, classes.
    pub widths: Vec<usize>,
    pub activation: String,
    pub keep_input: f64,
    pub keep_hidden: f64,
    /// For each layer the weights, row-major `[outputs][inputs]`, then the
    /// biases: little-endian f32.
    pub weights: PathBuf,
}

/// The files of the rows and their classes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Rows of little-endian f32.
    pub inputs: PathBuf,
    /// A little-endian u32 for each row.
    pub labels: PathBuf,
}
