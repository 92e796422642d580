//! The prediction methods as one value, and a result that owns its data.

use serde::{Deserialize, Serialize, Serializer, ser::Error as _};

use super::{Estimates, MonteCarlo, Network, Predictor, Seeds, Workspace};
use crate::{data::Batch, error::Error};

/// A prediction method with its settings.
///
/// ```
/// # use thinnet::{data::Batch, nn::{Loss, Mlp}, tensor::MatrixView};
/// use thinnet::predict::{Method, MonteCarlo, Predictor, Seeds};
///
/// # let mlp = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// # let row = [0.1, 0.2, 0.3];
/// let predictor = Predictor::new(mlp);
/// let mut workspace = predictor.workspace(1)?;
/// let batch = Batch::dense(MatrixView::new(&row, 1, 3)?);
/// for method in [Method::WeightScaling, Method::MonteCarlo(MonteCarlo::new(50)?)] {
///     let answers = predictor.estimate(&batch, &method, Seeds::Each(&[7]), &mut workspace)?;
///     let answer = answers.row(0)?.to_prediction();
///     println!("{}: class {:?} of {:?}", method.name(), answer.class, answer.mean);
/// }
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// [`Predictor::weight_scaling`].
    #[default]
    WeightScaling,
    /// [`Predictor::monte_carlo`].
    MonteCarlo(MonteCarlo),
    /// [`Predictor::moments`].
    Moments,
}

impl Method {
    /// The name used in files: `weight_scaling`, `monte_carlo` or `moments`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::WeightScaling => "weight_scaling",
            Self::MonteCarlo(_) => "monte_carlo",
            Self::Moments => "moments",
        }
    }
}

impl<M: Network> Predictor<M> {
    /// Predicts with this method. Only Monte-Carlo uses the seeds.
    ///
    /// # Errors
    /// As for [`Self::weight_scaling`], [`Self::monte_carlo`] and [`Self::moments`].
    pub fn estimate<'w>(
        &self,
        batch: &Batch<'_>,
        method: &Method,
        seeds: Seeds<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<Estimates<'w>, Error> {
        match method {
            Method::WeightScaling => self.weight_scaling(batch, workspace),
            Method::MonteCarlo(settings) => self.monte_carlo(batch, settings, seeds, workspace),
            Method::Moments => self.moments(batch, workspace),
        }
    }
}

/// The owned form of an [`Estimate`](super::Estimate), made by
/// [`to_prediction`](super::Estimate::to_prediction).
///
/// In JSON it is an object of these fields, without those that are `None`. Serialising a
/// non-finite number is an error: JSON cannot represent it, and `null` would hide it.
///
/// ```
/// use thinnet::{data::Batch, nn::{Loss, Mlp}, predict::Predictor, tensor::MatrixView};
///
/// let predictor = Predictor::new(Mlp::builder(1).output(1, Loss::SquaredError).build()?);
/// let mut workspace = predictor.workspace(1)?;
/// let batch = Batch::dense(MatrixView::new(&[0.0], 1, 1)?);
/// let answer = predictor.weight_scaling(&batch, &mut workspace)?.row(0)?.to_prediction();
/// drop(workspace); // the prediction needs it no more
/// assert_eq!(serde_json::to_string(&answer)?, r#"{"mean":[0.0]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Prediction {
    /// The class, if the outputs are classes: [`Estimate::class`](super::Estimate::class).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<usize>,
    /// The bits, if the outputs are bits: [`Estimate::bits`](super::Estimate::bits).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<Vec<bool>>,
    /// The mean of each output; for classes and bits, of its probability.
    #[serde(serialize_with = "finite_numbers")]
    pub mean: Vec<f64>,
    /// The variance of each output over the thinned networks, if it is known.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "known_numbers")]
    pub variance: Option<Vec<f64>>,
    /// The variance of each target's noise, if the network states it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "known_numbers")]
    pub noise_variance: Option<Vec<f64>>,
    /// The entropy of the mean probabilities, in nats.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "known_number")]
    pub entropy: Option<f64>,
    /// The mean entropy of the thinned networks, in nats.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "known_number")]
    pub expected_entropy: Option<f64>,
    /// The mutual information, in nats: how far the thinned networks disagree.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "known_number")]
    pub mutual_information: Option<f64>,
    /// The number of thinned networks sampled, if any were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
}

/// Serialises a number if it is finite.
pub(super) fn finite_number<S: Serializer>(number: &f64, to: S) -> Result<S::Ok, S::Error> {
    if !number.is_finite() {
        return Err(S::Error::custom(format!("{number}: expected a finite number")));
    }
    number.serialize(to)
}

/// Serialises numbers if all of them are finite.
fn finite_numbers<S: Serializer>(numbers: &[f64], to: S) -> Result<S::Ok, S::Error> {
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => finite_number(number, to),
        None => numbers.serialize(to),
    }
}

fn known_numbers<S: Serializer>(numbers: &Option<Vec<f64>>, to: S) -> Result<S::Ok, S::Error> {
    finite_numbers(numbers.as_deref().unwrap_or(&[]), to)
}

fn known_number<S: Serializer>(number: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => finite_number(number, to),
        None => number.serialize(to),
    }
}
