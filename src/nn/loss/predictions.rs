//! What a row of predictions holds.

use super::link::LinkFunction;

/// What a row of predictions holds, which follows from the [`Loss`](super::Loss). With D targets per
/// row, or D classes:
///
/// | | loss | outputs z of the network | a row of predictions | [`noise_variance`] |
/// |---|---|---|---|---|
/// | `Classes` | `softmax_cross_entropy` | D logits | the probabilities of the D classes | |
/// | `Bits` | `binary_cross_entropy` | D logits | the probabilities that the D bits are 1 | |
/// | `Values` | `squared_error`, `huber` | D values | the same D values | |
/// | `Rates` | `poisson` | D logarithms of rates | D rates, e^z | the rates: a Poisson distribution's variance is its mean |
/// | `Normals` | `gaussian_nll` | D means, then D logarithms of variances | D means, then D variances | the variances |
/// | `Quantiles` | `quantile` | D quantiles of the lowest level, then D of the next | the same | |
///
/// Quantiles are returned as the network has them: those of a target are not in ascending order where
/// they cross. Over thinned networks, the mean of each quantile is an average of quantiles, not the
/// quantile of their mixture, and its variance is what the networks disagree about. They state no
/// variance of the noise.
///
/// [`Predictor::predict`](crate::predict::Predictor::predict) and
/// [`Estimate::sample`](crate::predict::Estimate::sample) return such rows;
/// [`Predictor::logits`](crate::predict::Predictor::logits) returns z.
///
/// ```
/// use thinnet::nn::{Loss, Mlp, PredictionKind};
///
/// let mlp = Mlp::builder(3).output(4, "gaussian_nll".parse()?).build()?;
/// assert_eq!(mlp.loss().prediction_kind(), PredictionKind::Normals);
/// assert_eq!((mlp.outputs(), mlp.targets()), (4, 2));
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// [`noise_variance`]: crate::predict::Estimate::noise_variance
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PredictionKind {
    /// The probabilities of classes, of which a row has one.
    Classes,
    /// The probabilities of independent bits.
    Bits,
    /// Values.
    Values,
    /// The rates of Poisson distributions.
    Rates,
    /// The means and the variances of normal distributions.
    Normals,
    /// Quantiles of values.
    Quantiles,
}

impl PredictionKind {
    /// How z becomes predictions.
    pub(super) const fn link(self) -> LinkFunction {
        match self {
            Self::Classes => LinkFunction::Softmax,
            Self::Bits => LinkFunction::Logistic,
            Self::Values | Self::Quantiles => LinkFunction::Identity,
            Self::Rates => LinkFunction::Exponential,
            Self::Normals => LinkFunction::Normals,
        }
    }
}
