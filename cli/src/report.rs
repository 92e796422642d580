//! `report.json`: what was asked for, and what came out.

use serde::Serialize;
use thinnet::{Isa, Keep, mask};

use crate::{baseline::Baseline, fit::Fit, plan::Plan, run_state::Epoch};

/// The report of one training.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// This program's version.
    pub thinnet: &'static str,
    /// The number of the mask definition.
    pub mask_format: u32,
    /// What it was trained on.
    pub data: Data,
    /// All settings of the training.
    pub settings: &'a Plan,
    /// Part of the test rows that the final network gets wrong.
    pub test_error: f64,
    /// How many that are.
    pub test_wrong: usize,
    /// What the most frequent class of the training rows gets wrong of them.
    pub baseline: Baseline,
    /// Its mean loss on the test rows.
    pub test_loss: f64,
    /// Mean loss of the last epoch's thinned networks.
    pub train_loss: f64,
    /// Updates done.
    pub steps: u64,
    /// The step at which this process took the training up; `None` where it did
    /// all of it.
    pub resumed_at_step: Option<u64>,
    /// Milliseconds of a step, evaluations not among them; of this process's
    /// steps alone.
    pub step_ms: StepMs,
    /// Seconds of the whole training, evaluations among them, checkpoints not;
    /// of a resumed one, of all its parts that a checkpoint kept.
    pub seconds: f64,
    /// Threads that it ran on.
    pub threads: usize,
    /// Instruction set that it ran on.
    pub isa: &'static str,
    /// Seed of weights, masks, the order of rows and the choice of those held out.
    pub seed: u64,
    /// The keep rates as they are stored.
    pub keep: Keeps,
    /// Active part of each layer's inputs, averaged over the last epoch's steps.
    pub densities: &'a [f64],
    /// SHA-256 of the final parameters.
    pub digest: String,
    /// Training loss and test error, an epoch each.
    pub curves: &'a [Epoch],
}

/// The rows.
#[derive(Debug, Serialize)]
pub struct Data {
    /// What `--data` said.
    pub source: String,
    /// Rows trained on.
    pub train_rows: usize,
    /// Rows that the test error is of.
    pub test_rows: usize,
    /// Where those came from: `test`, or `held_out` of the training set.
    pub test_set: &'static str,
    /// Columns of a row.
    pub inputs: usize,
    /// Classes that the network tells apart.
    pub classes: usize,
}

/// Milliseconds of a step; `None` where this process did none.
#[derive(Debug, Serialize)]
pub struct StepMs {
    /// Of the fastest.
    pub min: Option<f64>,
    /// Of the median one.
    pub median: Option<f64>,
}

/// The keep rates.
#[derive(Debug, Serialize)]
pub struct Keeps {
    /// Of the inputs.
    pub input: StoredKeep,
    /// Of the hidden units.
    pub hidden: StoredKeep,
}

/// A keep rate as it is stored.
#[derive(Debug, Serialize)]
pub struct StoredKeep {
    /// The numerator over 65536.
    pub k: u32,
    /// k / 65536.
    pub rate: f64,
}

impl From<Keep> for StoredKeep {
    fn from(keep: Keep) -> Self {
        Self { k: keep.k(), rate: keep.get() }
    }
}

impl<'a> Report<'a> {
    /// The report of a training of `plan` that gave `fit`.
    pub fn new(
        data: Data,
        baseline: Baseline,
        plan: &'a Plan,
        fit: &'a Fit,
        (threads, isa): (usize, Isa),
    ) -> Self {
        Self {
            thinnet: env!("CARGO_PKG_VERSION"),
            mask_format: mask::FORMAT,
            data,
            settings: plan,
            test_error: fit.evaluation.error_rate(),
            test_wrong: fit.evaluation.wrong.len(),
            baseline,
            test_loss: fit.evaluation.loss,
            train_loss: fit.curves.last().map_or(f64::NAN, |last| last.train_loss),
            steps: fit.steps,
            resumed_at_step: fit.resumed_at_step,
            step_ms: StepMs { min: fit.step_ms.first().copied(), median: fit.step_ms_median() },
            seconds: fit.seconds,
            threads,
            isa: isa.name(),
            seed: plan.seed,
            keep: Keeps { input: plan.input_keep.into(), hidden: plan.hidden_keep.into() },
            densities: &fit.densities,
            digest: fit.predictor.network().digest(),
            curves: &fit.curves,
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// None that these types can give.
    pub fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
