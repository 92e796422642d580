//! The report of a run: its settings and its results, written as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use thinnet::{Error, Isa, Keep, Noise, data::Dataset, mask, train::Ending};

use crate::{
    baseline::Baseline,
    curves::Point,
    fit::{Trained, error_rate},
    loss,
    measured::Measured,
    plan::Plan,
};

/// The report of one run.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// This program's version.
    pub thinnet: &'static str,
    /// The version of the mask definition.
    pub mask_format: u32,
    /// The data that it was trained on.
    pub data: Data,
    /// All settings of the run.
    pub settings: &'a Plan,
    /// What only classes have.
    #[serde(flatten)]
    pub classes: Option<OfClasses>,
    /// What `--metrics` asks for, on the test rows; unless they have classes, also the headline of the
    /// loss, or else all its usual metrics.
    pub metrics: BTreeMap<&'a str, &'a Measured>,
    /// What ended the run: `complete` or `early_stopping`.
    pub ending: Ending,
    /// With early stopping, the epoch that the network is of, from 1.
    pub best_epoch: Option<usize>,
    /// The mean loss of the final network on the test rows.
    pub test_loss: f64,
    /// The mean loss of the thinned networks in the last epoch.
    pub train_loss: f64,
    /// Updates done.
    pub steps: u64,
    /// The step at which this process resumed the run; `None` if it did all of it.
    pub resumed_at_step: Option<u64>,
    /// The time of a step in milliseconds, with its batch and without evaluations, over this process's steps only.
    pub step_ms: StepMs,
    /// The time of the whole run in seconds, with evaluations and without checkpoints. For a resumed
    /// run, this includes the earlier time that the checkpoint recorded.
    pub seconds: f64,
    /// The number of threads.
    pub threads: usize,
    /// The instruction set.
    pub isa: &'static str,
    /// The random seed for the weights, the masks, the order of the rows and the choice of held-out
    /// rows.
    pub seed: u64,
    /// The keep rates as they are stored: 1 where no unit is dropped.
    pub keep: Keeps,
    /// The noise of the network.
    pub noise: Noises,
    /// The active fraction of each layer's inputs, averaged over the steps of the last epoch.
    pub densities: &'a [f64],
    /// SHA-256 of the final parameters.
    pub digest: String,
    /// What was measured in each epoch.
    pub curves: &'a [Point],
}

/// The error of a network whose targets are classes.
#[derive(Debug, Serialize)]
pub struct OfClasses {
    /// The fraction of the test rows that the final network gets wrong.
    pub test_error: f64,
    /// The number of these rows.
    pub test_wrong: usize,
    /// The error of always predicting the most frequent class of the training rows.
    pub baseline: Baseline,
}

impl OfClasses {
    /// Returns that of a trained network; `None` if it has another loss.
    ///
    /// # Errors
    /// The counts of the classes cannot be allocated.
    pub fn of(fit: &Trained, train: &Dataset, test: &Dataset) -> Result<Option<Self>, Error> {
        if !loss::has_classes(fit.predictor.network().loss()) {
            return Ok(None);
        }
        let (test_error, test_wrong) = (error_rate(&fit.evaluation), fit.evaluation.wrong.len());
        Ok(Some(Self { test_error, test_wrong, baseline: Baseline::new(train, test)? }))
    }
}

/// The training and the test rows.
#[derive(Debug, Serialize)]
pub struct Data {
    /// The value of `--data`.
    pub source: String,
    /// The number of training rows.
    pub train_rows: usize,
    /// The number of validation rows, if there are some.
    pub validation_rows: Option<usize>,
    /// The number of rows on which the test error was measured.
    pub test_rows: usize,
    /// Where those came from: `test`, or `held_out` if they are training rows.
    pub test_set: &'static str,
    /// Columns of a row.
    pub inputs: usize,
    /// The number of classes of the network, if it has classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// The number of targets of a row, if they are not classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<usize>,
}

/// The time of a step in milliseconds; `None` if this process did no step.
#[derive(Debug, Serialize)]
pub struct StepMs {
    /// The fastest step.
    pub min: Option<f64>,
    /// The median.
    pub median: Option<f64>,
}

/// The keep rates of the network.
#[derive(Debug, Serialize)]
pub struct Keeps {
    /// That of the inputs.
    pub input: StoredKeep,
    /// That of the hidden units.
    pub hidden: StoredKeep,
}

/// The noise of the network, as settings files name it.
#[derive(Debug, Serialize)]
pub struct Noises {
    /// That on the inputs.
    pub input: Noise,
    /// That on the hidden units.
    pub hidden: Noise,
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
    /// Returns the report of a run of `plan` with the result `fit`.
    pub fn new(
        data: Data,
        classes: Option<OfClasses>,
        plan: &'a Plan,
        fit: &'a Trained,
        (threads, isa): (usize, Isa),
    ) -> Self {
        let noise = Noises { input: plan.input_noise(), hidden: plan.hidden_noise() };
        let [input, hidden] = [noise.input, noise.hidden].map(|noise| noise.keep().into());
        Self {
            thinnet: env!("CARGO_PKG_VERSION"),
            mask_format: mask::FORMAT,
            data,
            settings: plan,
            classes,
            metrics: fit.metrics.iter().map(|(name, found)| (name.as_str(), found)).collect(),
            ending: fit.ending,
            best_epoch: fit.best_epoch,
            test_loss: fit.evaluation.loss,
            train_loss: fit.curves.last().map_or(f64::NAN, |last| last.train_loss),
            steps: fit.steps,
            resumed_at_step: fit.resumed_at_step,
            step_ms: StepMs { min: fit.step_ms.first().copied(), median: fit.step_ms_median() },
            seconds: fit.seconds,
            threads,
            isa: isa.name(),
            seed: plan.seed,
            keep: Keeps { input, hidden },
            noise,
            densities: &fit.densities,
            digest: fit.predictor.network().digest(),
            curves: &fit.curves,
        }
    }

    /// Returns the contents of the file.
    ///
    /// # Errors
    /// Serialisation fails, which these types do not let happen.
    pub fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
