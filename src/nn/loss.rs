//! Losses. Each is a file, with its formulas, its kind of targets and its link side by side, and a
//! line in the list below.

mod binary;
mod gaussian;
mod huber;
mod link;
mod poisson;
mod positive;
mod predictions;
mod quantile;
mod smoothed;
mod softmax;
mod squared;
mod targets;
mod trained;
mod unit;

use serde::{Deserialize, Serialize};

use super::{Temperature, units::units};
use crate::{
    error::Error,
    named::{from_name, text_in_files},
    simd::Supported,
    thin::Panels,
};
pub use gaussian::GaussianBeta;
pub use huber::HuberDelta;
pub(crate) use link::{Link, LinkFunction};
pub(crate) use positive::PositiveWeights;
pub use predictions::PredictionKind;
pub use quantile::QuantileLevels;
pub(crate) use quantile::pinball;
pub(crate) use smoothed::SmoothedSoftmax;
use targets::{Kind, of_kind};
pub use targets::{TargetKind, Targets};
pub(crate) use trained::TrainedLoss;
use unit::{Gradient, LossUnit};

units! {
    /// The loss as a function of the output layer's z, averaged over the B rows of a batch. With N
    /// outputs, targets t and d = z - t:
    ///
    /// | | targets | loss of a row | gradient with respect to z | link to [predictions](PredictionKind) |
    /// |---|---|---|---|---|
    /// | `SoftmaxCrossEntropy` | a class | -ln softmax(z)_t | (softmax(z) - onehot(t)) / B | softmax |
    /// | `SquaredError` | values | sum d² / N | 2 d / (B N) | identity |
    /// | `BinaryCrossEntropy` | bits | sum (max(z, 0) - z t + ln(1 + e^-abs(z))) / N | (logistic(z) - t) / (B N) | logistic |
    /// | `Huber(a)` | values | sum h(d) / N, with h(d) = d² / 2 if abs(d) <= a, else a (abs(d) - a / 2) | max(-a, min(d, a)) / (B N) | identity |
    /// | `Poisson` | counts | sum (e^z - t z) / N | (e^z - t) / (B N) | exponential |
    /// | `GaussianNll(b)` | D = N / 2 values | sum v^b (l + d² / v) / (2 D) | see below | identity, exponential |
    /// | `Quantile(q)` | D = N / Q values | sum max(-q d, (1 - q) d) / N | -q / (B N) if z < t, (1 - q) / (B N) if z > t, 0 if z = t | identity |
    ///
    /// These are PyTorch's `cross_entropy`, `mse_loss`, `binary_cross_entropy_with_logits`,
    /// `huber_loss`, `poisson_nll_loss` and `gaussian_nll_loss` with their default arguments: a mean
    /// over all outputs. For Poisson's loss z is the logarithm of the rate. Terms that depend on the
    /// targets alone, ln t! and ln 2 pi, are left out. So these two losses can be negative.
    ///
    /// The outputs of `GaussianNll` are the means m of all targets, then the logarithms l of their
    /// variances v = e^l, so that every output is a valid one (Kendall and Gal 2017, section 3.1);
    /// d = m - t. There is no least variance, as there is in PyTorch: where targets have no noise at
    /// all, l falls until the loss is not finite, which is an error. The factor v^b counts as a
    /// constant: the gradient is v^b d / (v B D) for a mean, and v^b (1 - d² / v) / (2 B D) for l.
    ///
    /// `Quantile` is the quantile loss or pinball loss (Koenker and Bassett 1978; scikit-learn's
    /// `mean_pinball_loss`) of Q levels q. The outputs are the quantiles of the lowest level for all
    /// targets, then those of the next level. Nothing keeps the quantiles of a target in ascending
    /// order: the outputs are the predictions, as in scikit-learn. Sorting those of each target gives
    /// quantiles that do not cross, and which are at least as close to the true ones (Chernozhukov et
    /// al. 2010).
    ///
    /// In files and on the command line, a loss is written as its name. `huber(0.5)` includes
    /// delta; without it, delta is PyTorch's default, 1. `quantile(0.1,0.5,0.9)` includes the levels,
    /// and these are the default.
    ///
    /// ```
    /// use thinnet::nn::{Loss, Mlp};
    ///
    /// let regression = Mlp::builder(3).output(1, Loss::SquaredError).build()?;
    /// assert_eq!(regression.loss().name(), "squared_error");
    /// // A softmax over one output would always give 1.
    /// assert!(Mlp::builder(3).output(1, Loss::SoftmaxCrossEntropy).build().is_err());
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(try_from = "String", into = "String")]
    #[non_exhaustive]
    pub enum Loss {
        /// For one class out of N, where N is at least two.
        SoftmaxCrossEntropy = "softmax_cross_entropy" in softmax,
        /// For N real values.
        SquaredError = "squared_error" in squared,
        /// For N independent probabilities, computed from logits.
        BinaryCrossEntropy = "binary_cross_entropy" in binary,
        /// For N real values with outliers: quadratic near the target, and linear beyond delta
        /// (Huber 1964).
        Huber(delta: HuberDelta) = "huber" also "huber(DELTA)" in huber,
        /// For N counts, each with a Poisson distribution whose rate the network predicts. Targets are
        /// at least 0, and need not be whole: a count over an exposure is a rate.
        Poisson = "poisson" in poisson,
        /// For N / 2 real values, each with a normal distribution of which the network predicts the
        /// mean and the variance: negative log-likelihood (Nix and Weigend 1994), weighted with the
        /// predicted variance to the power of beta (Seitzer et al. 2022).
        GaussianNll(beta: GaussianBeta) = "gaussian_nll" also "gaussian_nll(BETA)" in gaussian,
        /// For N / Q real values, of each of which the network predicts Q quantiles.
        Quantile(levels: QuantileLevels) = "quantile" also "quantile(LEVEL,LEVEL,...)" in quantile,
    }

    /// All losses, each with its default number.
    ALL;

    /// Code that is generic over the unit of a loss known only at run time.
    trait LossVisitor of LossUnit;
}
from_name!(Loss, "loss");
text_in_files!(Loss);

impl Loss {
    fn about(self) -> About {
        self.dispatch(Ask)
    }

    /// The kind of targets that it takes.
    pub fn target_kind(self) -> TargetKind {
        self.about().targets
    }

    /// The least value that a target can have.
    pub(crate) fn least_target(self) -> f32 {
        self.about().least_target
    }

    /// What a row of predictions holds.
    pub fn prediction_kind(self) -> PredictionKind {
        self.about().predictions
    }

    /// How the network's outputs become predictions.
    pub(crate) fn link_function(self) -> LinkFunction {
        self.prediction_kind().link()
    }

    /// How many outputs a network has per target. (A class counts as a target.)
    ///
    /// ```
    /// use thinnet::nn::{GaussianBeta, Loss, Mlp};
    ///
    /// // The means and the variances of three values.
    /// let loss = Loss::GaussianNll(GaussianBeta::DEFAULT);
    /// let mlp = Mlp::builder(5).output(3 * loss.outputs_per_target(), loss).build()?;
    /// assert_eq!((mlp.outputs(), mlp.targets()), (6, 3));
    /// assert!(Mlp::builder(5).output(3, loss).build().is_err());
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    pub fn outputs_per_target(self) -> usize {
        self.about().outputs_per_target
    }

    /// How many targets a row has for a network with this number of outputs; for classes, how many
    /// classes.
    ///
    /// # Errors
    /// There are not as many outputs for each target.
    pub(crate) fn targets(self, outputs: usize) -> Result<usize, Error> {
        let per_target = self.outputs_per_target();
        if !outputs.is_multiple_of(per_target) {
            return Err(Error::OutputsPerTarget { loss: self.name(), per_target, outputs });
        }
        Ok(outputs / per_target)
    }

    /// Checks that an output layer with this number of units can have this loss.
    pub(crate) fn check_outputs(self, outputs: usize) -> Result<(), Error> {
        if outputs == 1 && self.about().min_outputs > 1 {
            return Err(Error::OneClass);
        }
        self.targets(outputs).map(drop)
    }

    /// Writes the losses of the rows to `losses`, and overwrites `z`, which has `width` outputs,
    /// with the gradient of the mean over a batch of `rows` rows, of which these are some or all.
    /// The targets must have been checked.
    ///
    /// # Errors
    /// The targets are of the wrong kind.
    pub(crate) fn gradient(
        self,
        isa: Supported,
        targets: Targets<'_>,
        width: usize,
        rows: usize,
        z: &mut Panels,
        losses: &mut [f32],
    ) -> Result<(), Error> {
        self.dispatch(Batch { isa, targets, width, rows, z, losses })
    }

    /// How z becomes predictions at a temperature.
    pub(super) fn link_at(self, temperature: Temperature) -> Link {
        Link { function: self.link_function(), temperature }
    }

    /// The predictions for one row's z at a [`Temperature`] of 1, in f64.
    pub fn link(self, z: &[f64]) -> Vec<f64> {
        self.link_function().of(z)
    }

    /// The loss of one row in its simplest form, in f64.
    pub(crate) fn plain(self, z: &[f64], targets: Targets<'_>, row: usize) -> Result<f64, Error> {
        targets.check_row(self, z.len(), row)?;
        self.dispatch(Plain { z, targets, row })
    }
}

/// What a loss states besides its formulas.
struct About {
    targets: TargetKind,
    predictions: PredictionKind,
    outputs_per_target: usize,
    min_outputs: usize,
    least_target: f32,
}

/// [`Loss::about`] as a visitor of the unit.
struct Ask;

impl LossVisitor for Ask {
    type Output = About;

    fn visit<U: LossUnit>(self, unit: U) -> About {
        About {
            targets: U::Targets::KIND,
            predictions: U::PREDICTIONS,
            outputs_per_target: unit.outputs_per_target(),
            min_outputs: U::MIN_OUTPUTS,
            least_target: U::LEAST_TARGET,
        }
    }
}

/// [`Loss::gradient`] as a visitor of the unit.
struct Batch<'a> {
    isa: Supported,
    targets: Targets<'a>,
    width: usize,
    rows: usize,
    z: &'a mut Panels,
    losses: &'a mut [f32],
}

impl LossVisitor for Batch<'_> {
    type Output = Result<(), Error>;

    fn visit<U: LossUnit>(self, loss: U) -> Result<(), Error> {
        let Self { isa, targets, width, rows, z, losses } = self;
        let targets = of_kind::<U::Targets>(targets)?;
        isa.dispatch(Gradient { loss, targets, width, rows, z, losses });
        Ok(())
    }
}

/// [`Loss::plain`] as a visitor of the unit.
struct Plain<'a> {
    z: &'a [f64],
    targets: Targets<'a>,
    row: usize,
}

impl LossVisitor for Plain<'_> {
    type Output = Result<f64, Error>;

    fn visit<U: LossUnit>(self, unit: U) -> Result<f64, Error> {
        Ok(unit.plain(self.z, of_kind::<U::Targets>(self.targets)?, self.row))
    }
}

#[cfg(test)]
mod tests;
