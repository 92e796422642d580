//! The ensemble of all thinned networks of a small network.

use super::{LinkFunction, Mlp, ThinnedNetwork};
use crate::{error::Error, mask::Mask, noise::Noise, rate::Keep};

/// The 2^n thinned networks of a network with n droppable units, and their probabilities.
///
/// ```
/// use thinnet::{Keep, nn::{Activation, Ensemble, Loss, Mlp}};
///
/// let mlp = Mlp::builder(3)
///     .input_noise(Keep::new(0.8)?)
///     .hidden(4, Activation::Tanh, Keep::HALF)
///     .output(1, Loss::SquaredError)
///     .build()?;
/// let ensemble = Ensemble::enumerate(&mlp)?;
/// assert_eq!(ensemble.count(), 1 << 7);
/// let mean = ensemble.mean(&[1.0, -1.0, 0.5])?;
/// assert_eq!(mean.len(), 1);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ensemble {
    mlp: Mlp,
    /// The site and index of each droppable unit.
    units: Vec<(usize, usize)>,
}

impl Ensemble {
    /// The maximum number of droppable units for which thinned networks can be enumerated.
    pub const MAX_UNITS: usize = 16;

    /// The ensemble of all thinned networks of `mlp`.
    ///
    /// # Errors
    /// A site has noise other than dropout, sites with a keep rate below 1 have more than
    /// [`Self::MAX_UNITS`] units in total, or there is not enough memory.
    pub fn enumerate(mlp: &Mlp) -> Result<Self, Error> {
        Noise::ensure_dropout("an ensemble of thinned networks", mlp.noises())?;
        let widths = mlp.widths();
        let drops = mlp.keeps().into_iter().map(Keep::drops);
        let sites = || drops.clone().enumerate().filter(|(_, drops)| *drops);
        let count = sites().map(|(site, _)| widths[site]).fold(0, usize::saturating_add);
        if count > Self::MAX_UNITS {
            return Err(Error::TooManyThinned { units: count, most: Self::MAX_UNITS });
        }
        let units =
            sites().flat_map(|(site, _)| (0..widths[site]).map(move |unit| (site, unit))).collect();
        Ok(Self { mlp: mlp.try_clone()?, units })
    }

    /// The number of thinned networks, 2^n.
    pub fn count(&self) -> usize {
        1 << self.units.len()
    }

    /// Iterates over the thinned networks, which are built one at a time. Each can fail as in
    /// [`ThinnedNetwork::from_masks`] if there is not enough memory.
    pub fn members(&self) -> impl Iterator<Item = Result<ThinnedNetwork, Error>> {
        let widths = self.mlp.widths();
        (0..self.count()).map(move |bits| {
            let mut masks = (0..self.mlp.depth())
                .map(|site| Mask::ones(1, widths[site]))
                .collect::<Result<Vec<_>, _>>()?;
            for (i, &(site, unit)) in self.units.iter().enumerate() {
                masks[site].set(0, unit, bits >> i & 1 == 1)?;
            }
            ThinnedNetwork::from_masks(&self.mlp, masks)
        })
    }

    /// The probability-weighted arithmetic mean of the thinned networks' predictions.
    ///
    /// # Errors
    /// The length of `x` is not the network's number of inputs.
    pub fn mean(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        self.weighted(|member| member.predict(x))
    }

    /// The probability-weighted geometric mean of the thinned networks' class probabilities,
    /// normalised to sum to 1.
    ///
    /// # Errors
    /// The loss of the network is not softmax cross-entropy, or the length of `x` is not its number
    /// of inputs.
    pub fn geometric_mean(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        if self.mlp.loss().link_function() != LinkFunction::Softmax {
            let expected = "softmax_cross_entropy, whose probabilities sum to 1";
            return Err(Error::LossKind { loss: self.mlp.loss().name(), expected });
        }
        let logs = self.weighted(|member| {
            Ok(member.predict(x)?.into_iter().map(libm::log).collect::<Vec<f64>>())
        })?;
        // The softmax of the mean logarithms.
        Ok(LinkFunction::Softmax.of(&logs))
    }

    fn weighted(
        &self,
        f: impl Fn(&ThinnedNetwork) -> Result<Vec<f64>, Error>,
    ) -> Result<Vec<f64>, Error> {
        let mut sum = Vec::new();
        for member in self.members() {
            let member = member?;
            let probability = libm::exp(member.log_probability());
            let values = f(&member)?;
            sum.resize(values.len(), 0.0);
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += probability * value;
            }
        }
        Ok(sum)
    }
}
