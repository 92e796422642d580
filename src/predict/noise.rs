//! Where the noise of targets comes from.

/// The noise of a regression's targets, for the distribution of a target.
///
/// ```
/// use thinnet::{data::Batch, nn::Mlp, predict::{Predictor, TargetNoise}, tensor::MatrixView};
///
/// // A mean and a variance.
/// let mlp = Mlp::builder(1).output(2, "gaussian_nll".parse()?).build()?;
/// let predictor = Predictor::new(mlp);
/// let mut workspace = predictor.workspace(1)?;
/// let batch = Batch::dense(MatrixView::new(&[0.0], 1, 1)?);
/// let answers = predictor.moments(&batch, &mut workspace)?;
/// let answer = answers.row(0)?;
/// let [low, high] = answer.predictive_interval(0, 1.96, TargetNoise::Learned)?;
/// assert!(low < answer.mean()[0] && answer.mean()[0] < high);
/// // This network says itself how large the noise is.
/// assert!(answer.predictive_interval(0, 1.96, 4.0).is_err());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TargetNoise {
    /// Normal noise of this precision, 1 / variance, the same for all rows: for losses of values.
    Precision(f64),
    /// The noise that the network states for each row: for losses that learn it
    /// ([`Estimate::noise_variance`](super::Estimate::noise_variance)).
    Learned,
}

impl From<f64> for TargetNoise {
    fn from(precision: f64) -> Self {
        Self::Precision(precision)
    }
}
