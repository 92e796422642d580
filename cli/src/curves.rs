//! The learning curves.

use std::collections::BTreeMap;

use serde::Serialize;
use thinnet::{
    metrics::Metric,
    train::{Epoch, Validation, Watched},
};

/// A point of the learning curves, as the report and the log contain it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The number of the epoch, from 1.
    pub epoch: usize,
    /// The updates done at its end.
    pub steps: u64,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// The mean loss of its thinned networks.
    pub train_loss: f64,
    /// The fraction of the test rows that are wrong after it, if that was measured. With validation
    /// rows, it is not.
    pub test_error: Option<f64>,
    /// The mean loss of the test rows, likewise.
    pub test_loss: Option<f64>,
    /// The metrics of the test rows beside the error, likewise, if there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_metrics: Option<BTreeMap<String, Option<f64>>>,
    /// The figures of the validation rows, if there are such rows and they were measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Figures>,
}

/// What was measured on validation rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The mean loss.
    pub loss: f64,
    /// The metrics by their names; `None` where one is undefined.
    pub metrics: BTreeMap<String, Option<f64>>,
}

impl Figures {
    fn of(measured: &Validation) -> Self {
        Self { loss: measured.loss, metrics: named(measured.figures.iter()) }
    }

    /// Returns a figure.
    pub fn get(&self, watched: Watched) -> Option<f64> {
        match watched {
            Watched::Loss => Some(self.loss),
            watched => self.metrics.get(&watched.to_string()).copied().flatten(),
        }
    }

    /// Returns all of them in words.
    pub fn text(&self) -> String {
        let mut text = format!("loss {:.6}", self.loss);
        for (metric, figure) in &self.metrics {
            let figure = figure.map_or("undefined".to_owned(), |figure| format!("{figure:.6}"));
            text += &format!(", {metric} {figure}");
        }
        text
    }
}

/// Returns figures by the names of the metrics.
fn named<'a>(
    figures: impl Iterator<Item = &'a (Metric, Option<f64>)>,
) -> BTreeMap<String, Option<f64>> {
    figures.map(|(metric, figure)| (metric.to_string(), *figure)).collect()
}

impl Point {
    /// The point of an epoch of a run with or without validation rows. Without them, the library's
    /// validation set is the test set.
    pub fn of(epoch: &Epoch, has_validation: bool) -> Self {
        let measured = epoch.validation.as_ref();
        let of_test = measured.filter(|_| !has_validation);
        let others = of_test.map(|measured| {
            named(measured.figures.iter().filter(|(metric, _)| *metric != Metric::ErrorRate))
        });
        Self {
            epoch: epoch.epoch,
            steps: epoch.steps,
            learning_rate: epoch.learning_rate,
            train_loss: epoch.train_loss,
            test_error: of_test.and_then(|_| epoch.figure(Metric::ErrorRate)),
            test_loss: of_test.map(|measured| measured.loss),
            test_metrics: others.filter(|metrics| !metrics.is_empty()),
            validation: measured.filter(|_| has_validation).map(Figures::of),
        }
    }
}
