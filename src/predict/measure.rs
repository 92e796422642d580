//! Estimates as rows of metrics.

use std::iter;

use super::Estimates;
use crate::{
    error::{Error, same_size},
    memory::reserve,
    metrics::{Metrics, Row},
    nn::{PredictionKind, Targets},
};

impl Estimates<'_> {
    /// Adds each row's means and targets to `metrics`, with its weight, or 1 without `weights`. Normal
    /// distributions have the [total variance](super::Estimate::total_variance) of the row, or that
    /// of the noise where it is all that is known (weight scaling).
    ///
    /// ```
    /// use thinnet::{
    ///     Keep,
    ///     data::Batch,
    ///     metrics::{Metric, Metrics},
    ///     nn::{Activation, Loss, Mlp, Targets},
    ///     predict::Predictor,
    ///     tensor::MatrixView,
    /// };
    ///
    /// let mlp = Mlp::builder(2)
    ///     .hidden(8, Activation::Relu, Keep::HALF)
    ///     .output(1, Loss::SquaredError)
    ///     .build()?;
    /// let x = MatrixView::new(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 3, 2)?;
    /// let t = MatrixView::new(&[1.0, 2.0, 4.0], 3, 1)?;
    /// let predictor = Predictor::new(mlp);
    /// let mut workspace = predictor.workspace(2)?;
    /// let mut metrics = Metrics::new(&[Metric::Rmse, Metric::R2], Loss::SquaredError, 1)?;
    /// for (first, end) in [(0, 2), (2, 3)] {
    ///     let answers =
    ///         predictor.moments(&Batch::dense(x.subrows(first..end)?), &mut workspace)?;
    ///     answers.measure(Targets::Values(t.subrows(first..end)?), None, &mut metrics)?;
    /// }
    /// for (metric, figure) in metrics.figures() {
    ///     let figure = figure?;
    ///     println!("{metric} {:.3}, {} {:.3?}", figure.value, metric.baseline(), figure.baseline);
    /// }
    /// # assert_eq!(metrics.rows(), 3);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is not one target and one weight per row; as for [`Metrics::add`], in which case the
    /// rows before are in the metrics.
    pub fn measure(
        &self,
        targets: Targets<'_>,
        weights: Option<&[f64]>,
        metrics: &mut Metrics,
    ) -> Result<(), Error> {
        same_size("rows of the targets", self.rows(), targets.rows())?;
        if let Some(weights) = weights {
            same_size("weights of rows", self.rows(), weights.len())?;
        }
        let kind = self.tallies.loss.prediction_kind();
        let mut y = reserve("predictions of a row", self.tallies.outputs)?;
        for (row, estimate) in (*self).into_iter().enumerate() {
            y.clear();
            y.extend(estimate.mean());
            if kind == PredictionKind::Normals {
                let noise = estimate.noise_variance().unwrap_or(&[]);
                // None for weight scaling.
                let known = estimate.variance().unwrap_or(&[]).iter().chain(iter::repeat(&0.0));
                y.extend(noise.iter().zip(known).map(|(noise, variance)| noise + variance));
            }
            let measured = Row::of_predictions(kind, &y, targets, row);
            let weight = weights.map_or(1.0, |weights| weights[row]);
            metrics.add(&measured.weight(weight).threshold(self.tallies.threshold))?;
        }
        Ok(())
    }
}
