//! What a worker does.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::Outcome;

/// Something that is ready to be timed.
pub trait Work {
    /// Does it `calls` times, one after the other.
    fn run(&mut self, calls: usize) -> Outcome<Duration>;

    /// What the driver should know of it.
    fn about(&self) -> Value {
        json!({})
    }

    /// The losses of the next `steps` steps.
    fn losses(&mut self, _steps: usize) -> Outcome<Vec<f32>> {
        Err("losses: not a training".into())
    }

    /// Of each layer: the largest norm of the weights into a unit, and the norm
    /// of all its weights.
    fn norms(&self) -> Outcome<Vec<[f64; 2]>> {
        Err("norms: not a training".into())
    }

    /// The predictions for the first batch.
    fn answer(&mut self) -> Outcome<Vec<f32>> {
        Err("answer: not a prediction".into())
    }

    /// The predictions for all rows.
    fn answers(&mut self) -> Outcome<Vec<f32>> {
        Err("answers: this worker does not predict all rows".into())
    }

    /// Writes the network's parameters.
    fn save(&self, _path: &Path) -> Outcome<()> {
        Err("save: not a training of thinnet's".into())
    }
}
