//! The weights of the training rows.

use std::path::PathBuf;

use serde::Serialize;
use thinnet::data::{Dataset, npy};

use crate::inputs;

/// The option.
#[derive(Clone, Debug, Default, PartialEq, Serialize, clap::Args)]
pub struct RowWeights {
    /// Multiply the loss of each training row by a weight from this file, a number of at least 0 for each
    /// row. Validation rows that are held out of the training rows keep their weights; the test set, and
    /// rows that --held-out takes in its place, have none
    #[arg(long = "row-weights", value_name = "FILE.npy", help_heading = "Objective")]
    #[serde(skip_serializing_if = "Option::is_none", rename = "row_weights")]
    pub file: Option<PathBuf>,
}

impl RowWeights {
    /// Returns the training rows with their weights, if there are some.
    ///
    /// # Errors
    /// The file cannot be read or does not have one number of at least 0 for each row, or all are 0.
    pub fn of(&self, train: Dataset) -> anyhow::Result<Dataset> {
        let Some(path) = &self.file else { return Ok(train) };
        let name = format!("--row-weights {}", path.display());
        let weights = npy::read_numbers(path).map_err(|error| {
            inputs::explain(&[(name.clone(), path, "a .npy file of numbers")], error)
        })?;
        anyhow::ensure!(weights.iter().any(|&weight| weight != 0.0), "{name}: every weight is 0");
        train.with_weights(weights).map_err(|error| anyhow::anyhow!("{name}: {error}"))
    }
}
