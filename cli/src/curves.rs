//! The learning curves.

use serde::Serialize;
use thinnet::{metrics::Metric, train::Epoch};

/// A point of the learning curves, as the report contains it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The number of the epoch, from 1.
    pub epoch: usize,
    /// The mean loss of its thinned networks.
    pub train_loss: f64,
    /// The fraction of the test rows that are wrong after it, if that was measured.
    pub test_error: Option<f64>,
}

impl Point {
    /// The point of an epoch whose validation set is the test set.
    pub fn of(epoch: &Epoch) -> Self {
        let test_error = epoch.figure(Metric::ErrorRate);
        Self { epoch: epoch.epoch, train_loss: epoch.train_loss, test_error }
    }
}
